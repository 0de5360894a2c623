"""Traps and informs of all three versions: heard, answered, let in by their secrets, and no way to harm."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto import rfc1902

from protocols.field.snmp import driver as snmp_driver
from protocols.field.snmp.driver import SnmpDriver
from protocols.field.snmp.hearing import A_SECOND, Ear
from protocols.field.snmp.settings import SnmpSettings
from protocols.field.snmp.soundness import sound
from protocols.model.reading import Readings
from tests.protocols.field.snmp.harness import NetSnmpHarness, SimHarness, bound
from tests.protocols.field.snmp.netsnmp import AUTH, PRIV, PROGRAM, ROOT, USER, NetSnmp
from tests.protocols.field.udp import free_udp_port

COLD_START = "1.3.6.1.6.3.1.1.5.1"
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
KEYS = {"authProtocol": hlapi.USM_AUTH_HMAC192_SHA256, "privProtocol": hlapi.USM_PRIV_CFB128_AES}


def third(auth: str = AUTH, priv: str = PRIV) -> Any:
    return hlapi.UsmUserData(USER, authKey=auth, privKey=priv, **KEYS)


def second(community: str = "public", model: int = 1) -> Any:
    """Version 1 or 2c."""
    return hlapi.CommunityData(community, mpModel=model)


async def notify(who: Any, port: int, kind: str = "trap", value: int = 77) -> Any:
    """Send one as an agent does; return pysnmp's words of what went wrong, None where all is well."""
    engine = hlapi.SnmpEngine()
    try:
        target = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=0.5, retries=1)
        said = hlapi.NotificationType(hlapi.ObjectIdentity(LINK_DOWN)).add_varbinds(
            (f"{ROOT}.1.0", rfc1902.Integer32(value)), (f"{ROOT}.777.0", rfc1902.Integer32(1))
        )
        wrong, _, _, _ = await hlapi.send_notification(
            engine, who, target, hlapi.ContextData(), kind, said, lookupMib=False
        )
        return wrong
    finally:
        engine.close_dispatcher()


class Heard:
    """What a driver handed on: rows of (point's index, value)."""

    def __init__(self, driver: SnmpDriver) -> None:
        self.driver = driver
        self.rows: list[tuple[int, float]] = []

    def put(self, readings: Readings) -> None:
        self.rows += zip(readings.point.tolist(), readings.value.tolist(), strict=True)

    async def until(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not what():  # noqa: ASYNC110 - a condition of the test's own
                await asyncio.sleep(0.02)

    def count(self, value: float) -> int:
        return self.rows.count((0, value))


@asynccontextmanager
async def hearing(harness: SimHarness, **more: Any) -> AsyncIterator[tuple[Heard, int]]:
    """A driver that listens beside a live agent, and its port for traps."""
    port = free_udp_port()
    agent = await harness.start()
    settings = SnmpSettings.model_validate({**harness.settings(agent), "trap_port": port, **more})
    driver = SnmpDriver(settings, bound())
    heard = Heard(driver)
    try:
        await driver.open()
        task = asyncio.create_task(driver.listen(heard.put))
        await asyncio.sleep(0.05)
        try:
            yield heard, port
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await driver.close()
    finally:
        await harness.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snmp_driver, "REST_S", 0.05)


@pytest.mark.parametrize(("version", "kind"), [(0, "trap"), (1, "trap"), (1, "inform")])
async def test_what_a_notice_names_is_handed_on_and_then_all_is_read(version: int, kind: str) -> None:
    async with hearing(SimHarness()) as (heard, port):
        assert await notify(second(model=version), port, kind) is None
        await heard.until(lambda: heard.count(-205.0))  # as it is: the agent's word, after the notice's
        assert heard.rows[0] == (0, 77.0)
        await heard.until(lambda: {index for index, _ in heard.rows} == set(range(7)))
        assert heard.driver.remarks() == ()
        # Polling and writing go on beside it.
        assert await heard.driver.write(bound()[0].points[0], 17.0) == 17.0


async def test_another_community_is_refused_and_an_inform_of_it_unanswered(tmp_path: Path) -> None:
    (tmp_path / "traps").write_text("of-traps\n")
    async with hearing(SimHarness(), trap_community_file=tmp_path / "traps") as (heard, port):
        for kind in ("trap", "inform"):
            wrong = await notify(second(), port, kind)
            assert (wrong is None) == (kind == "trap")
        await notify(third(), port)
        await heard.until(heard.driver.remarks)
        assert "community" in heard.driver.remarks()[0]
        assert heard.rows == []
        assert await notify(second("of-traps"), port, "inform") is None
        await heard.until(lambda: heard.count(77.0))


