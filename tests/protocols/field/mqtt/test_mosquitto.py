"""Against Mosquitto, a broker that we did not write: MQTT 5, TLS, sessions, answers, faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.tools.scan import scan_mqtt
from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout, Rejected
from protocols.field.base import BoundDevice
from protocols.field.mqtt.broker import BrokerSettings, ended
from protocols.field.scanning import Found
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from tests.protocols.field.contract import DriverContract, Harness
from tests.protocols.field.devices import Listening, bind, driver, listening, profile
from tests.protocols.field.mqtt.harness import MqttHarness
from tests.protocols.field.mqtt.mosquitto import PASSWORD, PASSWORDS, PROGRAM, USER, Mosquitto
from tests.protocols.field.proxy import Proxy

pytestmark = pytest.mark.skipif(not (PROGRAM and PASSWORDS), reason="mosquitto is not installed")
LOST = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A running Mosquitto."""
    made = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    made.start()
    yield made
    made.kill()


class MosquittoHarness(MqttHarness):
    """The harness of MQTT on Mosquitto, by MQTT 5."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__()
        self._mosquitto = broker

    async def start(self) -> int:
        self.begin()
        self.port = self._mosquitto.plain
        await self.attend()
        return self.port

    async def stop(self) -> None:
        await self.leave()
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            for topic in ("state", "bare", "junk"):
                await client.publish(f"plant/P1/{topic}", b"", qos=1, retain=True)

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port, "version": "5"}


class TestMqtt5(DriverContract):
    @pytest.fixture
    async def harness(self, broker: Mosquitto) -> AsyncIterator[Harness]:
        async with MosquittoHarness(broker).running() as harness:
            yield harness


def device(*points: dict[str, Any], **rest: Any) -> BoundDevice:
    """Return a device named D on topics of its own."""
    return bind(profile("mqtt", points, **rest), {"device": "D"})


@asynccontextmanager
async def another(broker: Mosquitto, **more: Any) -> AsyncIterator[aiomqtt.Client]:
    """Connect as a device does."""
    version = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client("127.0.0.1", broker.plain, protocol=version, **more) as client:
        yield client


async def refusal(broker: Mosquitto, **settings: Any) -> tuple[str, int]:
    """Return why a connection cannot be opened: the words, and the quality."""
    made = driver("mqtt", broker.settings(**settings))
    said = ("", 0)
    try:
        await made.open()
    except ConnectionLost as error:
        said = str(error), error.quality
    await made.close()
    return said


async def say(client: aiomqtt.Client, topic: str, payload: Any, heard: Listening, until: Any) -> None:
    """Publish until it is heard: a listener that has just begun may not have subscribed yet."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await client.publish(topic, payload, qos=1)
            try:
                await heard.until(until, 0.2)
            except TimeoutError:
                continue
            return


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
async def test_tls_and_client_certificates(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    at = broker.folder
    own: dict[str, Any] = {
        "ca_file": at / "ca.pem",
        "cert_file": at / "client.pem",
        "key_file": at / "client.key",
    }
    opens = {**own, "key_password_file": at / "key-password"}
    trusted: tuple[dict[str, Any], ...] = (
        {"port": broker.tls, "ca_file": own["ca_file"]}, {"port": broker.mutual, **opens},
    )  # fmt: skip
    for accepted in trusted:
        made = driver("mqtt", broker.settings(tls=True, **accepted))
        await made.open()
        await made.close()
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"port": broker.tls}, "its certificate is not trusted"),
        ({"port": broker.tls, "ca_file": at / "other.pem"}, "its certificate is not trusted"),
        ({"port": broker.tls, "ca_file": at / "no.pem"}, "no.pem cannot be used"),
        ({"port": broker.mutual, **own}, "client.pem cannot be used"),
    )
    for more, words in refused:
        assert words in (await refusal(broker, tls=True, **more))[0]
    monkeypatch.setenv("TEST_BROKER_PASSWORD", PASSWORD)
    made = driver(
        "mqtt", broker.settings(port=broker.signed, username=USER, password_env="TEST_BROKER_PASSWORD")
    )
    await made.open()
    await made.close()
    monkeypatch.setenv("TEST_BROKER_PASSWORD", "wrong")
    said = await refusal(broker, port=broker.signed, username=USER, password_env="TEST_BROKER_PASSWORD")
    assert said[1] == Quality.BAD_USER_ACCESS_DENIED
    monkeypatch.delenv("TEST_BROKER_PASSWORD")
    said = await refusal(broker, port=broker.signed, username=USER, password_env="TEST_BROKER_PASSWORD")
    assert "TEST_BROKER_PASSWORD is not set" in said[0]


