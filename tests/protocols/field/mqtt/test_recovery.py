"""What a line to Mosquitto bears by itself: other certificates, a broker that restarts, a clock that jumps.

The quality of every reading was true all along.
"""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from edge.config.bind import BoundConnection
from edge.poller import Poller
from edge.session import Session
from protocols.field.base import BoundDevice
from protocols.field.mqtt.driver import MqttDriver, MqttSettings
from protocols.model.clock import SECOND_US, now_us
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.protocols.field.devices import Listening, bind, driver, profile
from tests.protocols.field.mqtt.mosquitto import PASSWORDS, PROGRAM, Mosquitto

pytestmark = pytest.mark.skipif(not (PROGRAM and PASSWORDS), reason="mosquitto is not installed")
LOST = int(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
GOOD = int(Quality.GOOD)
PATIENCE_S = 60.0
POINTS: tuple[dict[str, Any], ...] = (
    {"key": "x", "mqtt": {"topic": "r/x"}},
    {"key": "dated", "mqtt": {"topic": "r/dated", "json_path": "v", "time_path": "ts"}},
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto of the test's own, which it may stop."""
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.kill()


class Line:
    """A session as a gateway runs it, and everything that it has read."""

    def __init__(self, settings: dict[str, Any], device: BoundDevice) -> None:
        self.seen: list[Readings] = []
        connection = BoundConnection("broker", MqttDriver, MqttSettings.model_validate(settings), (device,))
        self.session = Session(connection, self.seen.append)
        self._poller = Poller(self.session, {"fast": 1, "normal": 5, "slow": 60})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep it open, whatever happens to it."""
        task = asyncio.create_task(self.session.run(self._poller.work))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def told(self) -> list[tuple[float, int]]:
        """Return (value, quality) of everything that was read, without what repeats itself."""
        found: list[tuple[float, int]] = []
        for part in self.seen:
            for one in zip(part.value.tolist(), part.quality.tolist(), strict=True):
                if one[0] == one[0] and (not found or found[-1] != one):
                    found.append(one)
        return found


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def say(broker: Mosquitto, line: Line, number: int) -> None:
    """Publish a number as a device does, until the line has it."""
    async with aiomqtt.Client("127.0.0.1", broker.plain) as client, asyncio.timeout(PATIENCE_S):
        while (float(number), GOOD) not in line.told():
            await client.publish("r/x", str(number).encode(), qos=1)
            await asyncio.sleep(0.05)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
async def test_certificates_are_renewed_and_replaced(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.session._MAX_PAUSE_S", 0.2)
    shutil.copy(tmp_path / "ca.pem", tmp_path / "trusted.pem")
    settings = broker.settings(
        port=broker.mutual, tls=True, ca_file=tmp_path / "trusted.pem", cert_file=tmp_path / "client.pem",
        key_file=tmp_path / "client.key", key_password_file=tmp_path / "key-password",
    )  # fmt: skip
    line = Line(settings, bind(profile("mqtt", [{"key": "x", "mqtt": {"topic": "r/x"}}]), {}))
    session = line.session
    async with line.running():
        await say(broker, line, 1)

        broker.kill()
        broker.city.issue(tmp_path, "server")
        broker.city.issue(tmp_path, "client")
        broker.start()
        await say(broker, line, 2)

        broker.kill()
        broker.other.issue(tmp_path, "client")  # read anew at the next connect: the broker refuses it
        broker.start()
        await until(lambda: "client certificate" in session.reason)
        assert session.state != "online"
        broker.city.issue(tmp_path, "client")
        await say(broker, line, 3)

        broker.kill()
        broker.other.issue(tmp_path, "server")
        broker.start()
        await until(lambda: "its certificate is not trusted" in session.reason)
        assert "ca_file" in session.reason
        (tmp_path / "trusted.pem").write_bytes(broker.other.pem)
        await say(broker, line, 4)
    assert line.told() == [(1, GOOD), (1, LOST), (2, GOOD), (2, LOST), (3, GOOD), (3, LOST), (4, GOOD)]
    gc.collect()


async def test_a_broker_that_restarts_keeps_the_session_and_what_came_meanwhile(broker: Mosquitto) -> None:
    line = Line(broker.settings(client_id="gw-r"), bind(profile("mqtt", POINTS), {}))
    async with line.running():
        await say(broker, line, 1)
        broker.stop()
        await until(lambda: line.session.state != "online")
        broker.start()
        then = now_us() // SECOND_US - 1
        # Most of the time the gateway is not back yet: the broker remembers what it had subscribed to.
        async with aiomqtt.Client("127.0.0.1", broker.plain) as client:
            await client.publish("r/dated", json.dumps({"v": 7, "ts": then}).encode(), qos=1)
        await until(lambda: (7.0, GOOD) in line.told())
        await say(broker, line, 2)
    assert line.told() == [(1, GOOD), (1, LOST), (7, GOOD), (2, GOOD)]
    whole = Readings.concat(line.seen)
    assert whole.time_us[whole.value == 7].tolist() == [then * SECOND_US]


async def test_a_clock_that_jumps_ends_nothing(broker: Mosquitto) -> None:
    hour_us = 3600 * SECOND_US
    jump_us = 0
    made = driver(
        "mqtt", broker.settings(keep_alive_s=5), bind(profile("mqtt", POINTS), {}),
        clock=lambda: now_us() + jump_us,
    )  # fmt: skip
    await made.open()
    heard = Listening(made)
    try:
        async with aiomqtt.Client("127.0.0.1", broker.plain) as client:
            for number, jump_us in enumerate((0, hour_us, -hour_us)):
                then = now_us() // SECOND_US
                async with asyncio.timeout(PATIENCE_S):
                    while heard.seen == [] or heard.last().get(0) != (float(number), GOOD):
                        await client.publish("r/x", str(number).encode(), qos=1)
                        await asyncio.sleep(0.05)
                await client.publish("r/dated", json.dumps({"v": number, "ts": then}).encode(), qos=1)
                await heard.until(lambda h, n=number: h.last().get(1) == (float(n), GOOD), PATIENCE_S)
                whole = heard.all()
                own = whole.time_us[whole.point == 0][-1] - (now_us() + jump_us)
                assert abs(own) < PATIENCE_S * SECOND_US, "the gateway's own time where there is no other"
                assert whole.time_us[whole.point == 1][-1] == then * SECOND_US
            assert not heard.task.done()
    finally:
        await heard.stop()
        await made.close()
