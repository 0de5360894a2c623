"""Devices with their health in words: do they answer, how fast, and if not, why and what to do."""

from __future__ import annotations

import time
from typing import Final, Literal

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config.adopting import Adopted
from edge.config.models import DeviceEntry
from edge.console import words as say
from edge.console.answers import Words, answer, words
from edge.console.layout import Layout, Place
from edge.console.learnt import learnt_view
from edge.house import House
from edge.notebook import LearntView
from edge.session import Session
from edge.shaping import usable
from protocols.model.quality import CODE_MASK, Quality, quality_name
from protocols.model.reading import Qualities

DeviceState = Literal["online", "offline", "waiting", "resting"]
"""resting: it stayed silent, its breaker is open, and it is tried again after a pause."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a device is as it is: a stable code, a sentence in both languages, the error as it was told."""

    code: str
    zh: str
    en: str
    detail: str = ""


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """The breaker of a device; `retry_in_s` is None while it is closed."""

    open: bool
    failures: int
    retry_in_s: float | None


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """One device. `last_us` is the source time of its newest usable value, latency in milliseconds.

    adopted: where it joined by itself, by which rule and when.
    """

    key: str
    name: Words
    site: str
    profile: str
    vendor: str
    model: str
    kind: str
    connection: str
    protocol: str
    state: DeviceState
    reason: Reason
    last_us: int | None
    latency_ms: float | None
    breaker: BreakerView
    points: int
    bad_points: int
    manual: bool
    learnt: LearntView | None
    adopted: Adopted | None


def device_views(house: House, layout: Layout) -> list[DeviceView]:
    """Return all devices of the gateway file, in its order."""
    places = layout.places
    rows = zip(house.plan.loaded.entry.devices, *(column.tolist() for column in layout.health()), strict=True)
    return [_view(house, entry, places[entry.key], *row) for entry, *row in rows]


def silent_devices(house: House, layout: Layout) -> int:
    """Return how many devices do not answer."""
    rows = zip(house.plan.loaded.entry.devices, *(column.tolist() for column in layout.health()), strict=True)
    states = (_state(house.sessions[entry.connection], entry.key, *row[:2]) for entry, *row in rows)
    return sum(state in {"offline", "resting"} for state in states)


def _view(house: House, entry: DeviceEntry, place: Place, tried: int, heard: int, last_us: int) -> DeviceView:
    profile = house.plan.loaded.profiles[entry.profile]
    session = house.sessions[entry.connection]
    breaker = session.breakers[entry.key]
    state = _state(session, entry.key, tried, heard)
    latency = session.latency_ms.get(entry.key)
    return DeviceView(
        key=entry.key,
        name=words(entry.name),
        site=entry.site,
        profile=profile.id,
        vendor=profile.vendor,
        model=profile.model,
        kind=profile.kind,
        connection=entry.connection,
        protocol=profile.protocol,
        state=state,
        reason=_well(session)
        if state == "online" and tried == heard
        else why(session, entry.key, state, _codes(house, place)),
        last_us=last_us or None,
        latency_ms=None if latency is None else round(latency, 1),
        breaker=BreakerView(
            open=breaker.open,
            failures=breaker.failures,
            retry_in_s=breaker.retry_in_s(time.monotonic()) if breaker.open else None,
        ),
        points=len(profile.points),
        bad_points=tried - heard,
        manual=bool(house.commands.held & {entry.key, "*"}),
        learnt=learnt_view(house, entry.key, entry.connection),
        adopted=house.plan.loaded.adopted.get(entry.key),
    )


def _state(session: Session, device: str, tried: int, heard: int) -> DeviceState:
    """Return a device's state; `tried` and `heard` count its points that were read, and that are usable."""
    if not tried:
        return "waiting"
    if session.state != "online":
        return "offline"
    if session.breakers[device].open:
        return "resting"
    return "online" if heard else "offline"


def why(session: Session, device: str, state: DeviceState, codes: Qualities) -> Reason:
    """Return the reason of a state, by the status codes of the points that were tried."""
    if state == "waiting":
        if session.state == "online":
            return _reason("waiting", say.WAITING)
        return _reason("connecting", say.CONNECTING, session.reason)
    bad = codes[~usable(codes)]
    code = _most(bad) if len(bad) else int(Quality.BAD_NO_COMMUNICATION)
    if state == "online":
        return _reason("some-points", say.some_points(len(bad), len(codes), code))
    told = (session.last_error(device) or ("", ""))[1]
    return _reason(quality_name(code), say.resting(code) if state == "resting" else say.meaning(code), told)


def _well(session: Session) -> Reason:
    """Return that all is well, or what the driver remarks of a line that works."""
    remarks = session.remarks()
    return _reason("remark", say.REMARK, "; ".join(remarks)) if remarks else _WELL


def _codes(house: House, place: Place) -> Qualities:
    shaper = house.pipeline.shaper
    return shaper.latest_quality[place.read][shaper.latest_us[place.read] > 0]


def _reason(code: str, sentence: Words, detail: str = "") -> Reason:
    return Reason(code=code, zh=sentence.zh, en=sentence.en, detail=detail)


def _most(codes: Qualities) -> int:
    """Return the most frequent of some codes, without their info bits."""
    known, times = np.unique(codes & np.uint32(CODE_MASK), return_counts=True)
    return int(known[times.argmax()])


_WELL: Final = _reason("ok", say.WELL)


def routes(house: House, layout: Layout) -> list[Route]:
    """GET /api/devices."""

    async def devices(_: Request) -> Response:
        return answer(device_views(house, layout))

    return [Route("/api/devices", devices)]
