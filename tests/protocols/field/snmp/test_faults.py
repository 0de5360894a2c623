"""What agents and networks do wrong: late, doubled, altered and missing answers, restarts, refusals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import Driver
from protocols.field.snmp import SnmpDriver
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from sim_devices.faults import parse_fault
from sim_devices.servers import snmp, snmp_ber
from sim_devices.servers.snmp_ber import Value
from tests.protocols.field.devices import bind, driver, rows
from tests.protocols.field.snmp.harness import VALUES, SimHarness, answers, pump
from tests.protocols.field.snmp.netsnmp import PROGRAM, NetSnmp

NAMES = [point.key for point in pump().points]


class Kept:
    """Notes as a gateway keeps them."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, Any]] = {}

    def get(self, device: str) -> dict[str, Any]:
        return self.data.get(device, {})

    def put(self, device: str, learnt: dict[str, Any]) -> None:
        self.data[device] = learnt


@pytest.fixture
async def line() -> AsyncIterator[SimHarness]:
    made = SimHarness()
    async with made.running():
        yield made


@contextlib.asynccontextmanager
async def opened(
    line: SimHarness, limits: dict[str, int] | None = None, **settings: Any
) -> AsyncIterator[SnmpDriver]:
    made = driver("snmp", {**line.settings(line.proxy.port), **settings}, bind(pump(limits), {}))
    assert isinstance(made, SnmpDriver)
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def everything(made: Driver) -> dict[str, tuple[float | str, int]]:
    seen = rows(Readings.concat([await made.read(task) for task in made.plan()]))
    return {NAMES[index]: found for index, found in seen.items()}


def good(seen: dict[str, tuple[float | str, int]]) -> dict[str, float | str]:
    return {key: value for key, (value, quality) in seen.items() if quality == Quality.GOOD}


TRUE = {key: value for key, value in VALUES.items() if key != "level2"}


async def test_a_late_answer_is_never_taken_for_the_next(line: SimHarness) -> None:
    """Each answer arrives twice, and once more when the next request is out."""
    kept: list[bytes] = []

    def alter(data: bytes) -> list[bytes]:
        sent = [*kept, data, data]
        kept[:] = [data]
        return sent

    async with opened(line) as made:
        assert good(await everything(made)) == TRUE
        line.proxy.alter = alter
        for value in (11.0, 12.0, 13.0):
            assert await made.write(made.devices[0].points[0], value) == value
            assert good(await everything(made)) == {**TRUE, "count": value}


@pytest.mark.parametrize("version", ["1", "2c"])
@pytest.mark.parametrize("sender", ["127.0.0.2", "127.0.0.1"], ids=["address", "port"])
async def test_an_answer_of_another_sender_is_no_value(line: SimHarness, version: str, sender: str) -> None:
    """Somebody who sees the requests answers first, with the right number, and lies."""
    loop = asyncio.get_running_loop()
    stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(sender, 0))
    silent = False

    def alter(data: bytes) -> list[bytes]:
        said = snmp_ber.decode(data)
        lies = tuple((name, Value.number(666)) for name, _ in said.binds)
        stranger.sendto(replace(said, status=0, index=0, binds=lies).encode(), line.proxy.client)
        loop.call_later(0.02, lambda: silent or line.proxy.send(data))
        return []

    try:
        async with opened(line, version=version) as made:
            line.proxy.alter = alter
            assert good(await everything(made)) == TRUE
            silent = True
            with pytest.raises(ConnectionLost) as caught:
                await everything(made)
            place = "{}:{}".format(*stranger.get_extra_info("sockname"))
            assert f"an answer came from {place}, which is not who was asked" in str(caught.value)
            assert "give that as `host`" in str(caught.value)
    finally:
        stranger.close()


async def test_an_answer_that_is_lost_is_asked_for_again(line: SimHarness) -> None:
    async with opened(line) as made:
        lost = iter([True])
        line.proxy.alter = lambda data: [] if next(lost, False) else [data]
        assert good(await everything(made)) == TRUE


