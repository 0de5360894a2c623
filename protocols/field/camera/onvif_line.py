"""ONVIF as the driver uses it: cameras introduce themselves, tell events, and are sent to presets.

introduce ─→ snapshot and stream addresses of each device · look ─→ clock offset, preset
listen ─→ events as readings of the devices' points, uncertain while nothing is heard
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx2
import numpy as np

from protocols.errors import ConnectionLost, DeviceRefused, FieldError
from protocols.field.base import BoundDevice, BoundPoint, Sink
from protocols.field.camera.ladder import Cause, Fallen, Level
from protocols.field.camera.onvif import MediaProfile, Onvif, at
from protocols.field.camera.pullpoint import MEASURES, Event, PullPoint, corrected
from protocols.field.camera.settings import CameraSettings
from protocols.field.camera.soap import Soap
from protocols.field.camera.watched import Figures, Watched
from protocols.model.address.camera import CameraAddress
from protocols.model.clock import Clock
from protocols.model.quality import Quality
from protocols.model.reading import Readings

CLOCK_WRONG_S: Final = 5.0
"""A camera's clock that is off by more signs evidence with a wrong time (the domain file section 4)."""
_AGAIN_S: Final = 15.0
_ARRIVES_S: Final = 5.0
"""How long a camera may turn to a preset whose point says no `travel_s`."""
_LOST: Final = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
_RUNGS: Final[Mapping[int, tuple[Level, Cause]]] = {
    Quality.BAD_NO_COMMUNICATION: (Level.UNREACHABLE, Cause.UNREACHABLE),
    Quality.BAD_TIMEOUT: (Level.REACHABLE, Cause.SILENT),
    Quality.BAD_USER_ACCESS_DENIED: (Level.REACHABLE, Cause.CREDENTIALS),
    Quality.BAD_CONFIGURATION_ERROR: (Level.REACHABLE, Cause.WRONG_PATH),
    Quality.BAD_NOT_SUPPORTED: (Level.AUTHENTICATED, Cause.NO_VIDEO),
}


@dataclass(slots=True)
class _Known:
    """What one device has told. again_at: when it is asked anew, in the loop's seconds."""

    profile: MediaProfile | None = None
    again_at: float = 0.0


@dataclass(slots=True)
class _Channel:
    """The points of one device that events set, and their states."""

    device: str
    points: dict[str, list[int]]
    states: dict[str, float] = field(default_factory=dict)


