"""Section `updates:`: whose software this gateway takes, and how long a new version has to prove well."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from protocols.model.strict import Strict


class UpdatesEntry(Strict):
    """Updates that the centre stages. Without this section none is taken."""

    public_key: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="Ed25519 key of who signs the software, as `citynerve gateway make-key` prints it",
    )
    trial_s: Annotated[float, Field(ge=10, le=3600)] = Field(
        default=300, description="seconds for uplink and devices to be well after the start of a new version"
    )
