"""Alarms (ISA-18.2 / IEC 62682): the rule, the state of one occurrence, its overlays and its transitions.

The gateway judges the condition (ACT, CLR) and people answer it, at the centre or at the gateway's own
page (ACK, shelve, …); both houses run this one machine. Codes, table rows and guards:
`../shared/domain/alarms.md` sections 1 to 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from protocols.errors import Rejected


class AlarmState(StrEnum):
    """Base state of an occurrence; overlays are kept beside it, never instead of it."""

    NORM = "NORM"
    UNACK = "UNACK"
    ACKED = "ACKED"
    RTNUN = "RTNUN"
    LTUNK = "LTUNK"
    LTACK = "LTACK"


class Overlay(StrEnum):
    """What hides an alarm without ending it; the one shown is the first present in this order."""

    OOSRV = "OOSRV"
    """Out of service, by a maintenance user with a permit; until somebody returns it (停用)."""
    DSUPR = "DSUPR"
    """Suppressed by design: by logic, never by hand (设计抑制)."""
    SHLVD = "SHLVD"
    """Shelved by an operator for a time, with a reason (搁置)."""


class AlarmEvent(StrEnum):
    """What can happen to an occurrence: the first five to its base state, the others to its overlays."""

    ACT = "ACT"
    CLR = "CLR"
    ACK = "ACK"
    RESET = "RESET"
    REALARM = "REALARM"
    SHELVE = "SHELVE"
    UNSHELVE = "UNSHELVE"
    SUPPRESS = "SUPPRESS"
    UNSUPPRESS = "UNSUPPRESS"
    SUSPEND = "SUSPEND"
    RETURN = "RETURN"


ACTIVE_STATES = frozenset({AlarmState.UNACK, AlarmState.ACKED})
UNACKED_STATES = frozenset({AlarmState.UNACK, AlarmState.RTNUN, AlarmState.LTUNK})
ENTERS: Mapping[AlarmEvent, Overlay] = {
    AlarmEvent.SHELVE: Overlay.SHLVD,
    AlarmEvent.SUPPRESS: Overlay.DSUPR,
    AlarmEvent.SUSPEND: Overlay.OOSRV,
}
LEAVES: Mapping[AlarmEvent, Overlay] = {
    AlarmEvent.UNSHELVE: Overlay.SHLVD,
    AlarmEvent.UNSUPPRESS: Overlay.DSUPR,
    AlarmEvent.RETURN: Overlay.OOSRV,
}

Priority = Literal["P1", "P2", "P3", "P4"]
AlarmKind = Literal[
    "hihi",
    "hi",
    "lo",
    "lolo",
    "off_normal",
    "no_data",
    "deviation",
    "rate",
    "discrepancy",
    "flatline",
    "bad_quality",
    "condition",
]
OnBad = Literal["hold", "force_active", "force_clear"]
"""What bad quality does to a rule about values: nothing, raise it (gas), clear it (never for safety)."""
MAX_SHELVE_S = 86_400.0


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway watches for on one point, as declared to the centre.

    limit and deadband are in the point's unit, times in seconds of source time. limit means, by kind:
    `no_data` and `flatline` seconds of silence or of standing still; `discrepancy` seconds that the
    command may travel; `rate` units per `per`; nothing for `bad_quality` and `condition`.
    reference is the other point of `deviation` (else `setpoint` is compared) and the command of
    `discrepancy`. expression (of `condition`) and suppress_when are texts of `edge.expression`.
    parent names the rule that hides this one while it is active; max_shelve_s 0 forbids shelving.
    realarm_s 0 never annunciates again. id is `device.rule`, unique on its gateway.
    """

    id: str
    point: str
    kind: AlarmKind
    limit: float
    priority: Priority
    name_zh: str
    name_en: str
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    latching: bool = False
    ack_required: bool = True
    rtn_ack: bool = True
    category: str = "equipment"
    response_zh: str = ""
    response_en: str = ""
    on_bad: OnBad = "hold"
    setpoint: float = 0.0
    reference: str = ""
    window_s: float = 60.0
    per: Literal["s", "min", "h"] = "s"
    realarm_s: float = 0.0
    max_shelve_s: float = MAX_SHELVE_S
    group: str = ""
    parent: str = ""
    suppress_when: str = ""
    expression: str = ""


