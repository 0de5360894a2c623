"""A past moment as columns, so that a screen can fetch many of them ahead."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from central.kernel.shapes import Name, PriorityCode, Shape


class ReplayMarks(Shape):
    """Things on the map and their condition then: columns of one length."""

    id: list[str]
    state: list[int] = Field(description="0 active, 1 stale: nothing fresh was known, 2 fault")
    worst: list[int] = Field(description="worst priority of the alarms active then: 1 for P1 to 4; 0: none")
    active: list[int] = Field(description="alarms active then")
    unacked: list[int] = Field(description="alarms that waited for somebody then")


class ReplayAlarms(Shape):
    """The alarms that stood then, the newest first: columns of one length."""

    id: list[str]
    site: list[str]
    device: list[str]
    point: list[str]
    priority: list[PriorityCode]
    name: list[Name]
    raised_ms: list[int] = Field(description="milliseconds since 1970 UTC")
    state: list[str] = Field(description="ISA-18.2 state then")


class ReplayValues(Shape):
    """The newest readings of the chosen sites' points then: columns of one length."""

    point: list[str]
    unit: list[str]
    value: list[float | None]
    text: list[str | None]
    quality: list[int] = Field(description="OPC UA StatusCode")
    age_s: list[float] = Field(description="the moment minus the source time, seconds")
    stale: list[bool] = Field(description="older than three of the point's periods")


class ReplayFrame(Shape):
    """The city at one past moment."""

    time: datetime
    sites: ReplayMarks = Field(description="all in use within your sight")
    devices: ReplayMarks = Field(description="those that were not calm; the others worked without an alarm")
    alarms: ReplayAlarms
    total_alarms: int = Field(description="that stood then; the list is cut at 2000")
    values: ReplayValues


class ReplayDensity(Shape):
    """Alarms raised by part of a span: one number per part and priority."""

    from_ms: int
    step_ms: float
    P1: list[int]
    P2: list[int]
    P3: list[int]
    P4: list[int]
