"""Devices that join by themselves, on a real broker: under a rule, with what they said, and bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest
import yaml

from edge.adoption import MOST_REFUSED, Adopter
from edge.app import Gateway
from edge.config.adopting import FILE, read_book
from edge.opening import open_plan
from protocols.errors import ConfigError
from protocols.model.clock import now_us
from protocols.model.manifest import Manifest
from protocols.model.quality import Quality
from tests.edge.cli.conftest import asked
from tests.edge.house import running, until
from tests.protocols.field.mqtt.mosquitto import PASSWORDS, PROGRAM, Mosquitto

mosquitto = pytest.mark.skipif(not (PROGRAM and PASSWORDS), reason="mosquitto is not installed")
NAME = {"zh": "空气站", "en": "Air station"}
PROFILE = {
    "id": "test.air", "vendor": "Test", "model": "A1", "name": NAME, "version": 1, "kind": "station",
    "protocol": "mqtt",
    "points": [
        {"key": "level", "name": NAME, "type": "f64", "mqtt": {"topic": "p/{device}/v", "json_path": "v"}},
        {"key": "hello", "name": NAME, "type": "text", "mqtt": {"topic": "p/{device}/status"}},
    ],
}  # fmt: skip
RULE: dict[str, Any] = {
    "key": "air", "connection": "broker", "site": "site-a", "profile": "test.air", "topic": "p/{device}/#",
    "allow": ["air-*"], "deny": ["air-9*"], "most": 3,
    "name": {"zh": "空气站 {device}", "en": "Air station {device}"},
}  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A running Mosquitto."""
    made = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    made.start()
    yield made
    made.kill()


