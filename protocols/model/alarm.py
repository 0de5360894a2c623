"""Alarms (ISA-18.2 / IEC 62682): the rule, the state of one occurrence, and its transitions.

The gateway judges the condition (ACT, CLR) and the centre's people answer it (ACK, shelve); both run
this one machine. Codes, table rows and guards: `../shared/domain/alarms.md` sections 1 to 3.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from protocols.errors import Rejected


class AlarmState(StrEnum):
    """Base state of an occurrence; the overlay `shelved` is kept beside it, never instead of it."""

    NORM = "NORM"
    UNACK = "UNACK"
    ACKED = "ACKED"
    RTNUN = "RTNUN"
    LTUNK = "LTUNK"
    LTACK = "LTACK"


class AlarmEvent(StrEnum):
    """What can happen to an occurrence."""

    ACT = "ACT"
    CLR = "CLR"
    ACK = "ACK"
    RESET = "RESET"
    REALARM = "REALARM"


ACTIVE_STATES = frozenset({AlarmState.UNACK, AlarmState.ACKED})
UNACKED_STATES = frozenset({AlarmState.UNACK, AlarmState.RTNUN, AlarmState.LTUNK})

Priority = Literal["P1", "P2", "P3", "P4"]
AlarmKind = Literal["hihi", "hi", "lo", "lolo", "off_normal", "no_data"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway watches for on one point, as declared to the centre.

    limit and deadband are in the point's unit; delays in seconds of source time. `no_data` counts
    the seconds without a good reading in `limit`. id is `device.rule`, unique on its gateway.
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


class AlarmTransition(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one occurrence, as the gateway saw it: a row of the stream `alarms`.

    number counts the steps of the occurrence from 1, so that a late step is known as late.
    event_us is the source time of the step; sample_us and value are the reading that decided it.
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


class Policy(NamedTuple):
    """The guards of the transition table, taken from the rule."""

    latching: bool = False
    ack_required: bool = True
    rtn_ack: bool = True


DEFAULT_POLICY = Policy()

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