class OnvifLine:
    """The ONVIF side of one connection."""

    def __init__(self, settings: CameraSettings, devices: tuple[BoundDevice, ...], clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._onvif: Onvif | None = None
        self._known = {device.key: _Known() for device in devices}
        self._channels = [channel for device in devices if (channel := _channel(device)).points]
        self._deaf = ""
        self._sink: Sink | None = None

    def open(self, client: httpx2.AsyncClient, password: str) -> None:
        """Get ready to ask."""
        asked = self._settings
        account = None if asked.username is None else (asked.username, password)
        soap = Soap(client, account, asked.timeout_ms / 1000, self._clock)
        self._onvif = Onvif(soap, asked.base_url, asked.onvif_path, self._clock, asked.rtsp_port)

    async def introduce(self, watched: Watched, profile: str | None) -> None:
        """Learn where a device's pictures are, if that is not known; `watched.unknown` says why not."""
        known, now = self._known[watched.device], asyncio.get_running_loop().time()
        if known.profile is not None or now < known.again_at or self._onvif is None:
            return
        known.again_at = now + _AGAIN_S
        try:
            await self._onvif.clock_offset()
            chosen = _choose(await self._onvif.profiles(), profile, watched.device)
            stream = watched.stream or await self._onvif.stream_uri(chosen.token)
            path = watched.path or await self._onvif.snapshot_uri(chosen.token)
        except FieldError as error:
            if isinstance(error, Fallen):
                watched.unknown = error
                return
            level, cause = _RUNGS.get(error.quality, (Level.REACHABLE, Cause.PROTOCOL))
            if cause is Cause.CREDENTIALS:
                # More wrong passwords lock some cameras.
                known.again_at = now + self._settings.stream_every_s
            watched.unknown = Fallen(level, cause, str(error))
            return
        watched.stream, watched.path, watched.unknown = stream, path, None
        known.profile = chosen

    def forget(self, watched: Watched) -> None:
        """Ask anew where a device's pictures are: where they were, there is nothing any more."""
        self._known[watched.device].profile = None

    async def look(self, watched: Watched, measures: Sequence[str]) -> Figures:
        """Ask for the clock, and for the preset at which the camera stands."""
        figures: dict[str, float] = {}
        onvif = self._asked()
        known = self._known[watched.device].profile
        try:
            offset = await onvif.clock_offset()
            if offset is not None:
                figures["clock_offset_s"] = offset
            if "preset" in measures and known is not None:
                number = at(await onvif.presets(known.token), (await onvif.where(known.token))[0])
                if number is not None:
                    figures["preset"] = float(number)
        except FieldError as error:
            return Figures(self._clock(), figures, error.quality)
        why = Quality.GOOD if known is not None else Quality.BAD_WAITING_FOR_INITIAL_DATA
        return Figures(self._clock(), figures, why)

    async def goto(self, watched: Watched, point: BoundPoint, value: float | str) -> float | str | None:
        """Send a camera to a preset by its number in GetPresets (from 1), or by name or token; return what
        it says.

        None where it cannot tell where it stands. Raises DeviceRefused, DeviceTimeout.
        """
        onvif, known = self._asked(), self._known[watched.device].profile
        if known is None:
            raise DeviceRefused(
                f"camera {watched.device} has not introduced itself yet; nothing was sent",
                Quality.BAD_WAITING_FOR_INITIAL_DATA,
            )
        presets = await onvif.presets(known.token)
        number = next(
            (n for n, each in enumerate(presets, 1) if value == n or str(value) in (each.name, each.token)), 0
        )
        if isinstance(value, float | int):
            number = int(value) if value == int(value) and 1 <= value <= len(presets) else 0
        if not number:
            names = ", ".join(f"{n} {each.name or each.token}" for n, each in enumerate(presets[:20], 1))
            raise DeviceRefused(
                f"camera {watched.device} has no preset {value!r}; it has {names or 'none'}",
                Quality.BAD_OUT_OF_RANGE,
            )
        await onvif.goto(known.token, presets[number - 1])
        loop = asyncio.get_running_loop()
        began = loop.time()
        ends = began + (point.profile.travel_s or _ARRIVES_S)
        try:
            while True:
                position, moving = await onvif.where(known.token)
                stands = at(presets, position)
                if stands is None:
                    return None
                if stands == number or loop.time() >= ends + (ends - began if moving else 0):
                    return value if stands == number else float(stands)
                await asyncio.sleep(0.25)
        except FieldError:
            return None  # it went, and cannot say where it is

    async def listen(self, sink: Sink) -> None:
        """Hand on events until cancelled; returns at once where no point waits for any."""
        if not self._channels or self._onvif is None:
            return
        self._sink = sink
        pull = PullPoint(self._onvif, self._settings.pull_s, self._begun, self._heard, self._lost)
        for channel in self._channels:
            self._tell(channel, list(channel.points), math.nan, Quality.BAD_WAITING_FOR_INITIAL_DATA)
        await pull.run()

    def remarks(self) -> tuple[str, ...]:
        """Say what is wrong with clock and events."""
        said = []
        offset = None if self._onvif is None else self._onvif.soap.offset_s
        if offset is not None and abs(offset) > CLOCK_WRONG_S:
            way = "ahead" if offset > 0 else "behind"
            said.append(f"the camera's clock is {abs(offset):.0f} s {way}; set its time server (NTP)")
        if self._deaf:
            said.append(f"no events are heard: {self._deaf}")
        return tuple(said)

    def _asked(self) -> Onvif:
        if self._onvif is None:
            where = self._settings.base_url
            raise ConnectionLost(f"camera {where} is not open", Quality.BAD_NO_COMMUNICATION)
        return self._onvif

    def _heard(self, event: Event) -> None:
        offset = None if self._onvif is None else self._onvif.soap.offset_s
        now = corrected(event, offset, self._clock())
        for channel in self._channels:
            if event.measure in channel.points and self._is_of(event, channel.device):
                channel.states[event.measure] = float(event.state)
                self._tell(channel, [event.measure], float(event.state), Quality.GOOD, now)

    def _begun(self) -> None:
        self._deaf = ""
        for channel in self._channels:
            if "events" in channel.points and channel.states.get("events") != 1.0:
                channel.states["events"] = 1.0
                self._tell(channel, ["events"], 1.0, Quality.GOOD)
            # What was lost unheard is waited for again: most cameras never tell some of the topics.
            unheard = [measure for measure in channel.points if measure not in channel.states]
            if unheard:
                self._tell(channel, unheard, math.nan, Quality.BAD_WAITING_FOR_INITIAL_DATA)

    def _lost(self, error: FieldError) -> None:
        self._deaf = str(error)
        for channel in self._channels:
            for measure in channel.points:
                if measure == "events":
                    channel.states[measure] = 0.0
                    self._tell(channel, [measure], 0.0, Quality.GOOD)
                elif measure in channel.states:
                    self._tell(channel, [measure], channel.states[measure], _LOST)
                else:
                    self._tell(channel, [measure], math.nan, error.quality)

    def _is_of(self, event: Event, device: str) -> bool:
        """Return whether an event is of a device: of several cameras behind one address, by its video
        source.
        """
        known = self._known[device].profile
        named = [value for name, value in event.sources.items() if name.startswith(("VideoSource", "Source"))]
        if len(self._known) == 1 or not named or known is None:
            return True
        return known.source in named

    def _tell(
        self, channel: _Channel, measures: list[str], value: float, quality: int, time_us: int | None = None
    ) -> None:
        if self._sink is None:
            return
        indexes = np.array([index for measure in measures for index in channel.points[measure]], np.int32)
        when = self._clock() if time_us is None else time_us
        self._sink(Readings.at(indexes, when, np.full(len(indexes), value), quality))


def _channel(device: BoundDevice) -> _Channel:
    points: dict[str, list[int]] = {}
    for point in device.points:
        measure = CameraAddress.of(point.profile).measure
        if measure in MEASURES or measure == "events":
            points.setdefault(measure, []).append(point.index)
    return _Channel(device.key, points)


def _choose(profiles: list[MediaProfile], wanted: str | None, device: str) -> MediaProfile:
    """Return the profile that was asked for, else the one with the smallest picture. Raises Fallen."""
    if wanted is None and profiles:
        return profiles[-1]
    for each in profiles:
        if each.token == wanted:
            return each
    tokens = ", ".join(each.token for each in profiles[:20]) or "none"
    raise Fallen(
        Level.AUTHENTICATED, Cause.WRONG_PATH,
        f"camera {device} has no media profile {wanted!r}; it has {tokens}",
    )  # fmt: skip
