"""An alarm as a person at the gateway sees it: the technician's page, the command `alarms`."""

from __future__ import annotations

import msgspec

from edge.alarms.standing import Standing
from protocols.model.alarm import AlarmKind, AlarmState, Overlay, Priority, Rule, shown


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm. state is the base state, display the one to show (the first overlay, else the base).

    name and response are (zh, en). raised_us 0 and occurrence "": nothing is open, the rule is put aside.
    Times are UTC microseconds. hidden_by: what suppresses it, `when` or ids of rules.
    """

    rule: str
    occurrence: str
    device: str
    point: str
    name: tuple[str, str]
    response: tuple[str, str]
    priority: Priority
    kind: AlarmKind
    category: str
    state: AlarmState
    display: str
    overlays: tuple[Overlay, ...]
    hidden_by: tuple[str, ...]
    active: bool
    acked: bool
    raised_us: int
    cleared_us: int | None
    acked_us: int | None
    acked_by: str
    raise_value: float | None
    value: float | None
    quality: int
    limit: float
    deadband: float
    realarms: int
    reactivations: int
    group: str
    first_out: bool
    shelved_until_us: int | None
    put_aside_by: str
    put_aside_why: str
    chattering: bool


def view(rule: Rule, standing: Standing, *, chattering: bool) -> AlarmView:
    """Return the alarm of a rule as it stands."""
    covers = standing.covers
    aside = covers.get(Overlay.OOSRV) or covers.get(Overlay.SHLVD)
    shelf, suppressed = covers.get(Overlay.SHLVD), covers.get(Overlay.DSUPR)
    return AlarmView(
        rule=rule.id,
        occurrence=standing.occurrence,
        device=rule.point.partition(".")[0],
        point=rule.point,
        name=(rule.name_zh, rule.name_en),
        response=(rule.response_zh, rule.response_en),
        priority=rule.priority,
        kind=rule.kind,
        category=rule.category,
        state=standing.state,
        display=shown(standing.state, covers),
        overlays=standing.overlays,
        hidden_by=tuple(suppressed.sources) if suppressed else (),
        active=standing.active,
        acked=not standing.unacked,
        raised_us=standing.raised_us if standing.open else 0,
        cleared_us=standing.cleared_us if standing.open else None,
        acked_us=standing.acked_us,
        acked_by=standing.acked_by,
        raise_value=standing.raise_value,
        value=standing.value,
        quality=standing.quality,
        limit=rule.limit,
        deadband=rule.deadband,
        realarms=standing.realarms,
        reactivations=standing.reactivations,
        group=rule.group,
        first_out=standing.first_out,
        shelved_until_us=shelf.until_us if shelf else None,
        put_aside_by=aside.actor if aside else "",
        put_aside_why=aside.comment if aside else "",
        chattering=chattering,
    )
