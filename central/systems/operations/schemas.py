"""What operations answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from central.store.keeping.classes import RetentionClass


class RetentionShare(BaseModel):
    """How many points of a kind of device are in a class."""

    retention: RetentionClass
    kind: str
    points: int


class Retention(BaseModel):
    """How long readings stay. archived: they are written to Parquet before they are deleted."""

    days: dict[RetentionClass, int] = Field(description="days that readings stay, by class")
    rollup_days: dict[str, int] = Field(description="days that rollups stay, by width; 0: for ever")
    archived: bool
    kinds: dict[str, RetentionClass] = Field(description="classes chosen for kinds of devices")
    points: list[RetentionShare]


class RetentionChoice(BaseModel):
    """A class to choose; null takes the choice back."""

    retention: RetentionClass | None


class PointRetention(BaseModel):
    """The class of a point. own: chosen for it; null where its device's kind decides."""

    point: str
    own: RetentionClass | None
    retention: RetentionClass
