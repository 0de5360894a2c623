"""Two agents under the contract: net-snmp's, and the simulator's."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from protocols.field.base import BoundDevice
from protocols.model.device import Profile
from sim_devices.servers import snmp_ber as ber
from sim_devices.servers.snmp import SnmpServer
from sim_devices.world import Endpoint
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile
from tests.protocols.field.snmp.netsnmp import PROGRAM, ROOT, NetSnmp
from tests.protocols.field.udp import UdpProxy
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board

VALUES: dict[str, float | str] = {
    "count": -205.0, "label": "PUMP-1", "fixed": 9.0, "level": 2.5, "running": 1.0, "level2": 725.0,
}  # fmt: skip
LIMITS = {"timeout_ms": 400, "retries": 1}


def pump(limits: dict[str, int] | None = None) -> Profile:
    """Return a model whose point `ghost` no agent has."""
    return profile(
        "snmp",
        [
            {"key": "count", "type": "i16", "writable": True, "write_min": -1000, "write_max": 1000,
             "snmp": {"oid": f"{ROOT}.1.0"}},
            {"key": "label", "type": "text", "writable": True,
             "snmp": {"oid": f"{ROOT}.2.0", "write_as": "octets"}},
            {"key": "fixed", "type": "u32", "snmp": {"oid": f"{ROOT}.3.0"}},
            {"key": "level", "type": "f64", "snmp": {"oid": f"{ROOT}.4.0"}},
            {"key": "running", "type": "bool", "writable": True, "write_min": 0, "write_max": 1,
             "snmp": {"oid": f"{ROOT}.5.0"}},
            {"key": "ghost", "type": "i32", "writable": True, "snmp": {"oid": f"{ROOT}.99.0"}},
        ],
        limits=limits or LIMITS,
    )  # fmt: skip


def row() -> Profile:
    """Return a model whose points are columns of a table."""
    return profile(
        "snmp", [{"key": "level2", "type": "i32", "snmp": {"oid": f"{ROOT}.7.{{index}}"}}], limits=LIMITS
    )


def bound() -> tuple[BoundDevice, ...]:
    """Return the devices behind the agent."""
    first = pump()
    return bind(first, {}), bind(row(), {"index": 1}, "device2", len(first.points))


class SimHarness(Harness):
    """The simulator's agent."""

    protocol = "snmp"
    polled = True
    expected: ClassVar = VALUES
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (("count", 17.0), ("label", "P2"), ("running", 0.0))
    refused: ClassVar[tuple[tuple[str, float | str], ...]] = (
        ("count", 1.5), ("count", 3e9), ("count", "high"), ("count", float("nan")), ("running", 2.0),
        ("fixed", 1.0), ("ghost", 1.0),
    )  # fmt: skip

    def __init__(self) -> None:
        self.server: SnmpServer | None = None
        self._folder: Path | None = None

    async def start(self) -> int:
        seen, second = pump(), row()
        # The agent has no `ghost`; everything else is as the driver's profile says.
        there = seen.model_copy(update={"points": tuple(one for one in seen.points if one.key != "ghost")})
        devices = [
            FakeDevice("device1", there, {}, {key: VALUES[key] for key in VALUES if key != "level2"}),
            FakeDevice("device2", second, {"index": 1}, {"level2": 725.0}),
        ]
        world = FakeWorld(devices, [Endpoint("agent", "snmp", 0, ("device1", "device2"), {})])
        self.faults = board(world)
        self.server = SnmpServer(world.listeners()[0], world, self.faults)
        await self.server.start()
        return self.server.port

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()
            self.server = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def line(self, port: int) -> Any:
        return UdpProxy(port)

    def devices(self) -> tuple[BoundDevice, ...]:
        return bound()

    def settings(self, port: int) -> dict[str, Any]:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="citynerve-test-snmp-"))
            (self._folder / "write").write_text("private\n")
        return {"host": "127.0.0.1", "port": port, "write_community_file": self._folder / "write"}


class NetSnmpHarness(SimHarness):
    """Debian's snmpd with version 3, authenticated and encrypted."""

    needs: ClassVar = "" if PROGRAM else "snmpd is not installed: apt-get install snmpd"
    expected: ClassVar = VALUES
    refused: ClassVar[tuple[tuple[str, float | str], ...]] = tuple(
        one for one in SimHarness.refused if one[0] != "ghost"
    )
    """snmpd may take what nobody has asked it for: `ghost` is left out."""

    agent: NetSnmp | None = None

    async def start(self) -> int:
        self._folder = Path(tempfile.mkdtemp(prefix="citynerve-test-snmp-"))
        self.agent = NetSnmp(self._folder)
        await asyncio.to_thread(self.agent.start)
        await answers(self.agent.port)
        return self.agent.port

    async def stop(self) -> None:
        if self.agent is not None:
            await asyncio.to_thread(self.agent.kill)
            self.agent = None
        await super().stop()

    def settings(self, port: int) -> dict[str, Any]:
        assert self.agent is not None
        return {**self.agent.third(), "port": port}


async def answers(port: int) -> None:
    """Wait until an agent answers anything."""
    up_time = ber.Message(
        1, b"public", ber.GET, 1, 0, 0, (((1, 3, 6, 1, 2, 1, 1, 3, 0), ber.Value(ber.NULL)),)
    )
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        probe.connect(("127.0.0.1", port))
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(OSError, TimeoutError):
                    probe.send(up_time.encode())
                    async with asyncio.timeout(0.05):
                        if await loop.sock_recv(probe, 1500):
                            return
                await asyncio.sleep(0.01)
