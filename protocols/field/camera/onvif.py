"""What a camera tells of itself by ONVIF: clock, identity, services, media profiles, addresses, presets.

    GetSystemDateAndTime (without sign-in) ─→ GetServices, else GetCapabilities ─→ GetProfiles (Media2, else
    Media1)
      ─→ GetStreamUri, GetSnapshotUri · GetPresets, GotoPreset, GetStatus

Addresses that a camera names are rewritten to the host by which it was reached: behind address translation it
knows only its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from protocols.errors import FieldError
from protocols.field.camera.soap import Refused, Soap
from protocols.model.clock import Clock, from_datetime
from protocols.model.quality import Quality

DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2: Final = "http://www.onvif.org/ver20/media/wsdl"
EVENTS: Final = "http://www.onvif.org/ver10/events/wsdl"
PTZ: Final = "http://www.onvif.org/ver20/ptz/wsdl"
_TT: Final = "{http://www.onvif.org/ver10/schema}"
_OLD: Final = {"Media": MEDIA, "Events": EVENTS, "PTZ": PTZ}
NEAR: Final = 0.02
"""Of a pan, tilt or zoom range of 2: nearer than this, a camera stands at its preset."""


@dataclass(frozen=True, slots=True)
class MediaProfile:
    """A way to watch a camera. source: token of the video source, as events name it."""

    token: str
    name: str
    coding: str
    width: int
    height: int
    source: str


@dataclass(frozen=True, slots=True)
class Preset:
    """A place to look at. position: pan, tilt, zoom; None where the camera does not tell."""

    token: str
    name: str
    position: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Answer of GetDeviceInformation."""

    maker: str
    model: str
    firmware: str
    serial: str


