"""Alarms at the gateway: what is open, and what a technician does about it."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from typing import Annotated, Final

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.alarms.view import AlarmView as Alarm
from edge.console.answers import Words, answer, body, words
from edge.console.guard import caller
from edge.house import House
from protocols.model.alarm import AlarmKind, AlarmState, Overlay, Priority
from protocols.model.order import AlarmAct, AlarmVerb

MAX_COMMENT: Final = 500
_SETTLED_S: Final = 5.0


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm as `edge.alarms.view` tells it, in both languages, with what values of its point mean.

    Times are UTC microseconds; `display` is the state to show: the first overlay, else the base state.
    """

    rule: str
    occurrence: str
    device: str
    point: str
    name: Words
    response: Words | None
    unit: str
    decimals: int | None
    labels: dict[str, Words]
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
    limit: float
    deadband: float
    realarms: int
    group: str
    first_out: bool
    shelved_until_us: int | None
    put_aside_by: str
    put_aside_why: str
    chattering: bool


class ActRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody does to an alarm; `until_us` ends a shelving, `comment` is its reason or the permit."""

    verb: AlarmVerb
    rule: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    occurrence: str = ""
    comment: Annotated[str, msgspec.Meta(max_length=MAX_COMMENT)] = ""
    until_us: int | None = None
    one_shot: bool = False


_OURS: Final = {"name", "response", "unit", "decimals", "labels"}
_SAME: Final = [name for name in AlarmView.__struct_fields__ if name not in _OURS]


def alarm_views(house: House) -> list[AlarmView]:
    """Return what is open or put aside, the most urgent first, and of equals the newest."""
    found = [_view(house, alarm) for alarm in house.pipeline.alarm_views()]
    return sorted(
        found, key=lambda alarm: (bool(alarm.overlays), alarm.acked, alarm.priority, -alarm.raised_us)
    )


def _view(house: House, alarm: Alarm) -> AlarmView:
    index = house.plan.indexes.get(alarm.point)
    profile = None if index is None else house.plan.points[index].profile
    response = Words(*alarm.response) if any(alarm.response) else None
    return AlarmView(
        name=Words(*alarm.name),
        response=response,
        unit=profile.unit if profile else "1",
        decimals=profile.decimals if profile else None,
        labels={str(code): words(text) for code, text in profile.labels.items()} if profile else {},
        **{name: getattr(alarm, name) for name in _SAME},
    )


def routes(house: House) -> list[Route]:
    """GET /api/alarms, POST /api/alarms/act."""
    log = structlog.get_logger("edge.console")

    async def alarms(_: Request) -> Response:
        return answer(alarm_views(house))

    async def act(request: Request) -> Response:
        wanted = await body(request, ActRequest)
        who = caller(request).actor
        house.pipeline.act(
            AlarmAct(
                id=uuid.uuid4().hex,
                actor=who,
                at_us=house.clock(),
                **msgspec.structs.asdict(wanted),
            )
        )
        # It is answered when it is on the disk: what a person did is not lost with the power.
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLED_S):
                await house.pipeline.settled()
        log.info("alarm act", verb=wanted.verb, rule=wanted.rule, by=who)
        now = [alarm for alarm in alarm_views(house) if alarm.rule == wanted.rule]
        return answer(now[0] if now else None)

    return [Route("/api/alarms", alarms), Route("/api/alarms/act", act, methods=["POST"])]