@pytest.mark.skipif(not PROGRAM, reason="snmpd is not installed: apt-get install snmpd")
async def test_version_3_is_let_in_by_its_keys_and_level_only() -> None:
    async with hearing(NetSnmpHarness()) as (heard, port):
        for number, kind in enumerate(("trap", "inform")):
            assert await notify(third(), port, kind, 60 + number) is None
            await heard.until(lambda number=number: heard.count(60.0 + number))  # type: ignore[misc]
        before = heard.count(66.0)
        wrong: list[Any] = [
            hlapi.UsmUserData(USER),  # noqa: S509 - that is what shall be refused
            hlapi.UsmUserData(USER, authKey=AUTH, authProtocol=hlapi.USM_AUTH_HMAC192_SHA256),
            third(auth="another phrase"), third(priv="another phrase"),
            second(),
        ]  # fmt: skip
        for who in wrong:
            await notify(who, port, "trap", 66)
            assert await notify(who, port, "inform", 66) is not None
        await asyncio.sleep(0.2)
        assert heard.count(66.0) == before == 0
        assert await notify(third(), port, "inform", 67) is None
        await heard.until(lambda: heard.count(67.0))


@pytest.mark.skipif(not PROGRAM, reason="snmpd is not installed: apt-get install snmpd")
async def test_net_snmp_says_by_itself_that_it_started(tmp_path: Path) -> None:
    agent, port = NetSnmp(tmp_path), free_udp_port()
    ears = [
        Ear(SnmpSettings.model_validate({**settings, "trap_port": port}), "127.0.0.1")
        for settings in (agent.third(), agent.settings())
    ]
    keys = f'-v 3 -u {USER} -l authPriv -a SHA-256 -A "{AUTH}" -x AES -X "{PRIV}"'
    with (tmp_path / "agent.conf").open("a") as file:
        file.write(f"trapsess {keys} 127.0.0.1:{port}\ntrapsess -Ci {keys} 127.0.0.1:{port}\n")
        file.write(f"trap2sink 127.0.0.1:{port} public\n")
    found: list[list[str]] = [[], []]
    for ear in ears:
        ear.open()
    try:
        await asyncio.to_thread(agent.start)
        async with asyncio.timeout(30):
            for kinds, ear, most in zip(found, ears, (2, 1), strict=True):
                while len(kinds) < most:
                    kinds += [notice.kind for notice in await ear.next()]
    finally:
        await asyncio.to_thread(agent.kill)
        for ear in ears:
            ear.close()
    assert found == [[COLD_START] * 2, [COLD_START]]


async def test_agents_share_a_port_and_each_hears_its_own_address() -> None:
    port = free_udp_port()
    settings = SnmpSettings(host="127.0.0.1", trap_port=port, trap_address="0.0.0.0")  # noqa: S104 - a test
    one, other = Ear(settings, "127.0.0.1"), Ear(settings, "127.0.0.2")
    one.open()
    other.open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.2", 0))
        elsewhere.sendto(b"no SNMP", ("127.0.0.1", port))
        await asyncio.sleep(0.05)
        assert (one.refused, other.refused) == (0, 1)
        other.close()
        elsewhere.sendto(b"no SNMP", ("127.0.0.1", port))
        await notify(second(), port)
        (notice,) = await asyncio.wait_for(one.next(), 5)
    assert notice.kind == LINK_DOWN
    assert (one.refused, other.refused) == (0, 1)
    one.close()
    again = Ear(settings, "127.0.0.1")  # the port is free again
    again.open()
    again.close()


async def test_a_port_that_cannot_be_had_is_told_and_the_rest_works() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        async with hearing(SimHarness(), trap_port=taken.getsockname()[1]) as (heard, _):
            await heard.until(heard.driver.remarks)
            assert "not heard" in heard.driver.remarks()[0]
            assert (await heard.driver.read(heard.driver.plan()[0])).value[0] == -205.0


async def test_a_flood_is_cut_and_told() -> None:
    async with hearing(SimHarness()) as (heard, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(A_SECOND * 3):
                sender.sendto(b"0", ("127.0.0.1", port))
        await heard.until(lambda: any("too many" in said for said in heard.driver.remarks()))
        assert (await heard.driver.read(heard.driver.plan()[0])).value[0] == -205.0


@given(st.binary(max_size=80))
def test_no_datagram_harms(datagram: bytes) -> None:
    async def take() -> int:
        ear = Ear(SnmpSettings(host="127.0.0.1", trap_port=free_udp_port()), "127.0.0.1")
        ear.open()
        try:
            ear.take(datagram, ("127.0.0.1", 5))
            return ear.refused
        finally:
            ear.close()

    assert asyncio.run(take()) == 1 or sound(datagram)
