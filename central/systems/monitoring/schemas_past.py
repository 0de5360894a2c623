"""The past as the API shows it: gaps, the compact form of history, marks beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from central.kernel.shapes import Name, PriorityCode, Shape

ResolutionCode = Literal["raw", "1m", "1h", "1d"]


class Gap(Shape):
    """A time from which nothing is known of a point."""

    from_ms: int = Field(description="end of the last sample or bucket, milliseconds since 1970 UTC")
    to_ms: int = Field(description="the next sample, or the end of the span")
    quality: int | None = Field(
        description="OPC UA StatusCode of the sample before the gap; null before the first, and for buckets"
    )


class CompactSeries(Shape):
    """The past of one point in a few numbers: times as steps, quality as runs."""

    point: str
    unit: str
    start: int | None = Field(description="first time, milliseconds since 1970 UTC; null where empty")
    steps: list[int] = Field(description="milliseconds from each time to the next: one fewer than rows")
    columns: dict[str, list[float | int | None]] = Field(
        description="raw: `value`; rolled up: `n`, `bad`, `min`, `avg`, `max`, `last`; those of `fields`"
    )
    quality: list[tuple[int, int]] = Field(
        description="runs of raw readings: (rows, OPC UA StatusCode) one after the other"
    )
    text: dict[int, str] = Field(description="row -> text, for points that speak text")
    gaps: list[Gap]
    truncated: bool = Field(description="there was more than `limit`; ask for a shorter span")


class CompactHistory(Shape):
    """The past of up to eight points at one resolution, in few bytes."""

    resolution: ResolutionCode
    series: list[CompactSeries]


class AlarmMark(Shape):
    """An alarm of one of the points that stood at some time of the span."""

    id: str
    point: str
    name: Name
    priority: PriorityCode
    raised_at: datetime
    cleared_at: datetime | None


class CommandMark(Shape):
    """A command to one of the points."""

    id: str
    point: str
    value: float | str | bool | None
    unit: str
    state: str
    issued_at: datetime
    issued_by: str


class Marks(Shape):
    """What happened to the points meanwhile, the newest first; at most so many of each."""

    alarms: list[AlarmMark]
    commands: list[CommandMark]
    truncated: bool = Field(description="there was more of one of them")


class TrendView(Shape):
    """A saved view of trends."""

    id: str
    name: str
    owner: str
    shared: bool = Field(description="whoever sees one of its points finds it")
    mine: bool
    points: list[str] = Field(description="those within your sight")
    hidden: int = Field(description="points of it that are not within your sight, or exist no more")
    span_s: float | None = Field(description="seconds up to now; null: `from` and `to` hold")
    from_: datetime | None = Field(serialization_alias="from", validation_alias="from")
    to: datetime | None
    options: dict[str, Any] = Field(description="what the page keeps of its own: comparison, band, marks")
    changed_at: datetime


class TrendViews(Shape):
    """One's own views and those that others share, by name."""

    items: list[TrendView]
