"""The alarm desk as the API shows it: many acts at once, covers, folded storms, groups, saved views."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from central.kernel.shapes import Asked, Name, PriorityCode, Shape
from central.live.alarm_covers import CoverKind
from central.systems.monitoring.alarm_filter import AlarmFilter, Moment

MOST_ACTS = 1000
News = Literal["folds", "covers", "list"]
Words = Annotated[str, Field(max_length=1000)]
Said = Annotated[str, Field(min_length=1, max_length=1000)]


class _Chosen(Asked):
    """Which alarms: named by id, or what a filter lets through. One of the two."""

    ids: list[Annotated[str, Field(max_length=200)]] | None = Field(
        default=None, min_length=1, max_length=MOST_ACTS, description="up to 1000 ids"
    )
    filter: AlarmFilter | None = Field(default=None, description="up to 1000 at a time; `remaining` says so")

    @model_validator(mode="after")
    def _one(self) -> _Chosen:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name `ids`, or give a `filter`: one of the two")
        return self


class Acts(_Chosen):
    """Answer many alarms."""

    verb: Literal["acknowledge", "reset", "comment", "assign"]
    comment: Words = ""
    assignee: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="for `assign`: a user name; null takes it off everybody's hands"
    )


class OverlayActs(_Chosen):
    """Shelve or take out of service many alarms, or end that."""

    verb: Literal["shelve", "unshelve", "suspend", "return"]
    comment: Words = Field(default="", description="the reason, or the permit; needed to shelve and suspend")
    minutes: int = Field(default=30, ge=1, le=1440, description="for `shelve`")


class ActFailure(Shape):
    """An alarm to which it was not done, and why."""

    id: str
    code: str
    detail: str


class ActsDone(Shape):
    """What many acts did: all, or named failures."""

    done: int = Field(description="alarms to which it was done, or was so already")
    failures: list[ActFailure]
    remaining: bool = Field(description="the filter lets more through: send it again")


class NewCover(Asked):
    """Lay something over every alarm that it matches, from a moment to another."""

    kind: Literal["maintenance", "suppression"] = Field(
        description="maintenance (维护窗口) is shown as out of service, suppression (抑制) as suppressed"
    )
    site: Annotated[str, Field(max_length=200)] | None = None
    device: Annotated[str, Field(max_length=200)] | None = None
    rule: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="`device.rule` with `*` for anything, such as `*.level-high`"
    )
    from_at: Moment | None = Field(default=None, description="now where it is left out")
    until_at: Moment = Field(description="it ends by itself")
    reason: Said


class Cover(Shape):
    """Something that lies, will lie or lay over alarms."""

    id: int
    kind: CoverKind
    site: str | None
    device: str | None
    gateway: str | None = Field(description="for inhibition: the gateway that is down")
    rule: str | None
    from_at: datetime
    until_at: datetime | None
    reason: str
    made_by: str
    made_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    end_why: str | None
    alarms: int = Field(description="open alarms under it now")


class CoverList(Shape):
    """Covers, the last made first."""

    items: list[Cover]


class Reason(Asked):
    """Why."""

    reason: Said


class NewFold(Asked):
    """Fold a storm: what the filter lets through, except P1 and P2."""

    filter: AlarmFilter
    reason: Said


class Fold(Shape):
    """A storm in one entry; counts are of its alarms that are open still."""

    id: int
    kind: Literal["auto", "hand"]
    since: datetime
    made_at: datetime
    made_by: str
    reason: str
    rate: int | None = Field(
        description="calls in the ten minutes before it was made, in the whole city: null for who sees a part"
    )
    ended_at: datetime | None = Field(description="the flood is over; nothing more is folded into it")
    undone_at: datetime | None
    undone_by: str | None
    alarms: int
    unacked: int
    active: int
    by_priority: dict[str, int]
    sites: int = Field(description="at how many sites")


class Flood(Shape):
    """How near the list is to what people can answer (alarms.md section 8), counted within sight."""

    rate: float = Field(description="calls in the last ten minutes per operator position")
    since: datetime | None = Field(description="a flood goes on since then")
    positions: int = Field(description="operators who share the list")
    begins: int = Field(description="more than this is a flood")
    ends: int = Field(description="fewer than this end it")


class FoldList(Shape):
    """Folded storms that still hold open alarms, the last first, and the flood."""

    flood: Flood
    items: list[Fold]


class Group(Shape):
    """Alarms that belong together."""

    key: str = Field(description="a site, or a cause: `gateway:…`, `group:…`, `rule:…`")
    count: int
    active: int
    unacked: int
    worst: PriorityCode
    oldest: datetime
    newest: datetime
    first_out: str | None = Field(description="id of the alarm that came first, in a first-out group")
    name: Name = Field(description="of one of its most urgent alarms")


class GroupList(Shape):
    """Groups, the worst and largest first."""

    items: list[Group]


class NewView(Asked):
    """Keep a filter under a name."""

    name: str = Field(min_length=1, max_length=80)
    shared: bool = Field(default=False, description="everybody may use it")
    filter: AlarmFilter


class View(Shape):
    """A filter that somebody saved."""

    id: int
    owner: str
    name: str
    shared: bool
    filter: AlarmFilter
    changed_at: datetime
    own: bool = Field(description="yours to change")


class ViewList(Shape):
    """Your own views and those that are shared, by name."""

    items: list[View]


class Assignee(Shape):
    """Somebody to whom an alarm may be assigned."""

    username: str
    display_name: str


class AssigneeList(Shape):
    """People who may answer alarms."""

    items: list[Assignee]


class DeskNews(Shape):
    """The desk changed: its folds or covers; `list`: more alarms than are told one by one."""

    what: News