@dataclass(slots=True)
class Onvif:
    """The services of one camera or recorder. `base_url` and `path` are those of its device service."""

    soap: Soap
    base_url: str
    path: str
    clock: Clock
    rtsp_port: int = 554
    services: dict[str, str] = field(default_factory=dict)

    async def clock_offset(self) -> float | None:
        """Return the camera's clock minus ours in seconds; None where it tells no UTC. Needs no sign-in."""
        before = self.clock()
        body = await self.soap.call(self._device, "<tds:GetSystemDateAndTime/>", open_door=True)
        middle = (before + self.clock()) // 2
        utc = body.find(f".//{_TT}UTCDateTime")
        try:
            numbers = [
                int((utc.findtext(f"{_TT}{part}") if utc is not None else None) or "")
                for part in ("Date/" + _TT + "Year", "Date/" + _TT + "Month", "Date/" + _TT + "Day",
                             "Time/" + _TT + "Hour", "Time/" + _TT + "Minute", "Time/" + _TT + "Second")
            ]  # fmt: skip
            told = from_datetime(datetime(*numbers[:5], min(numbers[5], 59), tzinfo=UTC))  # type: ignore[misc,arg-type]
        except (ValueError, OverflowError):
            return None
        # It tells whole seconds, cut off: half a second later in the middle.
        self.soap.offset_s = (told + 500_000 - middle) / 1e6
        return self.soap.offset_s

    async def identity(self) -> Identity:
        """Return maker, model, firmware and serial number."""
        body = await self.soap.call(self._device, "<tds:GetDeviceInformation/>")
        found = {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in body.iter()}
        return Identity(
            found.get("Manufacturer", ""), found.get("Model", ""),
            found.get("FirmwareVersion", ""), found.get("SerialNumber", ""),
        )  # fmt: skip

    async def find_services(self) -> Mapping[str, str]:
        """Return namespace → address of its services, asked once."""
        if self.services:
            return self.services
        try:
            asked = "<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>"
            body = await self.soap.call(self._device, asked)
            for service in body.iter(f"{{{DEVICE}}}Service"):
                space = (service.findtext(f"{{{DEVICE}}}Namespace") or "").strip()
                self._serves(space, service.findtext(f"{{{DEVICE}}}XAddr"))
        except Refused as refused:
            if refused.quality == Quality.BAD_USER_ACCESS_DENIED:
                raise
            asked = "<tds:GetCapabilities><tds:Category>All</tds:Category></tds:GetCapabilities>"
            body = await self.soap.call(self._device, asked)
            for name, space in _OLD.items():
                self._serves(space, body.findtext(f".//{_TT}{name}/{_TT}XAddr"))
        return self.services

    async def profiles(self) -> list[MediaProfile]:
        """Return the media profiles that have video, the largest picture first."""
        services = await self.find_services()
        found: list[MediaProfile] = []
        if MEDIA2 in services:
            try:
                asked = "<tr2:GetProfiles><tr2:Type>All</tr2:Type></tr2:GetProfiles>"
                found = _profiles(await self.soap.call(services[MEDIA2], asked), MEDIA2)
            except Refused as refused:
                if refused.quality == Quality.BAD_USER_ACCESS_DENIED:
                    raise
        if not found:
            self.services.pop(MEDIA2, None)
            found = _profiles(await self.soap.call(self._service(MEDIA), "<trt:GetProfiles/>"), MEDIA)
        return sorted(found, key=lambda each: -each.width * each.height)

    async def stream_uri(self, profile: str) -> str:
        """Return the address of a profile's stream, by a host that can be reached."""
        token = escape(profile)
        if MEDIA2 in self.services:
            body = await self.soap.call(
                self.services[MEDIA2],
                f"<tr2:GetStreamUri><tr2:Protocol>RTSP</tr2:Protocol><tr2:ProfileToken>{token}</tr2:ProfileToken>"
                "</tr2:GetStreamUri>",
            )
        else:
            body = await self.soap.call(
                self._service(MEDIA),
                "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>"
                "<tt:Protocol>RTSP</tt:Protocol></tt:Transport></trt:StreamSetup>"
                f"<trt:ProfileToken>{token}</trt:ProfileToken></trt:GetStreamUri>",
            )
        return self._uri(body, "rtsp")

    async def snapshot_uri(self, profile: str) -> str | None:
        """Return the address of a profile's snapshot; None where the camera has none."""
        token, media2 = escape(profile), MEDIA2 in self.services
        word = "tr2" if media2 else "trt"
        try:
            body = await self.soap.call(
                self.services[MEDIA2] if media2 else self._service(MEDIA),
                f"<{word}:GetSnapshotUri><{word}:ProfileToken>{token}</{word}:ProfileToken></{word}:GetSnapshotUri>",
            )
            return self._uri(body, "http")
        except Refused as refused:
            if refused.quality == Quality.BAD_USER_ACCESS_DENIED:
                raise
            return None

    async def presets(self, profile: str) -> list[Preset]:
        """Return the places that a camera knows, in its own order."""
        await self.find_services()
        body = await self.soap.call(
            self._service(PTZ),
            f"<tptz:GetPresets><tptz:ProfileToken>{escape(profile)}</tptz:ProfileToken></tptz:GetPresets>",
        )
        return [
            Preset(
                each.get("token", ""), (each.findtext(f"{_TT}Name") or "").strip(),
                _position(each.find(f"{_TT}PTZPosition")),
            )
            for each in body.iter(f"{{{PTZ}}}Preset")
        ]  # fmt: skip

    async def goto(self, profile: str, preset: Preset) -> None:
        """Send the camera to a preset; it answers before it is there."""
        await self.soap.call(
            self._service(PTZ),
            f"<tptz:GotoPreset><tptz:ProfileToken>{escape(profile)}</tptz:ProfileToken>"
            f"<tptz:PresetToken>{escape(preset.token)}</tptz:PresetToken></tptz:GotoPreset>",
        )

    async def where(self, profile: str) -> tuple[tuple[float, ...] | None, bool]:
        """Return (position, whether it moves); the position is None where the camera does not tell."""
        body = await self.soap.call(
            self._service(PTZ),
            f"<tptz:GetStatus><tptz:ProfileToken>{escape(profile)}</tptz:ProfileToken></tptz:GetStatus>",
        )
        moving = any(
            (each.text or "").strip() == "MOVING"
            for status in body.iter(f"{_TT}MoveStatus")
            for each in status
        )
        return _position(body.find(f".//{_TT}Position")), moving

    @property
    def _device(self) -> str:
        return self.base_url.rstrip("/") + self.path

    def _service(self, space: str) -> str:
        try:
            return self.services[space]
        except KeyError:
            what = {MEDIA: "no media", EVENTS: "no events", PTZ: "no pan, tilt and zoom"}.get(space, space)
            raise Refused(f"{self._device} has {what} by ONVIF", Quality.BAD_NOT_SUPPORTED) from None

    def service(self, space: str) -> str:
        """Return the address of a service. Raises Refused where the camera has none."""
        return self._service(space)

    def _serves(self, space: str, address: str | None) -> None:
        if space and address:
            self.services[space] = self.reachable(address.strip())

    def reachable(self, address: str) -> str:
        """Return an address that a camera named, by the host through which it was reached."""
        here = urlsplit(self.base_url)
        try:
            there = urlsplit(address)
            port = there.port
        except ValueError as error:
            raise FieldError(f"{self._device} names {address[:80]!r}", Quality.BAD_DECODING_ERROR) from error
        query = f"?{there.query}" if there.query else ""
        host = f"[{here.hostname}]" if ":" in (here.hostname or "") else here.hostname
        if there.scheme.startswith("rtsp"):
            if there.hostname != here.hostname and self.rtsp_port != 554:
                port = self.rtsp_port
            return f"{there.scheme}://{host}{f':{port}' if port else ''}{there.path}{query}"
        if there.hostname == here.hostname:
            return address
        return f"{here.scheme}://{here.netloc}{there.path}{query}"

    def _uri(self, body: ElementTree.Element, scheme: str) -> str:
        for each in body.iter():
            text = (each.text or "").strip()
            if each.tag.endswith("}Uri") and text.lower().startswith(scheme):
                return self.reachable(text)
        raise Refused(f"{self._device} names no {scheme} address", Quality.BAD_NOT_SUPPORTED)