@pytest.mark.parametrize("wrong", ["order", "names", "missing", "more"])
async def test_an_answer_about_other_objects_is_refused(line: SimHarness, wrong: str) -> None:
    def alter(data: bytes) -> list[bytes]:
        said = snmp_ber.decode(data)
        first, *rest = said.binds
        binds = {
            "order": (*rest, first), "missing": tuple(rest), "more": (first, *said.binds),
            "names": (((*first[0][:-1], 1), first[1]), *rest),
        }[wrong]  # fmt: skip
        return [replace(said, binds=binds).encode()]

    async with opened(line) as made:
        line.proxy.alter = alter
        seen = await everything(made)
        assert not good(seen)
        assert {quality for _, quality in seen.values()} == {Quality.BAD_COMMUNICATION_ERROR}
        line.proxy.alter = None
        assert good(await everything(made)) == TRUE


async def test_bytes_that_are_no_message_are_passed_over(line: SimHarness) -> None:
    async with opened(line) as made:
        noise = [
            b"",
            b"\x30",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x03\x02\x01\x05",
            bytes(200),
            b"\xff" * 200,
        ]
        line.proxy.alter = lambda data: [*noise, data[: len(data) // 2], data]
        assert good(await everything(made)) == TRUE


async def test_too_big_makes_requests_smaller_and_is_remembered(line: SimHarness, monkeypatch: Any) -> None:
    monkeypatch.setattr(snmp, "MOST_BYTES", 85)
    kept = Kept()
    async with opened(line) as made:
        made.notes = kept
        assert good(await everything(made)) == TRUE
        most = kept.get("device1")["max_objects"]
        assert 1 <= most < len(NAMES)
    assert line.server is not None
    async with opened(line) as again:
        again.notes = kept
        before = line.server.requests
        tasks = again.plan()
        assert good(await everything(again)) == TRUE
        assert line.server.requests - before == len(tasks) == -(-len(NAMES) // most)


async def test_large_answers_that_are_lost_make_requests_smaller(line: SimHarness) -> None:
    async with opened(line, {"timeout_ms": 100, "retries": 0}) as made:
        line.proxy.alter = lambda data: [data] if len(data) < 100 else []
        async with asyncio.timeout(60):
            while good(await everything(made)) != TRUE:
                pass


async def test_an_agent_that_falls_silent_and_comes_back(line: SimHarness) -> None:
    async with opened(line, {"timeout_ms": 100, "retries": 0}) as made:
        line.faults.set(parse_fault("dead:device1"))
        with pytest.raises(ConnectionLost, match=r"no answer within 0\.1 s, to sysUpTime neither"):
            await everything(made)
        line.faults.clear_all()
        assert good(await everything(made)) == TRUE


async def test_one_broken_object_harms_no_other(line: SimHarness) -> None:
    async with opened(line) as made:
        assert line.server is not None
        broken = line.server.views[0].device
        broken.write("fixed", None)  # type: ignore[arg-type]
        seen = await everything(made)
        assert good(seen) == {key: value for key, value in TRUE.items() if key != "fixed"}
        assert seen["fixed"][1] == Quality.BAD_DEVICE_FAILURE


async def test_version_1_names_what_it_lacks_one_by_one(line: SimHarness) -> None:
    async with opened(line, version="1") as made:
        seen = await everything(made)
        assert good(seen) == TRUE
        assert seen["ghost"][1] == Quality.BAD_CONFIGURATION_ERROR
        assert await made.write(made.devices[0].points[0], 5.0) == 5.0


async def test_writes_are_sent_once_and_their_outcome_is_told(line: SimHarness) -> None:
    async with opened(line, {"timeout_ms": 100, "retries": 3}) as made:
        count, label = made.devices[0].points[:2]
        with pytest.raises(DeviceRefused, match="wrongValue") as caught:
            await made.write(count, 5000.0)
        assert caught.value.quality == Quality.BAD_OUT_OF_RANGE
        line.proxy.alter = lambda _: []
        before = line.proxy.asked
        with pytest.raises(DeviceTimeout):
            await made.write(count, 6.0)
        assert line.proxy.asked == before + 1, "a write is never repeated: it might be done twice"
        line.proxy.alter = None
        assert (await everything(made))["count"] == (6.0, Quality.GOOD)
        assert await made.write(label, "泵-2") == "泵-2"
    async with opened(line, write_community_file=None) as reader:
        with pytest.raises(DeviceRefused, match="noAccess") as caught:
            await reader.write(count, 7.0)
        assert caught.value.quality == Quality.BAD_USER_ACCESS_DENIED


async def test_a_write_that_was_half_done_is_not_called_refused(line: SimHarness) -> None:
    def undo_failed(data: bytes) -> list[bytes]:
        return [replace(snmp_ber.decode(data), status=15, index=1).encode()]

    async with opened(line) as made:
        line.proxy.alter = undo_failed
        with pytest.raises(DeviceTimeout, match="undoFailed"):
            await made.write(made.devices[0].points[0], 6.0)


async def test_a_value_of_another_syntax_is_bad(line: SimHarness) -> None:
    def alter(data: bytes) -> list[bytes]:
        said = snmp_ber.decode(data)
        binds = tuple((name, Value(snmp_ber.OCTETS, b"\xff\xfe")) for name, _ in said.binds)
        return [replace(said, binds=binds).encode()]

    async with opened(line) as made:
        line.proxy.alter = alter
        assert not good(await everything(made))


# ---- net-snmp's agent, version 3 ----


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[NetSnmp]:
    if not PROGRAM:
        pytest.skip("snmpd is not installed: apt-get install snmpd")
    made = NetSnmp(tmp_path)
    await asyncio.to_thread(made.start)
    try:
        await answers(made.port)
        yield made
    finally:
        await asyncio.to_thread(made.kill)


async def test_an_agent_that_restarted_is_known_again(agent: NetSnmp) -> None:
    """Killed like that it comes back with another engine id, and a clock that begins at zero."""
    made = driver("snmp", agent.third(), bind(pump({"timeout_ms": 500, "retries": 0}), {}))
    try:
        await made.open()
        assert good(await everything(made)) == TRUE
        await asyncio.to_thread(agent.kill)
        await asyncio.to_thread(agent.start)
        await answers(agent.port)
        async with asyncio.timeout(60):
            while good(seen := await everything(made)) != TRUE:
                assert {quality for _, quality in seen.values()} <= {Quality.BAD_TIMEOUT, Quality.GOOD}
    finally:
        await made.close()


@pytest.mark.parametrize("wrong", ["username", "auth_file", "priv_file", "auth"])
async def test_who_is_not_let_in_is_told_why(agent: NetSnmp, wrong: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not that one at all\n")
    value = {"username": "stranger", "auth": "sha512"}.get(wrong, other)
    made = driver("snmp", agent.third(**{wrong: value}), bind(pump({"timeout_ms": 300, "retries": 0}), {}))
    try:
        with pytest.raises(ConnectionLost, match=rf"127\.0\.0\.1:{agent.port}") as caught:
            await made.open()
        assert wrong == "priv_file" or caught.value.quality == Quality.BAD_USER_ACCESS_DENIED
    finally:
        await made.close()


async def test_a_wrong_community_is_silence(agent: NetSnmp, tmp_path: Path) -> None:
    (tmp_path / "community").write_text("strangers\n")
    made = driver("snmp", agent.settings(), bind(pump({"timeout_ms": 100, "retries": 0}), {}))
    try:
        with pytest.raises(ConnectionLost, match="community"):
            await made.open()
    finally:
        await made.close()


async def test_versions_1_and_2c_of_another_agent(agent: NetSnmp) -> None:
    value = -205.0
    for version in ("1", "2c"):
        made = driver("snmp", agent.settings(version=version), bind(pump(), {}))
        try:
            await made.open()
            assert good(await everything(made)) == {**TRUE, "count": value}
            value += 1
            assert await made.write(made.devices[0].points[0], value) == value
        finally:
            await made.close()
