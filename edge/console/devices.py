"""Devices with their health in words: do they answer, how fast, and if not, why and what to do."""

from __future__ import annotations

import time
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config.models import DeviceEntry
from edge.console import words as say
from edge.console.answers import Words, answer, words
from edge.console.layout import Layout, Place
from edge.house import House
from edge.session import Session
from protocols.model.quality import CODE_MASK, Quality, quality_name

DeviceState = Literal["online", "offline", "waiting", "resting"]
"""resting: it stayed silent, its breaker is open, and it is tried again after a pause."""
_STALE: Final = int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)


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
    """One device. `last_us` is the source time of its newest usable value, latency in milliseconds."""

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


def device_views(house: House, layout: Layout) -> list[DeviceView]:
    """Return all devices of the gateway file, in its order."""
    places = layout.places
    return [_view(house, entry, places[entry.key]) for entry in house.plan.loaded.entry.devices]


def _view(house: House, entry: DeviceEntry, place: Place) -> DeviceView:
    shaper = house.pipeline.shaper
    profile = house.plan.loaded.profiles[entry.profile]
    session = house.sessions[entry.connection]
    breaker = session.breakers[entry.key]
    codes, times = shaper.latest_quality[place.read], shaper.latest_us[place.read]
    tried = times > 0
    usable = tried & (codes < Quality.BAD) & (codes != _STALE)
    state, reason = judge(session, entry.key, codes[tried], usable[tried])
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
        reason=reason,
        last_us=int(times[usable].max()) if usable.any() else None,
        latency_ms=None if latency is None else round(latency, 1),
        breaker=BreakerView(
            open=breaker.open,
            failures=breaker.failures,
            retry_in_s=breaker.retry_in_s(time.monotonic()) if breaker.open else None,
        ),
        points=len(profile.points),
        bad_points=int((tried & (codes >= Quality.BAD)).sum()),
        manual=bool(house.commands.held & {entry.key, "*"}),
    )


def judge(
    session: Session, device: str, codes: NDArray[np.uint32], usable: NDArray[np.bool_]
) -> tuple[DeviceState, Reason]:
    """Return a device's state and why; `codes` and `usable` are those of its points that were tried."""
    if not len(codes):
        if session.state == "online":
            return "waiting", _reason("waiting", say.WAITING)
        return "waiting", _reason("connecting", say.CONNECTING, session.reason)
    bad = codes[~usable]
    told = (session.last_error(device) or ("", ""))[1]
    if session.state != "online":
        code = _most(bad) if len(bad) else int(Quality.BAD_NO_COMMUNICATION)
        return "offline", _reason(quality_name(code), say.meaning(code), told)
    if session.breakers[device].open:
        code = _most(bad) if len(bad) else int(Quality.BAD_TIMEOUT)
        return "resting", _reason(quality_name(code), say.resting(code), told)
    if not usable.any():
        code = _most(bad)
        return "offline", _reason(quality_name(code), say.meaning(code), told)
    if len(bad):
        code = _most(bad)
        return "online", _reason("some-points", say.some_points(len(bad), len(codes), code))
    return "online", _reason("ok", say.WELL)


def _reason(code: str, sentence: Words, detail: str = "") -> Reason:
    return Reason(code=code, zh=sentence.zh, en=sentence.en, detail=detail)


def _most(codes: NDArray[np.uint32]) -> int:
    """Return the most frequent of some codes, without their info bits."""
    known, times = np.unique(codes & np.uint32(CODE_MASK), return_counts=True)
    return int(known[times.argmax()])


def routes(house: House, layout: Layout) -> list[Route]:
    """GET /api/devices."""

    async def devices(_: Request) -> Response:
        return answer(device_views(house, layout))

    return [Route("/api/devices", devices)]
