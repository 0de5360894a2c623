"""What is in hand when the clock is stepped moves along: readings, steps of alarms, closed batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from edge.buffer.base import Entry
from edge.timekeeping import Stamp
from protocols.model.alarm import AlarmTransition
from protocols.model.command import CommandOutcome
from protocols.model.reading import Readings
from protocols.model.step import Step


def moved_readings(readings: Readings, step: Step) -> Readings:
    """Return readings with the times that they have after a step."""
    return replace(readings, time_us=step.column(readings.time_us))


def moved_alarms(alarms: Iterable[AlarmTransition], step: Step) -> tuple[AlarmTransition, ...]:
    """Return steps of alarms with the times that they have after a step of the clock."""
    return tuple(
        msgspec.structs.replace(
            alarm, event_us=step.time(alarm.event_us), sample_us=step.time(alarm.sample_us)
        )
        for alarm in alarms
    )


def moved_entry(entry: Entry, by_us: int, span_us: int, stamp: Stamp | None) -> Entry:
    """Return a closed batch, gathered in `span_us`, as it had been made under the clock after a step."""
    step = Step(by_us, entry.made_us + by_us, span_us)
    payload = entry.payload
    if isinstance(payload, Readings):
        payload = moved_readings(payload, step)
    else:
        payload = tuple(_moved_row(row, step) for row in payload)  # type: ignore[assignment]
    return Entry(entry.stream, entry.declaration, step.now_us, payload, stamp)


def _moved_row(row: AlarmTransition | CommandOutcome, step: Step) -> AlarmTransition | CommandOutcome:
    if isinstance(row, AlarmTransition):
        return moved_alarms((row,), step)[0]
    return msgspec.structs.replace(row, finished_us=step.time(row.finished_us))
