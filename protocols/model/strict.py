"""What every model of a person's file is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A model for people's files: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