def _profiles(body: ElementTree.Element, space: str) -> list[MediaProfile]:
    found = []
    for each in body.iter(f"{{{space}}}Profiles"):
        parts = {part.tag.rpartition("}")[2]: part for part in each.iter()}
        encoder = parts.get("VideoEncoderConfiguration", parts.get("VideoEncoder"))
        if encoder is None or not each.get("token"):
            continue
        source = parts.get("SourceToken")
        found.append(
            MediaProfile(
                each.get("token", ""),
                (each.findtext(f"{_TT}Name") or each.findtext(f"{{{space}}}Name") or "").strip(),
                (encoder.findtext(f"{_TT}Encoding") or "").strip(),
                _whole(encoder.findtext(f"{_TT}Resolution/{_TT}Width")),
                _whole(encoder.findtext(f"{_TT}Resolution/{_TT}Height")),
                (source.text or "").strip() if source is not None else "",
            )
        )
    return found


def _whole(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _position(place: ElementTree.Element | None) -> tuple[float, ...] | None:
    if place is None:
        return None
    try:
        numbers = tuple(
            float(part.get(axis, "nan"))
            for name, axes in (("PanTilt", "xy"), ("Zoom", "x"))
            for part in place.findall(f"{_TT}{name}")
            for axis in axes
        )
    except ValueError:
        return None
    return numbers or None


def at(presets: list[Preset], position: tuple[float, ...] | None) -> int | None:
    """Return the number (from 1) of the preset at which a camera stands, 0 for none; None if nobody knows."""
    if position is None or not any(preset.position for preset in presets):
        return None
    for number, preset in enumerate(presets, 1):
        there = preset.position
        if not there or len(there) != len(position):
            continue
        if all(abs(a - b) <= NEAR for a, b in zip(there, position, strict=True)):
            return number
    return 0
