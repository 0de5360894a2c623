"""`storage:` of the gateway file: what the gateway's memory may take and write, and what the link may carry.

What happens at each of these limits is stated in `edge/buffer/policy.py` and in docs/buffer.md.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from protocols.model.strict import Strict

LEAST_BYTES = 1 << 20
"""Below one megabyte there is no room for the alarms beside the readings."""


class UplinkEntry(Strict):
    """What the road to the centre may carry. Alarms and outcomes count, and never wait."""

    bytes_per_day: Annotated[int, Field(ge=1 << 20)] | None = Field(
        default=None, description="bytes sent in one UTC day; readings then go in fewer, larger batches"
    )
    backlog_per_s: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="readings per second of the backlog beside the live ones; all it can if empty",
    )


class StorageEntry(Strict):
    """The gateway's memory on its disk."""

    max_bytes: Annotated[int, Field(ge=LEAST_BYTES)] | None = Field(
        default=None, description="most bytes of the log; only the disk limits it where not given"
    )
    min_free_bytes: Annotated[int, Field(ge=0)] = Field(
        default=64 << 20, description="bytes of the disk that are left to others"
    )
    keep_hours: Annotated[float, Field(ge=0, le=24 * 366)] = Field(
        default=8, description="hours that acknowledged readings stay here for the page's trends"
    )
    sync_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0, description="least seconds between two writes of readings; alarms never wait"
    )
    write_bytes_per_day: Annotated[int, Field(ge=1 << 20)] | None = Field(
        default=None, description="bytes written to the disk in one UTC day, for flash that wears out"
    )
    uplink: UplinkEntry = UplinkEntry()
