"""Tables of the casebook, and what the pipeline tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from central.store.base import Base
from protocols.model.alarm import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedAlarm:
    """An alarm that has just been raised, as the pipeline tells the casebook.

    id is the occurrence; point, device and site are the centre's ids; raised_us is source time.
    """

    id: str
    rule: str
    name_zh: str
    name_en: str
    point: str
    device: str
    site: str
    priority: Priority
    category: str
    raised_us: int


class Unit(Base):
    """Who can be sent: a maintenance crew, a patrol, a department (处置单位)."""

    __tablename__ = "units"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]


class Event(Base):
    """Something that happened at a site, told by one alarm or many (事件); `case_id` once it has a case."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    title_zh: Mapped[str]
    title_en: Mapped[str]
    site: Mapped[str]
    device: Mapped[str]
    category: Mapped[str]
    level: Mapped[str]
    state: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    closed_by: Mapped[str | None] = mapped_column(default=None)
    closing_note: Mapped[str] = mapped_column(default="")
    case_id: Mapped[str | None] = mapped_column(default=None)

    alarms: Mapped[list[EventAlarm]] = relationship(
        lazy="selectin", order_by="EventAlarm.raised_at", back_populates="event"
    )
    __table_args__ = (
        Index("ix_events_open", "site", "category", postgresql_where=text("state <> 'closed'")),
        Index("ix_events_opened", "opened_at", "id"),
    )


class EventAlarm(Base):
    """An alarm of an event. An alarm belongs to one event at most, so telling it twice changes nothing."""

    __tablename__ = "event_alarms"

    alarm: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id"), index=True)
    rule: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    point: Mapped[str]
    device: Mapped[str]
    priority: Mapped[str]
    raised_at: Mapped[datetime]

    event: Mapped[Event] = relationship(back_populates="alarms")


class Case(Base):
    """Work for somebody (案件), with its clock. `chain` is the hash of its last step."""

    __tablename__ = "cases"

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    title_zh: Mapped[str]
    title_en: Mapped[str]
    description: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    priority: Mapped[str]
    category: Mapped[str]
    site: Mapped[str | None]
    event_id: Mapped[str | None] = mapped_column(ForeignKey("events.id"), unique=True)
    unit: Mapped[str | None] = mapped_column(ForeignKey("units.id"), default=None)
    opened_at: Mapped[datetime]
    opened_by: Mapped[str]
    due_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    reworks: Mapped[int] = mapped_column(default=0)
    chain: Mapped[bytes]

    event: Mapped[Event | None] = relationship(lazy="selectin")
    tasks: Mapped[list[Task]] = relationship(lazy="selectin", order_by="Task.number", back_populates="case")
    steps: Mapped[list[CaseStep]] = relationship(lazy="selectin", order_by="CaseStep.number")

    __table_args__ = (Index("ix_cases_opened", "opened_at", "id"),)


class CaseStep(Base):
    """One step of a case: who did what, when. Append-only; sealed by `hash` over `prev_hash`."""

    __tablename__ = "case_steps"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    state_before: Mapped[str | None]
    state_after: Mapped[str]
    unit: Mapped[str | None]
    task: Mapped[str | None]
    comment: Mapped[str]
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]


class Task(Base):
    """The work of one unit on one case. The times are those of the present round; the steps keep all."""

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    number: Mapped[int]
    unit: Mapped[str] = mapped_column(ForeignKey("units.id"), index=True)
    state: Mapped[str] = mapped_column(index=True)
    round: Mapped[int] = mapped_column(default=1)
    due_at: Mapped[datetime]
    assigned_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None] = mapped_column(default=None)
    on_site_at: Mapped[datetime | None] = mapped_column(default=None)
    done_at: Mapped[datetime | None] = mapped_column(default=None)
    verified_at: Mapped[datetime | None] = mapped_column(default=None)
    refused_at: Mapped[datetime | None] = mapped_column(default=None)

    case: Mapped[Case] = relationship(back_populates="tasks")


class DayNumber(Base):
    """The last number given on a day; locked by whoever takes the next, so that numbers have no gaps."""

    __tablename__ = "day_numbers"

    kind: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]
