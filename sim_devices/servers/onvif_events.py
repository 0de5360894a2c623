"""PullPoint subscriptions of a simulated camera: states by topic, told when they change, and all when asked
for.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from xml.etree import ElementTree

LONGEST_S: Final = 60.0
TOPICS: Final[Mapping[str, tuple[str, str, str]]] = {
    "motion": ("tns1:VideoSource/MotionAlarm", "Source", "State"),
    "tamper": ("tns1:VideoSource/GlobalSceneChange/ImagingService", "Source", "State"),
    "signal_loss": ("tns1:VideoSource/SignalLoss", "Source", "State"),
    "digital_input": ("tns1:Device/Trigger/DigitalInput", "InputToken", "LogicalState"),
    "storage_failure": ("tns1:Device/HardwareFailure/StorageFailure", "Token", "Failed"),
}
"""Kind → (topic, name of its source, name of its state)."""


class Fault(Exception):
    """An answer of SOAP that says no. subcode: one of ONVIF's, such as `NotAuthorized`."""

    def __init__(self, subcode: str, words: str) -> None:
        self.subcode, self.words = subcode, words
        super().__init__(words)


@dataclass(slots=True)
class _Subscription:
    waiting: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Subscriptions:
    """Who listens to a server's cameras, and what they are told."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], bool] = {}
        """(camera, kind) → state."""
        self._open: dict[str, _Subscription] = {}
        self._numbers = itertools.count(1)
        self.opened = 0

    def open(self) -> str:
        """Begin a subscription; return its name."""
        name = f"s{next(self._numbers)}"
        self._open[name] = _Subscription()
        self.opened += 1
        return name

    def lose(self) -> None:
        """Forget all subscriptions, as a restart does."""
        for subscription in self._open.values():
            subscription.news.set()
        self._open.clear()

    def set(self, camera: str, kind: str, state: bool, now: datetime) -> None:
        """Tell a state where it is a new one."""
        if self.states.get((camera, kind), False) == state and (camera, kind) in self.states:
            return
        self.states[camera, kind] = state
        for subscription in self._open.values():
            subscription.waiting.append(_message(camera, kind, state, "Changed", now))
            subscription.news.set()

    async def answer(self, name: str, call: str, asked: ElementTree.Element, now: datetime) -> str:
        """Answer a call to a subscription's own address. Raises Fault for one that is not open."""
        subscription, written = self._open.get(name), f"{now:%Y-%m-%dT%H:%M:%SZ}"
        if subscription is None:
            raise Fault("ResourceUnknown", f"there is no subscription {name}")
        if call == "PullMessages":
            if not subscription.waiting:
                subscription.news.clear()
                try:
                    async with asyncio.timeout(_seconds(asked)):
                        await subscription.news.wait()
                except TimeoutError:
                    pass
            if name not in self._open:
                raise Fault("ResourceUnknown", f"there is no subscription {name} any more")
            messages, subscription.waiting = subscription.waiting, []
            return (
                f"<tev:PullMessagesResponse><tev:CurrentTime>{written}</tev:CurrentTime><tev:TerminationTime>"
                f"{written}</tev:TerminationTime>{''.join(messages)}</tev:PullMessagesResponse>"
            )
        if call == "SetSynchronizationPoint":
            subscription.waiting += [
                _message(camera, kind, state, "Initialized", now)
                for (camera, kind), state in self.states.items()
            ]
            return "<tev:SetSynchronizationPointResponse/>"
        if call == "Renew":
            ends = f"<wsnt:TerminationTime>{written}</wsnt:TerminationTime>"
            return f"<wsnt:RenewResponse>{ends}</wsnt:RenewResponse>"
        if call == "Unsubscribe":
            del self._open[name]
            return "<wsnt:UnsubscribeResponse/>"
        raise Fault("ActionNotSupported", f"{call} is not implemented")


def _seconds(asked: ElementTree.Element) -> float:
    text = next((each.text or "" for each in asked.iter() if each.tag.endswith("}Timeout")), "")
    try:
        return min(LONGEST_S, float(text.strip().removeprefix("PT").removesuffix("S")))
    except ValueError:
        return 1.0


def _message(camera: str, kind: str, state: bool, operation: str, now: datetime) -> str:
    topic, source, name = TOPICS[kind]
    return (
        '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"{topic}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{now:%Y-%m-%dT%H:%M:%SZ}" PropertyOperation="{operation}">'
        f'<tt:Source><tt:SimpleItem Name="{source}" Value="{camera}"/></tt:Source>'
        f'<tt:Data><tt:SimpleItem Name="{name}" Value="{str(state).lower()}"/></tt:Data>'
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )
