"""Commands to devices: what is published, and how the device's own answer is told from others'.

MQTT 5 joins an answer to its command by correlation data (4.10); for 3.1.1 the payload repeats the
command's `{id}`, where the profile says so.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from protocols.errors import ConfigError, Mistake
from protocols.field.base import BoundPoint
from protocols.field.filling import fill_device
from protocols.field.mqtt.payload import MISSING, Path, compile_path, fill_template, find, parse
from protocols.field.mqtt.routes import check_topic
from protocols.model.address.mqtt import MqttAddress


@dataclass(frozen=True, slots=True)
class Command:
    """How a point is written."""

    topic: str
    template: str
    response_topic: str
    response_path: Path
    response_ok: str
    response_id_path: Path

    def payload(self, value: float | str, point: BoundPoint, number: str) -> str:
        """Return what is published; `{id}` is the command's own number."""
        return fill_template(self.template, value, point.profile.type).replace("{id}", number)


@dataclass(slots=True)
class Asked:
    """A command on its way, and the answer to it."""

    command: Command
    number: str = field(default_factory=lambda: secrets.token_hex(8))
    answer: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """"" when it was done, else what the device said."""

    def properties(self, expires_s: float) -> Properties:
        """Return the properties of MQTT 5: where to answer, and until when the command holds."""
        made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        made.MessageExpiryInterval = max(1, round(expires_s))
        if self.command.response_topic:
            made.ResponseTopic = self.command.response_topic
            made.CorrelationData = self.number.encode()
        return made

    def hear(self, topic: str, payload: bytes, correlation: bytes | None) -> bool:
        """Take a message if it is the answer; return whether it was."""
        if topic != self.command.response_topic or self.answer.done():
            return False
        document = parse(payload)
        if correlation is not None:
            if correlation != self.number.encode():
                return False
        elif self.command.response_id_path and find(document, self.command.response_id_path) != self.number:
            return False
        path = self.command.response_path
        found = find(document, path) if path else document
        if found is MISSING:
            found = payload.decode("utf-8", "replace")
        word = ("true" if found else "false") if isinstance(found, bool) else str(found).strip()
        self.answer.set_result("" if word.lower() == self.command.response_ok.lower() else word[:200])
        return True


def command_of(point: BoundPoint, address: MqttAddress, name: str) -> Command:
    """Return how a point is written. Raises ConfigError for topics that cannot be published to."""
    topics = {
        "command_topic": fill_device(point, address.command_topic, name),
        "response_topic": fill_device(point, address.response_topic, name),
    }
    mistakes = []
    for word, topic in topics.items():
        try:
            if topic:
                check_topic(topic)
        except ValueError as error:
            place = f"points.{point.profile.key}.mqtt.{word}"
            mistakes.append(
                Mistake(f"device {point.device}", 0, 0, place, str(error), "a topic without wildcards",
                        "name one topic")
            )  # fmt: skip
    if mistakes:
        raise ConfigError(mistakes)
    return Command(
        topics["command_topic"],
        fill_device(point, address.command_template, name),
        topics["response_topic"],
        compile_path(address.response_path),
        address.response_ok,
        compile_path(address.response_id_path),
    )
