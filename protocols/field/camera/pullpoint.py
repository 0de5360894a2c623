"""Events of a camera by ONVIF PullPoint: subscribed, pulled, renewed, and subscribed anew when lost.

    CreatePullPointSubscription ─→ SetSynchronizationPoint (states are told again) ─→ PullMessages … (≤
    pull_s each)
      ─→ Renew at half its life ─→ any failure: the states are uncertain, and it begins anew after a pause

Topics are compared by their names without prefixes: `tns1:VideoSource/tns1:MotionAlarm` is
VideoSource/MotionAlarm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn
from xml.etree import ElementTree

from protocols.errors import FieldError
from protocols.field.camera.onvif import EVENTS, Onvif
from protocols.field.camera.soap import WSA, Refused
from protocols.model.clock import SECOND_US, from_datetime
from protocols.model.quality import Quality

LIFE_S: Final = 60
_LIMIT: Final = 100
_PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
_WSNT: Final = "{http://docs.oasis-open.org/wsn/b-2}"
_TT: Final = "{http://www.onvif.org/ver10/schema}"
_PULL: Final = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/"
_WSN: Final = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/"
TOPICS: Final[Mapping[str, str]] = {
    "VideoSource/MotionAlarm": "motion",
    "RuleEngine/CellMotionDetector/Motion": "motion",
    "RuleEngine/MotionRegionDetector/Motion": "motion",
    "VideoSource/GlobalSceneChange": "tamper",
    "VideoSource/ImpairedVisibility": "tamper",
    "RuleEngine/TamperDetector/Tamper": "tamper",
    "VideoSource/SignalLoss": "signal_loss",
    "Device/Trigger/DigitalInput": "digital_input",
    "Device/HardwareFailure/FanFailure": "fan_failure",
    "Device/HardwareFailure/PowerSupplyFailure": "power_failure",
    "Device/HardwareFailure/StorageFailure": "storage_failure",
    "Device/HardwareFailure/TemperatureCritical": "temperature_critical",
}
"""Topic, or its beginning, → measure (ONVIF Core and Imaging event topics; the domain file section 4)."""
MEASURES: Final = frozenset(TOPICS.values())


@dataclass(frozen=True, slots=True)
class Event:
    """A state that a camera tells. sources: what it is of, by name; time_us by the camera's clock, or
    None.
    """

    measure: str
    state: bool
    sources: Mapping[str, str]
    time_us: int | None


class PullPoint:
    """One subscription to all events of a camera.

    `begun` is told when it holds, `heard` each event, `lost` why nothing is heard any more.
    """

    def __init__(
        self,
        onvif: Onvif,
        pull_s: float,
        begun: Callable[[], None],
        heard: Callable[[Event], None],
        lost: Callable[[FieldError], None],
    ) -> None:
        self.alive = False
        self._onvif, self._pull_s = onvif, pull_s
        self._begun, self._heard, self._lost = begun, heard, lost

    async def run(self) -> NoReturn:
        """Listen until cancelled."""
        failures = 0
        while True:
            try:
                await self._listen()
            except FieldError as error:
                failures = 1 if self.alive else failures + 1
                self.alive = False
                self._lost(error)
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])

    async def _listen(self) -> NoReturn:
        await self._onvif.clock_offset()
        await self._onvif.find_services()
        address, reference = await self._subscribe()
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        try:
            # A camera without properties may refuse this; its events come all the same.
            with contextlib.suppress(Refused):
                await self._ask(address, reference, "tev:SetSynchronizationPoint", "", _PULL)
            while True:
                body = await self._ask(
                    address, reference, "tev:PullMessages",
                    f"<tev:Timeout>PT{self._pull_s:g}S</tev:Timeout><tev:MessageLimit>{_LIMIT}</tev:MessageLimit>",
                    _PULL, self._pull_s,
                )  # fmt: skip
                if not self.alive:
                    self.alive = True
                    self._begun()
                for event in events(body):
                    self._heard(event)
                if loop.time() - renewed >= LIFE_S / 2:
                    # Pulling keeps most subscriptions alive by itself; the next pull finds one that lapsed.
                    with contextlib.suppress(Refused):
                        life = f"<wsnt:TerminationTime>PT{LIFE_S}S</wsnt:TerminationTime>"
                        await self._ask(address, reference, "wsnt:Renew", life, _WSN)
                    renewed = loop.time()
        finally:
            with contextlib.suppress(FieldError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._ask(address, reference, "wsnt:Unsubscribe", "", _WSN)

    async def _subscribe(self) -> tuple[str, tuple[str, ...]]:
        body = await self._onvif.soap.call(
            self._onvif.service(EVENTS),
            "<tev:CreatePullPointSubscription>"
            f"<tev:InitialTerminationTime>PT{LIFE_S}S</tev:InitialTerminationTime></tev:CreatePullPointSubscription>",
            action="http://www.onvif.org/ver10/events/wsdl/EventPortType/CreatePullPointSubscriptionRequest",
        )
        found = body.find(f".//{{{EVENTS}}}SubscriptionReference")
        address = "" if found is None else (found.findtext(f"{WSA}Address") or "").strip()
        if found is None or not address.startswith("http"):
            raise Refused("the camera names no subscription to its events", Quality.BAD_DECODING_ERROR)
        reference = []
        for each in found.findall(f"{WSA}ReferenceParameters/*"):
            each.set(f"{WSA}IsReferenceParameter", "true")
            reference.append(ElementTree.tostring(each, encoding="unicode"))
        return self._onvif.reachable(address), tuple(reference)

    async def _ask(
        self,
        address: str,
        reference: tuple[str, ...],
        call: str,
        inside: str,
        space: str,
        longer_s: float = 0.0,
    ) -> ElementTree.Element:
        action = f"{space}{call.partition(':')[2]}Request"
        return await self._onvif.soap.call(
            address, f"<{call}>{inside}</{call}>", action=action, reference=reference, longer_s=longer_s
        )


def events(body: ElementTree.Element) -> list[Event]:
    """Return the events of a PullMessages answer that have a point; others are left alone."""
    found = []
    for message in body.iter(f"{_WSNT}NotificationMessage"):
        topic = "/".join(
            part.rpartition(":")[2] for part in (message.findtext(f"{_WSNT}Topic") or "").strip().split("/")
        )
        measure = next((m for name, m in TOPICS.items() if f"{topic}/".startswith(f"{name}/")), None)
        said = message.find(f".//{_TT}Message")
        if measure is None or said is None:
            continue
        items = {
            each.get("Name", ""): each.get("Value", "") for each in said.findall(f"{_TT}Data/{_TT}SimpleItem")
        }
        words = [value.strip().lower() for value in items.values()]
        states = [word for word in words if word in ("true", "false", "1", "0")]
        if not states:
            continue
        sources = {
            each.get("Name", ""): each.get("Value", "")
            for each in said.findall(f"{_TT}Source/{_TT}SimpleItem")
        }
        told = None if said.get("PropertyOperation") == "Initialized" else _time(said.get("UtcTime", ""))
        found.append(Event(measure, states[0] in ("true", "1"), sources, told))
    return found


def corrected(event: Event, offset_s: float | None, now_us: int) -> int:
    """Return when an event was, by our clock; now, where the camera's time cannot be believed."""
    if event.time_us is None:
        return now_us
    ours = event.time_us - round((offset_s or 0.0) * SECOND_US)
    return min(ours, now_us) if abs(ours - now_us) < 600 * SECOND_US else now_us


def _time(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return from_datetime(moment) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
