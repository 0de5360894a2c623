"""What people ask of dispatch; what it answers is in `casebook.schemas` and `link.schemas`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from central.kernel.shapes import Asked, PriorityCode
from protocols.model.command import CommandStep

Words = Annotated[str, Field(max_length=2000)]
NeededWords = Annotated[str, Field(min_length=1, max_length=2000)]


class TitleIn(Asked):
    """A title in both languages."""

    zh: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


class NewCaseIn(Asked):
    """A case to open: for an event, or by itself with a title."""

    event_id: str | None = Field(default=None, description="what is left out below comes from this event")
    title: TitleIn | str | None = Field(default=None, description="one text serves both languages")
    site: str | None = None
    category: str | None = Field(default=None, max_length=100)
    priority: PriorityCode | None = Field(default=None, description="left out: the event's level, else P3")
    description: Words = ""


class Assign(Asked):
    """The unit to send (派遣)."""

    unit: str
    due_in_minutes: int | None = Field(
        default=None, ge=1, le=525_600, description="a new due time; left out: the case's stays"
    )
    comment: Words = ""


class Close(Asked):
    """How it ended (结案)."""

    resolution: NeededWords


class Void(Asked):
    """Why it was no case (作废)."""

    reason: NeededWords


class CloseEvent(Asked):
    """Why the event needs no case."""

    reason: NeededWords


class TaskStep(Asked):
    """What there is to say about a step; rework (返工) and refusal need words."""

    comment: Words = ""


class NewCommand(Asked):
    """A value to write to a point."""

    point: str
    value: float | Annotated[str, Field(max_length=1000)] = Field(
        description="in the point's unit; text for points that speak text"
    )
    expires_in_s: float = Field(
        default=60, ge=1, le=3600, description="seconds after which it is not written any more"
    )
    expected: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="value that the device must show before anything is written",
    )
    step: CommandStep = Field(
        default="direct",
        description="`select` reserves the point and writes nothing, `operate` then writes the same value",
    )