async def test_two_clients_under_one_id_are_said(broker: Mosquitto) -> None:
    point = device({"key": "x", "mqtt": {"topic": "id/x"}})
    first, second = (driver("mqtt", broker.settings(client_id="same"), point) for _ in range(2))
    await first.open()
    heard = Listening(first)
    await second.open()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ConnectionLost, match="gateway's client id 'same'; if a second gateway"):
            await heard.task
    await first.close()
    await second.close()


def test_a_session_that_is_taken_over_is_told_with_its_repair() -> None:
    settings = BrokerSettings(host="h", client_id="gw-north-b")
    taken = ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)
    said = ended(settings, aiomqtt.MqttCodeError(taken))
    assert said.startswith(
        "another client has signed in under this gateway's client id 'gw-north-b'; if a sec"
    )


async def test_what_comes_while_we_are_away_is_kept_if_it_tells_its_time(broker: Mosquitto) -> None:
    points = (
        {"key": "dated", "mqtt": {"topic": "away/dated", "json_path": "v", "time_path": "ts"}},
        {"key": "undated", "mqtt": {"topic": "away/undated"}},
    )
    settings = broker.settings(client_id="gw-away")
    async with another(broker) as client:
        async with listening(driver("mqtt", settings, device(*points))) as heard:
            await say(client, "away/undated", b"1", heard, lambda h: 1 in h.last())
        then = now_us() // 1000 - 1000
        await client.publish("away/dated", json.dumps({"v": 7, "ts": then}), qos=1)
        await client.publish("away/undated", b"2", qos=1)
        async with listening(driver("mqtt", settings, device(*points))) as heard:
            await heard.until(lambda h: heard.last().get(0) == (7.0, Quality.GOOD), PATIENCE_S)
            assert heard.all().time_us.tolist() == [then * 1000]
            await say(client, "away/undated", b"3", heard, lambda h: 1 in h.last())
            assert heard.last()[1] == (3.0, Quality.GOOD)
        end = driver("mqtt", {**settings, "session_s": 0}, device(*points))
        await end.open()
        await end.close()