class AlarmTransition(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one occurrence, as the gateway saw it: a row of the stream `alarms`.

    number counts the steps of the occurrence from 1, so that a late step is known as late.
    event_us is the source time of the step; sample_us and value are the reading that decided it.

    A step of an overlay of a rule that has no occurrence open has occurrence "" and number 1. state and
    overlays are those after the step. actor is "" where the gateway itself judged; act is the id of the
    `AlarmAct` that was carried out. until_us ends a shelving.
    """

    occurrence: str
    rule: str
    point: str
    number: int
    event: AlarmEvent
    event_us: int
    sample_us: int
    value: float | None
    quality: int
    declaration: str
    state: AlarmState | None = None
    overlays: tuple[Overlay, ...] = ()
    actor: str = ""
    comment: str = ""
    act: str = ""
    until_us: int | None = None
    group: str = ""
    first_out: bool = False


class Policy(NamedTuple):
    """The guards of the transition table, taken from the rule."""

    latching: bool = False
    ack_required: bool = True
    rtn_ack: bool = True


DEFAULT_POLICY = Policy()


def policy_of(rule: Rule) -> Policy:
    """Return the guards that a rule asks for."""
    return Policy(rule.latching, rule.ack_required, rule.rtn_ack)


def shown(state: AlarmState, overlays: Collection[Overlay]) -> str:
    """Return the ISA state that is displayed: the first overlay in the order of `Overlay`, else the base."""
    return next((overlay.value for overlay in Overlay if overlay in overlays), state.value)


_S, _E = AlarmState, AlarmEvent


def step(state: AlarmState, event: AlarmEvent, policy: Policy = DEFAULT_POLICY) -> AlarmState:
    """Return the state after `event`, by the complete table of alarms.md section 2.

    A pair that the table does not have raises Rejected (`not-allowed`, `acknowledge-first` or
    `still-active`); an ACK of an acknowledged occurrence changes nothing and is no error.
    """
    match state, event:
        case _S.NORM, _E.ACT:
            return _S.UNACK if policy.ack_required else _S.ACKED
        case ((_S.RTNUN | _S.LTUNK | _S.LTACK), _E.ACT):
            return _S.UNACK
        case _S.UNACK, _E.CLR:
            if policy.latching:
                return _S.LTUNK
            return _S.RTNUN if policy.rtn_ack else _S.NORM
        case _S.ACKED, _E.CLR:
            return _S.LTACK if policy.latching else _S.NORM
        case _S.UNACK, _E.ACK:
            return _S.ACKED
        case _S.RTNUN, _E.ACK:
            return _S.NORM
        case _S.LTUNK, _E.ACK:
            return _S.LTACK
        case ((_S.ACKED | _S.LTACK | _S.NORM), _E.ACK):
            return state
        case _S.ACKED, _E.REALARM:
            return _S.UNACK
        case _S.LTACK, _E.RESET:
            return _S.NORM
        case _S.LTUNK, _E.RESET:
            raise Rejected("acknowledge-first", "a latched alarm is acknowledged before it is reset")
        case ((_S.UNACK | _S.ACKED), _E.RESET):
            raise Rejected("still-active", "the condition still holds; the alarm cannot be reset")
        case _:
            raise Rejected("not-allowed", f"{event} is not possible while the alarm is {state}")


def unhidden(state: AlarmState, policy: Policy = DEFAULT_POLICY) -> AlarmState:
    """Return the base state after the last overlay has gone (alarms.md section 3).

    An active alarm is annunciated again, even one that was acknowledged; one that returned to normal
    under the overlay is over; a latched one stays.
    """
    match state:
        case _S.UNACK | _S.ACKED:
            return _S.UNACK if policy.ack_required else _S.ACKED
        case _S.RTNUN:
            return _S.NORM
        case _:
            return state
