"""Events, cases, tasks and units as the API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from central.casebook.lifecycle import Action, CaseState, EventState, TaskState
from central.kernel.shapes import Name, Page, PriorityCode, Shape


class AlarmBrief(Shape):
    """An alarm of an event, as it was raised; GET /alarms/{id} has its whole story."""

    id: str = Field(description="occurrence id")
    rule_id: str
    name: Name
    point: str
    device: str
    priority: PriorityCode
    raised_at: datetime = Field(description="source time of the sample that raised it")


class Event(Shape):
    """Something that happened at a site, told by its alarms (事件)."""

    id: str
    number: str = Field(description="day and running number", examples=["E20261122-0001"])
    title: Name
    site: str
    device: str = Field(description="device of the first alarm")
    category: str = Field(description="category of the rules: equipment, flooding, air, …")
    level: PriorityCode = Field(description="worst priority among its alarms")
    state: EventState
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    closing_note: str
    alarms: list[AlarmBrief]
    case_id: str | None = Field(description="its case, once somebody opened one")


class Unit(Shape):
    """Who can be sent (处置单位)."""

    id: str
    name: Name
    kind: str = Field(description="drainage, lighting, traffic, environment, …")


class Task(Shape):
    """The work of one unit on one case. Times are of the present round; the case's steps keep every round."""

    id: str
    case_id: str
    case_number: str
    title: Name
    site: str | None
    priority: PriorityCode
    unit: str
    state: TaskState
    round: int = Field(description="1, and one more after each rework (返工)")
    due_at: datetime
    overdue: bool
    assigned_at: datetime
    accepted_at: datetime | None
    on_site_at: datetime | None
    done_at: datetime | None
    verified_at: datetime | None
    refused_at: datetime | None
    actions: list[Action] = Field(description="what can be done now")


class Step(Shape):
    """One step of a case. Append-only; `hash` seals it and all before it."""

    number: int
    at: datetime
    actor: str = Field(description="user name, or `system`")
    action: Action
    from_: CaseState | None = Field(alias="from", serialization_alias="from")
    to: CaseState
    comment: str
    unit: str | None
    task: str | None
    hash: str = Field(description="SHA-256 over the hash before and this record, hexadecimal")


class Case(Shape):
    """Work for somebody, with its clock and every step (案件)."""

    id: str
    number: str = Field(examples=["20261122-0001"])
    title: Name
    description: str
    state: CaseState
    priority: PriorityCode
    category: str
    site: str | None
    event_id: str | None
    unit: str | None = Field(description="the unit that has it, or had it last")
    opened_at: datetime
    opened_by: str
    due_at: datetime
    overdue: bool = Field(description="ended after its due time, or open and past it")
    closed_at: datetime | None
    reworks: int
    tasks: list[Task]
    steps: list[Step]
    alarms: list[AlarmBrief]
    actions: list[Action] = Field(description="what can be done to the case now")


class EventPage(Page[Event]):
    """Events, newest first."""


class CasePage(Page[Case]):
    """Cases, newest first."""


class TaskPage(Page[Task]):
    """Tasks, newest first."""


class UnitPage(Page[Unit]):
    """Units by id."""
