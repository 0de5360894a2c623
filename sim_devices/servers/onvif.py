"""ONVIF services of simulated cameras: device, Media1 and Media2, events by PullPoint, PTZ (SOAP 1.2).

    POST /onvif/device_service · /onvif/media · /onvif/media2 · /onvif/events · /onvif/ptz · /onvif/pull/{id}

Each camera of the server has two profiles, `{key}-main` and `{key}-sub`. Sign-in by HTTP Digest, or by a
UsernameToken that is not older than TOKEN_S by the camera's own clock. Which services there are, and which
host they name, is in `OnvifHabits`: cameras differ, and clients have to bear it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from protocols.model.clock import Clock, to_datetime
from sim_devices.servers.onvif_events import Fault, Subscriptions

TOKEN_S: Final = 300.0
_S: Final = "{http://www.w3.org/2003/05/soap-envelope}"
_WSS: Final = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-"
_SPACES: Final = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://www.w3.org/2005/08/addressing",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tptz": "http://www.onvif.org/ver20/ptz/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "tns1": "http://www.onvif.org/ver10/topics",
    "ter": "http://www.onvif.org/ver10/error",
}
_HEAD: Final = " ".join(f'xmlns:{name}="{space}"' for name, space in _SPACES.items())
_PATHS: Final = {
    "tds": "device_service", "trt": "media", "tr2": "media2", "tev": "events", "tptz": "ptz",
}  # fmt: skip
PRESETS: Final = (
    ("1", "Gate", (0.0, 0.0, 0.0)),
    ("2", "Bridge", (0.5, -0.2, 0.1)),
    ("7", "River", (-0.8, 0.1, 0.6)),
)
"""(token, name, (pan, tilt, zoom)) of every camera."""


@dataclass(slots=True)
class OnvifHabits:
    """How a camera does ONVIF. host: what it calls itself in addresses; empty: as it was asked."""

    host: str = ""
    get_services: bool = True
    media2: bool = True
    digest: bool = True
    """HTTP Digest; else by UsernameToken only."""
    tells_position: bool = True
    turn_s: float = 0.3


@dataclass(slots=True)
class _Head:
    """Where a camera looks, and where it is going."""

    start: tuple[float, ...] = (0.3, 0.3, 0.0)
    goal: tuple[float, ...] = (0.3, 0.3, 0.0)
    began: float = -1e9


@dataclass(slots=True)
class Services:
    """The ONVIF side of a server. cameras: key → (path of the snapshot, path of the stream)."""

    cameras: Mapping[str, tuple[str, str]]
    clock: Clock
    ahead_s: Callable[[str], float]
    rtsp_port: Callable[[], int]
    account: tuple[str, str] | None = None
    admits: Callable[[Request], bool] = lambda _: True
    sign_in: Callable[[], Response] = Response
    habits: OnvifHabits = field(default_factory=OnvifHabits)
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    went: list[tuple[str, str]] = field(default_factory=list)
    """(camera, token of a preset) of every GotoPreset."""
    _heads: dict[str, _Head] = field(default_factory=dict)

    async def answer(self, request: Request) -> Response:
        """Answer one call."""
        try:
            text = await request.body()
            root = ElementTree.fromstring(text)  # noqa: S314 - a simulator; nothing is kept
            body = root.find(f"{_S}Body")
            call = body[0] if body is not None and len(body) else None
        except ElementTree.ParseError:
            return Response("no XML", 400)
        if call is None:
            return Response("no call", 400)
        name = call.tag.rpartition("}")[2]
        try:
            if name != "GetSystemDateAndTime":
                refused = self._refuses(request, root)
                if refused is not None:
                    return refused
            inside = await self._answer(request, name, call)
        except Fault as fault:
            return _envelope(
                f'<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:{fault.subcode}</s:Value>'
                f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">{escape(fault.words)}</s:Text>'
                "</s:Reason>"
                "</s:Fault>", 400,
            )  # fmt: skip
        return _envelope(inside)

    def now(self) -> datetime:
        """The camera's own clock."""
        ahead = max((self.ahead_s(key) for key in self.cameras), key=abs, default=0.0)
        return to_datetime(self.clock()) + timedelta(seconds=ahead)

    def _refuses(self, request: Request, root: ElementTree.Element) -> Response | None:
        if self.account is None or (self.habits.digest and self.admits(request)):
            return None
        if self._token_holds(root, self.account):
            return None
        if self.habits.digest:
            return self.sign_in()
        raise Fault("NotAuthorized", "sender not authorized")

    def _token_holds(self, root: ElementTree.Element, account: tuple[str, str]) -> bool:
        given = {each.tag.rpartition("}")[2]: (each.text or "") for each in root.iter() if _WSS in each.tag}
        if given.get("Username") != account[0]:
            return False
        try:
            created = datetime.fromisoformat(given.get("Created", ""))
            nonce = base64.b64decode(given.get("Nonce", ""))
        except ValueError:
            return False
        if abs((self.now() - created).total_seconds()) > TOKEN_S:
            return False
        hashed = hashlib.sha1(nonce + given["Created"].encode() + account[1].encode(), usedforsecurity=False)
        return hmac.compare_digest(base64.b64encode(hashed.digest()).decode(), given.get("Password", ""))

    async def _answer(self, request: Request, name: str, call: ElementTree.Element) -> str:
        part = request.url.path.rpartition("/onvif/")[2]
        if part.startswith("pull/"):
            return await self.subscriptions.answer(part.removeprefix("pull/"), name, call, self.now())
        answers: dict[str, Callable[[Request, ElementTree.Element], str | Awaitable[str]]] = {
            "GetSystemDateAndTime": self._date, "GetDeviceInformation": self._identity,
            "GetServices": self._services, "GetCapabilities": self._capabilities,
            "GetProfiles": self._profiles, "GetStreamUri": self._stream, "GetSnapshotUri": self._snapshot,
            "CreatePullPointSubscription": self._subscribe,
            "GetPresets": self._presets, "GotoPreset": self._goto, "GetStatus": self._status,
        }  # fmt: skip
        if name not in answers or (name == "GetServices" and not self.habits.get_services):
            raise Fault("ActionNotSupported", f"{name} is not implemented")
        made = answers[name](request, call)
        return made if isinstance(made, str) else await made

    # ---- device ----

    def _date(self, _: Request, __: ElementTree.Element) -> str:
        now = self.now()
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime><tt:Time>"
            f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
            f"</tt:Time><tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}"
            "</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _identity(self, _: Request, __: ElementTree.Element) -> str:
        return (
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>CityNerve</tds:Manufacturer><tds:Model>SIM-1"
            "</tds:Model><tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>0001</tds:SerialNumber>"
            "<tds:HardwareId>sim</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )

    def _address(self, request: Request, part: str) -> str:
        host = self.habits.host or request.url.netloc
        return f"http://{host}/onvif/{part}"

    def _offered(self) -> dict[str, str]:
        return {word: path for word, path in _PATHS.items() if word != "tr2" or self.habits.media2}

    def _services(self, request: Request, _: ElementTree.Element) -> str:
        inside = "".join(
            f"<tds:Service><tds:Namespace>{_SPACES[word]}</tds:Namespace>"
            f"<tds:XAddr>{self._address(request, path)}</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>0</tt:Minor></tds:Version></tds:Service>"
            for word, path in self._offered().items()
        )
        return f"<tds:GetServicesResponse>{inside}</tds:GetServicesResponse>"

    def _capabilities(self, request: Request, _: ElementTree.Element) -> str:
        inside = "".join(
            f"<tt:{name}><tt:XAddr>{self._address(request, _PATHS[word])}</tt:XAddr></tt:{name}>"
            for name, word in (("Device", "tds"), ("Events", "tev"), ("Media", "trt"), ("PTZ", "tptz"))
        )
        whole = f"<tds:Capabilities>{inside}</tds:Capabilities>"
        return f"<tds:GetCapabilitiesResponse>{whole}</tds:GetCapabilitiesResponse>"

    # ---- media ----

    def _profiles(self, request: Request, _: ElementTree.Element) -> str:
        two = request.url.path.endswith("media2")
        word, encoder = ("tr2", "tr2:VideoEncoder") if two else ("trt", "tt:VideoEncoderConfiguration")
        source = "tr2:VideoSource" if two else "tt:VideoSourceConfiguration"
        name = "tr2:Name" if two else "tt:Name"
        inside = ""
        for key in self.cameras:
            for kind, width, height in (("main", 1920, 1080), ("sub", 640, 360)):
                parts = (
                    f'<{source} token="vsc-{key}"><tt:SourceToken>{key}</tt:SourceToken></{source}>'
                    f'<{encoder} token="e-{kind}"><tt:Encoding>JPEG</tt:Encoding><tt:Resolution>'
                    f"<tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution></{encoder}>"
                )
                if two:
                    parts = f"<tr2:Configurations>{parts}</tr2:Configurations>"
                inside += (
                    f'<{word}:Profiles token="{key}-{kind}" fixed="true"><{name}>{key} {kind}</{name}>{parts}'
                    f"</{word}:Profiles>"
                )
        return f"<{word}:GetProfilesResponse>{inside}</{word}:GetProfilesResponse>"

    def _camera(self, call: ElementTree.Element) -> str:
        token = next((e.text or "" for e in call.iter() if e.tag.endswith("}ProfileToken")), "").strip()
        key = token.rpartition("-")[0]
        if key not in self.cameras:
            raise Fault("NoProfile", f"there is no profile {token!r}")
        return key

    def _uri(self, request: Request, call: ElementTree.Element, address: str) -> str:
        name = call.tag.rpartition("}")[2]
        if request.url.path.endswith("media2"):
            return f"<tr2:{name}Response><tr2:Uri>{escape(address)}</tr2:Uri></tr2:{name}Response>"
        inside = (
            f"<tt:Uri>{escape(address)}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
            "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
        )
        return f"<trt:{name}Response><trt:MediaUri>{inside}</trt:MediaUri></trt:{name}Response>"

    def _stream(self, request: Request, call: ElementTree.Element) -> str:
        stream = self.cameras[self._camera(call)][1]
        host = self.habits.host.partition(":")[0] or request.url.hostname
        return self._uri(request, call, f"rtsp://{host}:{self.rtsp_port()}{stream}")

    def _snapshot(self, request: Request, call: ElementTree.Element) -> str:
        host = self.habits.host or request.url.netloc
        return self._uri(request, call, f"http://{host}{self.cameras[self._camera(call)][0]}")

    # ---- events ----

    def _subscribe(self, request: Request, _: ElementTree.Element) -> str:
        address = self._address(request, f"pull/{self.subscriptions.open()}")
        now, ends = self.now(), self.now() + timedelta(seconds=60)
        return (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
            f"<a:Address>{address}</a:Address></tev:SubscriptionReference>"
            f"<wsnt:CurrentTime>{now:%Y-%m-%dT%H:%M:%SZ}</wsnt:CurrentTime>"
            f"<wsnt:TerminationTime>{ends:%Y-%m-%dT%H:%M:%SZ}</wsnt:TerminationTime>"
            "</tev:CreatePullPointSubscriptionResponse>"
        )

    # ---- pan, tilt, zoom ----

    def _presets(self, _: Request, call: ElementTree.Element) -> str:
        self._camera(call)
        inside = ""
        for token, name, place in PRESETS:
            where = f"<tt:PTZPosition>{_place(place)}</tt:PTZPosition>" if self.habits.tells_position else ""
            inside += f'<tptz:Preset token="{token}"><tt:Name>{name}</tt:Name>{where}</tptz:Preset>'
        return f"<tptz:GetPresetsResponse>{inside}</tptz:GetPresetsResponse>"

    def _goto(self, _: Request, call: ElementTree.Element) -> str:
        key = self._camera(call)
        token = next((e.text or "" for e in call.iter() if e.tag.endswith("}PresetToken")), "").strip()
        for known, _name, place in PRESETS:
            if known == token:
                loop = asyncio.get_running_loop()
                self._heads[key] = _Head(self._looks(key)[0], place, loop.time())
                self.went.append((key, token))
                return "<tptz:GotoPresetResponse/>"
        raise Fault("NoToken", f"there is no preset {token!r}")

    def _status(self, _: Request, call: ElementTree.Element) -> str:
        place, moving = self._looks(self._camera(call))
        where = f"<tt:Position>{_place(place)}</tt:Position>" if self.habits.tells_position else ""
        state = "MOVING" if moving else "IDLE"
        return (
            f"<tptz:GetStatusResponse><tptz:PTZStatus>{where}<tt:MoveStatus><tt:PanTilt>{state}</tt:PanTilt>"
            f"<tt:Zoom>{state}</tt:Zoom></tt:MoveStatus><tt:UtcTime>{self.now():%Y-%m-%dT%H:%M:%SZ}</tt:UtcTime>"
            "</tptz:PTZStatus></tptz:GetStatusResponse>"
        )

    def _looks(self, key: str) -> tuple[tuple[float, ...], bool]:
        head = self._heads.get(key, _Head())
        share = min(1.0, (asyncio.get_running_loop().time() - head.began) / max(self.habits.turn_s, 1e-3))
        place = tuple(a + (b - a) * share for a, b in zip(head.start, head.goal, strict=True))
        return place, share < 1.0


def _place(place: tuple[float, ...]) -> str:
    return f'<tt:PanTilt x="{place[0]:.4f}" y="{place[1]:.4f}"/><tt:Zoom x="{place[2]:.4f}"/>'


def _envelope(inside: str, status: int = 200) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope {_HEAD}><s:Body>{inside}</s:Body></s:Envelope>'
    return Response(text, status, media_type="application/soap+xml")