ANSWERED = {
    "topic": "cmd/{device}/state", "json_path": "v", "command_topic": "cmd/{device}/set",
    "command_template": '{"v": {value}, "id": "{id}"}', "response_topic": "cmd/{device}/done",
    "response_path": "result", "response_id_path": "id",
}  # fmt: skip


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_devices_own_answer_is_told_from_others(broker: Mosquitto, version: str) -> None:
    async def obey(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            order = json.loads(message.payload)
            if order["v"] == 4:
                continue
            data = getattr(message.properties, "CorrelationData", None)
            answer = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if data is not None:
                answer.CorrelationData = b"somebody else's"
                assert getattr(message.properties, "ResponseTopic", None) == "cmd/D/done"
            stranger = {"id": "somebody else's", "result": "no such pump"}
            await client.publish("cmd/D/done", json.dumps(stranger), qos=1, properties=answer)
            if data is not None:
                answer.CorrelationData = data
            result = {"id": order["id"], "result": "ok" if order["v"] < 9 else "interlock"}
            await client.publish("cmd/D/done", json.dumps(result), qos=1, properties=answer)
            if order["v"] < 9:
                await client.publish("cmd/D/state", json.dumps({"v": order["v"]}), qos=1)

    point = device({"key": "x", "writable": True, "mqtt": ANSWERED})
    async with another(broker) as client:
        await client.subscribe("cmd/D/set", qos=1)
        obeying = asyncio.create_task(obey(client))
        made = driver("mqtt", broker.settings(version=version), point)
        async with listening(made) as heard:
            await client.publish("cmd/D/state", b'{"v": 1}', qos=1, retain=True)
            await heard.until(lambda h: h.seen, PATIENCE_S)
            assert await made.write(point.points[0], 5.0) == 5.0
            with pytest.raises(DeviceRefused, match="interlock"):
                await made.write(point.points[0], 9.0)
            made._report_s = {"device1": 0.2}  # type: ignore[attr-defined]
            with pytest.raises(DeviceTimeout, match="did not answer the command"):
                await made.write(point.points[0], 4.0)
        obeying.cancel()
        await asyncio.gather(obeying, return_exceptions=True)
        await client.publish("cmd/D/state", b"", qos=1, retain=True)


async def test_a_will_makes_its_device_uncertain(broker: Mosquitto) -> None:
    state = {"topic": "will/{device}/lwt", "json_path": "online"}
    point = device({"key": "x", "mqtt": {"topic": "will/{device}/x"}}, mqtt_state=state)
    async with listening(driver("mqtt", broker.settings(), point)) as heard:
        line = Proxy(broker.plain)
        await line.start()
        will = aiomqtt.Will("will/D/lwt", b'{"online": false}', 1)
        client = aiomqtt.Client("127.0.0.1", line.port, will=will)
        await client.__aenter__()
        await say(client, "will/D/x", b"3", heard, lambda h: h.last().get(0) == (3.0, Quality.GOOD))
        await line.cut()
        await heard.until(lambda h: h.last()[0] == (3.0, LOST), PATIENCE_S)
        with suppress(aiomqtt.MqttError):
            await client.__aexit__(None, None, None)
        async with another(broker) as again:
            await again.publish("will/D/lwt", b'{"online": true}', qos=1)
            await again.publish("will/D/x", b"4", qos=1)
        await heard.until(lambda h: h.last()[0] == (4.0, Quality.GOOD), PATIENCE_S)


async def test_gateways_of_a_group_share_the_messages(broker: Mosquitto) -> None:
    points = [{"key": "x", "mqtt": {"topic": "shared/x"}}]
    settings = broker.settings(share="gateways")
    one, two = (driver("mqtt", settings, device(*points)) for _ in range(2))
    async with listening(one) as first, listening(two) as second, another(broker) as client:
        # Until both have subscribed, the one that has gets everything.
        sent = 0
        async with asyncio.timeout(PATIENCE_S):
            while not (first.seen and second.seen):
                await client.publish("shared/x", str(sent).encode(), qos=1)
                sent += 1
                await asyncio.sleep(0)
        for _ in range(20):
            await client.publish("shared/x", str(sent).encode(), qos=1)
            sent += 1
        for _ in range(600):
            if len(first.all()) + len(second.all()) == sent:
                break
            await asyncio.sleep(0.1)
        values = [*first.all().value.tolist(), *second.all().value.tolist()]
        assert sorted(values) == [float(number) for number in range(sent)], "each message went to one of them"


async def test_a_broker_that_restarts_is_lost_and_found(tmp_path: Path) -> None:
    own = Mosquitto(tmp_path)
    own.start()
    try:
        point = device({"key": "x", "mqtt": {"topic": "restart/x"}})
        made = driver("mqtt", own.settings(), point)
        async with listening(made) as heard:
            async with another(own) as client:
                await client.publish("restart/x", b"1", qos=1, retain=True)
                await heard.until(lambda h: h.seen, PATIENCE_S)
            own.kill()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ConnectionLost):
                    await heard.task
            assert heard.last()[0] == (1.0, LOST)
        own.start()
        async with listening(driver("mqtt", own.settings(), point)) as heard, another(own) as client:
            await client.publish("restart/x", b"2", qos=1, retain=True)
            await heard.until(lambda h: h.last().get(0, (0, 0))[0] == 2.0, PATIENCE_S)
    finally:
        own.kill()


async def test_a_line_that_went_dead_without_a_word_is_noticed(broker: Mosquitto) -> None:
    line = Proxy(broker.plain)
    await line.start()
    try:
        point = device({"key": "x", "mqtt": {"topic": "half/x"}})
        made = driver("mqtt", {**broker.settings(keep_alive_s=5), "port": line.port}, point)
        async with listening(made) as heard, another(broker) as client:
            await client.publish("half/x", b"1", qos=1, retain=True)
            await heard.until(lambda h: h.seen, PATIENCE_S)
            line.hold()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(ConnectionLost):
                    await heard.task
            assert heard.last()[0] == (1.0, LOST)
            await client.publish("half/x", b"", qos=1, retain=True)
    finally:
        await line.cut()


async def test_a_scan_takes_the_same_security(broker: Mosquitto) -> None:
    found = []
    async with another(broker) as client:
        await client.publish("scan/x", b"21.5", qos=1, retain=True)
        events = scan_mqtt(
            "127.0.0.1", broker.tls, tls=True, ca_file=broker.folder / "ca.pem", topic="scan/#", seconds=0.3
        )
        found = [event async for event in events if isinstance(event, Found)]
        await client.publish("scan/x", b"", qos=1, retain=True)
    assert [one.key for one in found] == ["scan/x"]
    assert found[0].suggestion["connections"]["settings"]["tls"] is True
    with pytest.raises(Rejected, match="add `tls: true`"):
        await anext(scan_mqtt("127.0.0.1", broker.tls, ca_file=broker.folder / "ca.pem"))
