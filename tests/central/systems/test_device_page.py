"""A device's story in one order, page by page; its silence from its readings; who shares its bus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from central.security.roles import Role
from central.systems.monitoring.device_story import changes
from central.systems.monitoring.neighbours import bus_of
from protocols.model.alarm import AlarmEvent
from protocols.wire.channels import CONFIG as CONFIG_AT
from protocols.wire.handshake import ConfigStatus, RunningConfig
from tests.central.link.test_statuses import Teller, status
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import API, Running

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
CONFIG = """
connections: [{key: line-1, protocol: modbus}, {key: line-2, protocol: opcua}]
devices: [{key: well, connection: line-1}, {key: pump1, connection: line-1}, {key: air, connection: line-2}]
"""


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def test_silence_and_bad_answers_are_seen_in_the_minutes() -> None:
    minutes = [(minute(n), n not in (3, 4)) for n in (0, 1, 2, 3, 4, 5, 20, 21)]
    found = changes(minutes, timedelta(minutes=2), minute(40))
    assert [(one.at, one.body["from"], one.body["to"]) for one in found] == [
        (minute(3), "active", "fault"),
        (minute(5), "fault", "active"),
        (minute(6), "active", "stale"),
        (minute(20), "stale", "active"),
        (minute(22), "active", "stale"),
    ]
    assert changes([], timedelta(minutes=2), minute(9)) == []


@pytest.mark.parametrize("text", ["", "- 1", "devices: 7", "devices: [{key: well}]", "a: [", "a: 2026-99-99"])
def test_a_configuration_that_says_nothing_of_a_device_has_no_bus(text: str) -> None:
    assert bus_of(text, "well") is None


def test_the_bus_is_that_of_the_connection() -> None:
    bus = bus_of(CONFIG, "well")
    assert bus is not None
    assert (bus.connection, bus.protocol, bus.devices) == ("line-1", "modbus", frozenset({"well", "pump1"}))


async def test_the_story_of_a_device_comes_page_by_page(city: Running, gateway: FieldGateway) -> None:
    at = city.clock()
    await gateway.alarm("a1", 1, AlarmEvent.ACT, at_us=at, value=3.4)
    city.clock.move(5)
    await city.post("/alarms/a1/acknowledge", {"comment": "seen"})
    fields = {"fields": {"serial": "S-7"}, "reason": "survey"}
    async with city.client(Role.ADMIN) as client:
        thing = (await client.get(f"{API}/registry/devices/gw-north.well")).json()
        answer = await client.patch(
            f"{API}/registry/devices/gw-north.well", json={**fields, "revision": thing["revision"]}
        )
        assert answer.status_code == 200, answer.text
    whole = (await city.get("/devices/gw-north.well/story"))["items"]
    assert [(one["kind"], one["event"]) for one in whole if one["kind"] != "state"] == [
        ("registry", "edited"), ("alarm", "ACK"), ("alarm", "ACT"),
    ]  # fmt: skip
    assert (whole[1]["actor"], whole[1]["comment"]) == ("test-operator", "seen")
    assert whole[0]["fields"] == ["serial"]
    pages, cursor = [], None
    while True:
        asked = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = await city.get("/devices/gw-north.well/story", **asked)
        pages += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert pages == whole
    await city.post("/commands", {"point": "gw-north.pump1.run", "value": 1}, expect=202)
    (sent,) = (await city.get("/devices/gw-north.pump1/story"))["items"]
    assert (sent["kind"], sent["value"], sent["point"]) == ("command", 1, "gw-north.pump1.run")


async def show_configuration(city: Running, gateway: FieldGateway, text: str) -> None:
    """Let the gateway say that it runs this text."""
    async with city.client(None) as client:
        teller = Teller(client, gateway.headers)
        config = ConfigStatus(running=3, digest="d3", declaration="x", since_us=city.clock())
        await teller.tell(status(config=config))
        shown = msgspec.json.encode(RunningConfig(text=text, profiles={}, masked=0))
        assert (await teller.put(CONFIG_AT.format(digest="d3"), shown)).status_code == 204


async def test_neighbours_are_those_on_the_same_connection_in_sight(
    city: Running, gateway: FieldGateway
) -> None:
    await show_configuration(
        city, gateway, CONFIG.replace("air, connection: line-2", "air, connection: line-1")
    )
    shown = await city.get("/devices/gw-north.well/neighbours")
    assert (shown["connection"], [one["key"] for one in shown["items"]]) == ("line-1", ["air", "pump1"])
    token = await city.person("north", areas=["north"])
    async with city.client(token) as client:
        near = (await client.get(f"{API}/devices/gw-north.well/neighbours")).json()
        assert [one["key"] for one in near["items"]] == ["pump1"]
        assert (await client.get(f"{API}/devices/gw-north.air/neighbours")).status_code == 404
        assert (await client.get(f"{API}/devices/gw-north.air/story")).status_code == 404


async def test_a_gateway_that_showed_no_configuration_names_no_bus(
    city: Running, gateway: FieldGateway
) -> None:
    shown = await city.get("/devices/gw-north.well/neighbours")
    assert (shown["connection"], shown["protocol"], shown["items"]) == (None, "modbus", [])
    async with city.client() as client:
        assert (await client.get(f"{API}/devices/gw-north.no/story")).status_code == 404
        assert (await client.get(f"{API}/devices/gw-north.no/neighbours")).status_code == 404
