"""What follows for an occurrence from a step: times, who acknowledged, whether it is closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from central.live import alarm_overlays
from central.live.alarm_rows import AlarmRow
from protocols.model.alarm import UNACKED_STATES, AlarmEvent, AlarmState, AlarmTransition, Overlay
from protocols.model.clock import to_datetime

UNHIDDEN = "auto-unhidden"
"""Who acknowledged what had returned to normal under an overlay."""


def stepped(row: AlarmRow, before: AlarmState, after: AlarmState, transition: AlarmTransition) -> None:
    """Note what follows from a step of the base state."""
    at: datetime = to_datetime(transition.event_us)
    match transition.event:
        case AlarmEvent.ACT:
            row.cleared_at = row.closed_at = row.acked_at = row.acked_by = None
            row.reactivations += transition.number > 1
            if after is AlarmState.ACKED:
                row.acked_at, row.acked_by = at, "auto"
        case AlarmEvent.CLR:
            row.cleared_at = at
            if after is AlarmState.NORM and before is AlarmState.UNACK:
                row.acked_at, row.acked_by = at, "auto-clear"
        case AlarmEvent.ACK if after is not before:
            row.acked_at, row.acked_by = at, transition.actor
        case AlarmEvent.REALARM:
            row.realarms += 1
            row.acked_at = row.acked_by = None
        case _:
            pass
    if after is AlarmState.NORM:
        row.closed_at = at
        alarm_overlays.bare(row)


def uncovered(row: AlarmRow, before: AlarmState, after: AlarmState, at: datetime) -> None:
    """Note what follows from taking the last overlay off."""
    if before is AlarmState.ACKED and after is AlarmState.UNACK:
        row.acked_at = row.acked_by = None
    if after is AlarmState.NORM:
        if before is AlarmState.RTNUN:
            row.acked_at, row.acked_by = at, UNHIDDEN
        row.closed_at = at
        alarm_overlays.bare(row)


def taken_over(row: AlarmRow, state: AlarmState, overlays: Sequence[str], at: datetime) -> None:
    """Bring an occurrence to where it stands at its gateway."""
    before = AlarmState(row.state)
    for overlay in Overlay:
        if overlay.value in row.overlays and overlay.value not in overlays:
            alarm_overlays.take(row, overlay)
    row.overlays = list(overlays)
    if state is not AlarmState.NORM:
        row.closed_at = None
        if state in UNACKED_STATES:
            row.acked_at = row.acked_by = None
    uncovered(row, before, state, at)
    row.state = state.value
