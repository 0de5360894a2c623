"""A world, its servers and its faults, running together.

    async with simulating(world, Settings(speed=60)) as simulation:
        simulation.ports["modbus-north"]       # where each server listens
        await simulation.advance(5.0)          # a test moves the clock itself …
        await simulation.run()                 # … a person lets it run

A tick steps the world, then lets every server show it. Nothing outlives the `async with`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.model.clock import SECOND_US, Clock, now_us, to_datetime
from sim_devices.fault_board import FaultBoard
from sim_devices.faults import Fault
from sim_devices.registry import SIMULATORS
from sim_devices.schedule import Entry
from sim_devices.servers.base import SimServer
from sim_devices.servers.control import ControlServer
from sim_devices.world import Endpoint, World


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run. `speed`: world seconds per wall second; `tick_s`: wall seconds between steps."""

    host: str = "127.0.0.1"
    speed: float = 1.0
    tick_s: float = 0.5
    control_port: int | None = None
    """None: no control endpoint; 0: on a free port."""
    camera_credentials: tuple[str, str] | None = None
    opcua_folder: Path | None = None
    """Where OPC UA servers keep their certificate; None: they are not secured."""
    opcua_credentials: tuple[str, str] | None = None
    opcua_history: bool = False
    faults: tuple[Fault, ...] = ()
    schedule: tuple[Entry, ...] = field(default=())


class Simulation:
    """What `simulating` gives."""

    def __init__(self, world: World, settings: Settings, clock: Clock) -> None:
        """Check faults and addresses; nothing touches the network yet. Raises Rejected, ValueError."""
        self.world = world
        self.settings = settings
        self.clock = clock
        points = {key: [p.key for p in device.profile.points] for key, device in world.devices().items()}
        self.faults = FaultBoard(points, [endpoint.key for endpoint in world.listeners()])
        self.faults.now_us = world.start_us
        self.world_us = world.start_us
        self.servers: dict[str, SimServer] = {
            endpoint.key: _server(endpoint, world, self.faults, settings, clock)
            for endpoint in world.listeners()
        }
        for entry in settings.schedule:
            self.faults.check(entry.fault)
        for fault in settings.faults:
            self.faults.set(fault)
        self.control: ControlServer | None = None
        if settings.control_port is not None:
            self.control = ControlServer(self, settings.host, settings.control_port)

    @property
    def ports(self) -> dict[str, int]:
        """The real port of each server, by endpoint key."""
        return {key: server.port for key, server in self.servers.items()}

    def state(self) -> dict[str, Any]:
        """Return what runs where, for people and programs (JSON)."""
        return {
            "scenario": self.world.scenario,
            "scenarios": list(self.world.scenarios),
            "world_time": to_datetime(self.world_us).isoformat().replace("+00:00", "Z"),
            "speed": self.settings.speed,
            "control": self.control.url if self.control else None,
            "endpoints": [
                {
                    "key": server.endpoint.key,
                    "protocol": server.endpoint.protocol,
                    "url": server.url,
                    "port": server.port,
                    **({"also": server.also} if server.also else {}),
                    "devices": list(server.endpoint.devices),
                }
                for server in self.servers.values()
            ],
            "faults": [str(fault) for fault in self.faults.active()],
        }

    async def advance(self, wall_s: float) -> None:
        """Let `wall_s` seconds pass in the world (times `speed`), and show the result."""
        self.world_us += int(wall_s * self.settings.speed * SECOND_US)
        self.faults.now_us = self.world_us
        self.world.step(self.world_us)
        for server in self.servers.values():
            await server.tick()

    async def run(self, for_s: float | None = None) -> None:
        """Tick on the wall clock until cancelled, or for so many seconds. Raises what a part raises."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._tick(), name="tick")]
            tasks += [
                group.create_task(self._happen(entry), name=str(entry.fault))
                for entry in self.settings.schedule
            ]
            if for_s is not None:
                await asyncio.sleep(for_s)
                for task in tasks:
                    task.cancel()

    async def stop(self) -> None:
        """Stop every server, all at once; safe after a start that failed half-way."""
        stops = [server.stop() for server in self.servers.values()]
        if self.control is not None:
            stops.append(self.control.stop())
        ends = await asyncio.gather(*stops, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            # A machine that cannot keep up ticks less often; the world's clock stays right.
            await asyncio.sleep(max(0.0, before + self.settings.tick_s - loop.time()))
            now = loop.time()
            await self.advance(now - before)
            before = now

    async def _happen(self, entry: Entry) -> None:
        await asyncio.sleep(entry.at_s)
        self.faults.set(entry.fault)
        if entry.for_s is not None:
            await asyncio.sleep(entry.for_s)
            if entry.fault in self.faults.active():
                self.faults.clear(entry.fault)


@contextlib.asynccontextmanager
async def simulating(
    world: World, settings: Settings | None = None, clock: Clock = now_us
) -> AsyncIterator[Simulation]:
    """Start every server, give the simulation, stop every server. Raises PortBusyError.

    `clock` is the wall's; OPC UA and MQTT stamp with it.
    """
    simulation = Simulation(world, settings or Settings(), clock)
    world.step(simulation.world_us)
    try:
        for server in simulation.servers.values():
            await server.start()
            simulation.faults.on_change(server.follow_faults)
            server.follow_faults()
        if simulation.control is not None:
            await simulation.control.start()
        yield simulation
    finally:
        await simulation.stop()


def _server(
    endpoint: Endpoint, world: World, faults: FaultBoard, settings: Settings, clock: Clock
) -> SimServer:
    build: Callable[..., SimServer] = SIMULATORS.find(endpoint.protocol)
    more: dict[str, Any] = {}
    if endpoint.protocol == "camera":
        more["credentials"] = settings.camera_credentials
    if endpoint.protocol == "opcua" and settings.opcua_folder is not None:
        security = importlib.import_module("sim_devices.servers.opcua_security").OpcUaSecurity
        more["security"] = security(settings.opcua_folder / endpoint.key, settings.opcua_credentials)
    if endpoint.protocol == "opcua":
        more["history"] = settings.opcua_history
    return build(endpoint, world, faults, host=settings.host, clock=clock, **more)