def write(folder: Path, port: int = 1, **rule: Any) -> Path:
    """Write a gateway file with one declared device and the rule; return it."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "test.air.yaml").write_text(yaml.safe_dump(PROFILE), encoding="utf-8")
    settings = {"host": "127.0.0.1", "port": port, "version": "5", "session_s": 0}
    device = {"key": "first", "site": "site-a", "name": NAME, "connection": "broker", "profile": "test.air",
              "params": {"device": "first"}}  # fmt: skip
    data = {
        "gateway": {"id": "gw-test", "name": NAME}, "state_dir": "state", "profiles": "profiles",
        "page": {"enabled": False},
        "sites": [{"key": "site-a", "name": NAME, "kind": "station", "lon": 121.4, "lat": 31.2}],
        "connections": [{"key": "broker", "protocol": "mqtt", "settings": settings}],
        "devices": [device], "adoptions": [{**RULE, **rule}],
    }  # fmt: skip
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


def value(gateway: Gateway, point: str) -> float | None:
    """Return the newest number of `device.point`; None where there is no such point, or it was not heard."""
    index = gateway.house.plan.indexes.get(point)
    shaper = gateway.house.pipeline.shaper
    if index is None or not shaper.latest_us[index] or shaper.latest_quality[index] >= Quality.BAD:
        return None
    return float(shaper.latest_value[index])


@asynccontextmanager
async def client(broker: Mosquitto) -> AsyncIterator[aiomqtt.Client]:
    """Speak as devices do, and leave nothing retained."""
    topics = set()
    async with aiomqtt.Client("127.0.0.1", broker.plain) as made:
        publish = made.publish

        async def noted(topic: str, payload: bytes, **more: Any) -> None:
            topics.add(topic)
            await publish(topic, payload, **more)

        made.publish = noted  # type: ignore[method-assign, assignment]
        yield made
        for topic in topics:
            await publish(topic, b"", qos=1, retain=True)


async def online(gateway: Gateway, made: aiomqtt.Client) -> None:
    """Wait until the gateway hears its declared device."""
    async with asyncio.timeout(60):
        while value(gateway, "first.level") is None:
            await made.publish("p/first/v", b'{"v": 1}', qos=1)
            await asyncio.sleep(0.05)


@mosquitto
async def test_a_device_that_speaks_joins_with_what_it_said(broker: Mosquitto, tmp_path: Path) -> None:
    path = write(tmp_path, broker.plain)
    async with client(broker) as device:
        await device.publish("p/air-1/v", b'{"v": 11}', qos=1, retain=True)
        async with running(path) as gateway:
            await online(gateway, device)
            await until(lambda: value(gateway, "air-1.level") == 11)
            session, declared = gateway.house.sessions["broker"], gateway.plan.declaration
            # One message that nobody retains, from a device that is heard for the first time.
            await device.publish("p/air-2/v", b'{"v": 22}', qos=1)
            await device.publish("p/stranger/v", b'{"v": 1}', qos=1)
            await device.publish("p/air-99/v", b'{"v": 1}', qos=1)
            await until(lambda: value(gateway, "air-2.level") == 22)
            await device.publish("p/air-2/v", b'{"v": 23}', qos=1)
            await until(lambda: value(gateway, "air-2.level") == 23)
            await device.publish("p/first/v", b'{"v": 2}', qos=1)
            await until(lambda: value(gateway, "first.level") == 2)
            assert session is gateway.house.sessions["broker"]
            assert session.losses == 0, "the line stayed open"
            assert {one.name: one.code for one in gateway.house.adopter.refused()} == {
                "stranger": "not-allowed", "air-99": "denied",
            }  # fmt: skip
            assert gateway.plan.declaration != declared
            assert gateway.house.settings.status().state == "same", "no configuration was changed"
    joined = {
        device.key: device for device in msgspec.json.decode(open_plan(path).declared, type=Manifest).devices
    }
    assert list(joined) == ["first", "air-1", "air-2", "_gateway"]
    assert joined["air-2"].name_zh == "空气站 air-2"
    async with running(path) as gateway:
        assert value(gateway, "air-2.level") is None
        async with client(broker) as device:
            async with asyncio.timeout(60):
                while value(gateway, "air-2.level") != 24:
                    await device.publish("p/air-2/v", b'{"v": 24}', qos=1)
                    await asyncio.sleep(0.05)


@mosquitto
async def test_a_forgotten_device_returns_when_it_speaks_itself(broker: Mosquitto, tmp_path: Path) -> None:
    path = write(tmp_path, broker.plain)
    async with client(broker) as device:
        await device.publish("p/air-1/v", b'{"v": 11}', qos=1, retain=True)
        async with running(path) as gateway:
            await until(lambda: value(gateway, "air-1.level") == 11)
            await device.publish("p/air:99/v", b'{"v": 1}', qos=1)
            await device.publish("p/\u7a7a/v", b'{"v": 1}', qos=1)
            await until(lambda: len(gateway.house.adopter.refused()) == 2)
            listed = await asyncio.to_thread(asked, "adopted", path, folder=tmp_path)
            assert "air-1: rule air, 'air-1' in its topics, since " in listed.stdout
            assert "not 'air:99': rule air; no pattern under `allow` matches this name" in listed.stdout
            told = await asyncio.to_thread(asked, "adopted", path, "--json", folder=tmp_path)
            assert json.loads(told.stdout)["rules"][0]["joined"] == 1
            forgot = await asyncio.to_thread(asked, "adopted", path, "--forget", "air-1", folder=tmp_path)
            assert forgot.returncode == 0, forgot.stderr
            assert "air-1.level" not in gateway.plan.indexes
            again = await asyncio.to_thread(asked, "adopted", path, "--forget", "air-1", folder=tmp_path)
            assert (again.returncode, "no device 'air-1'" in again.stderr) == (1, True)
            await online(gateway, device)  # what is retained has come again by now
            assert read_book(tmp_path / "state").devices == ()
            assert value(gateway, "air-1.level") is None
            await device.publish("p/air-1/v", b'{"v": 12}', qos=1)
            await until(lambda: value(gateway, "air-1.level") == 12)


def adopter(folder: Path, **rule: Any) -> Adopter:
    """Return an adopter that judges by the rule."""
    made = Adopter(folder / "state", now_us)
    made.follow(open_plan(write(folder, **rule)))
    return made


def test_hostile_names_and_floods_are_refused(tmp_path: Path) -> None:
    made = adopter(tmp_path, allow=["*"], deny=[], most=2)
    hostile = ["../../etc", "空气", "a" * 64, "-x", "a\0b", "\x1b[31m", "{device}", "_gateway", "a\nb", ""]
    assert [name for name in hostile if made.welcome("air", name, False)] == []
    assert {one.code for one in made.refused()} == {"name"}
    assert all(one.name.isprintable() for one in made.refused())
    assert "declare it under `devices:`" in made.refused()[0].why
    assert made.welcome("air", "AA:BB:01", False)
    assert not made.welcome("air", "aa.bb.01", False), "makes the same key"
    assert not made.welcome("air", "FIRST", False), "the key of a declared device"
    assert made.welcome("air", "two", False)
    assert [made.welcome("air", f"more-{i}", False) for i in range(1000)] == [False] * 1000
    refused = made.refused()
    assert len(refused) == MOST_REFUSED
    assert len(refused) + made.refused_more == 1000 + len(hostile) + 2
    assert {one.code for one in refused} == {"name", "taken", "full"}
    assert made.welcome("air", "two", True), "it waits already: its messages are kept"


def test_nobody_joins_while_the_rule_is_off(tmp_path: Path) -> None:
    made = adopter(tmp_path, enabled=False)
    assert not made.welcome("air", "air-1", False)
    assert not made.welcome("other", "air-1", False)
    assert made.refused() == []
    assert open_plan(write(tmp_path, enabled=False)).connections[0].watches == ()


def test_who_has_joined_follows_the_rule_as_it_is_now(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    names = ["air-1", "air-2", "air-3", "air-4", "air-99", "first"]
    book = {"devices": [{"rule": "air", "name": name, "adopted_us": 1} for name in names]}
    (tmp_path / "state" / FILE).write_text(json.dumps(book))

    def keys(**rule: Any) -> list[str]:
        return [device.key for device in open_plan(write(tmp_path, **rule)).loaded.entry.devices]

    assert keys() == ["first", "air-1", "air-2", "air-3"], "three at most, and none denied"
    checked = asked("check", "gateway.yaml", folder=tmp_path).stdout
    assert "rule air                 test.air                 joins by itself at p/{device}/#" in checked
    assert keys(deny=["air-2"], enabled=False) == ["first", "air-1", "air-3", "air-4"]
    assert keys(key="other") == ["first"]
    (tmp_path / "state" / FILE).write_text("{")
    assert keys() == ["first"], "a damaged file is nobody: they join again when they speak"


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        ({"topic": "p/+/status"}, "topic", "does not hold `{device}` just once"),
        ({"topic": "p/{device}/{device}"}, "topic", "does not hold `{device}` just once"),
        ({"topic": "p/#/{device}"}, "topic", "is no topic filter"),
        ({"connection": "brocker"}, "connection", "does not exist"),
        ({"site": "site-b"}, "site", "does not exist"),
        ({"profile": "test.ai"}, "profile", "does not exist"),
        ({"profile": "city.booster_station"}, "profile", "is for sparkplug"),
        ({"most": 0}, "most", "0"),
        ({"allow": []}, "allow", "1"),
    ],
)
def test_a_wrong_rule_is_told_with_its_place(
    tmp_path: Path, rule: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_plan(write(tmp_path, **rule))
    assert [one.path for one in caught.value.mistakes] == [f"adoptions[0].{path}"]
    assert words in str(caught.value)


def test_a_profile_that_does_not_use_the_name_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    profile = tmp_path / "profiles" / "test.air.yaml"
    profile.write_text(profile.read_text(encoding="utf-8").replace("p/{device}/v", "p/+/v"), encoding="utf-8")
    with pytest.raises(ConfigError, match="all devices of the rule would share it"):
        open_plan(path)
