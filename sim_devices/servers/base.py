"""What every simulated server is, and how it sees a device: the world's value through its faults.

A server is built without touching the network, started once, told after every step of the world,
and stopped once. It never steps the world itself.
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
from abc import ABC, abstractmethod
from typing import Any, Final

from protocols.errors import CityNerveError
from protocols.model.clock import Clock, now_us
from protocols.model.device import PointProfile, Profile
from protocols.model.golden import Golden
from sim_devices.fault_board import FaultBoard
from sim_devices.world import Endpoint, Proving, SimDevice, World

_LOWEST_FREE: Final = 1024
"""Ports below are the administrator's on most systems."""


class PortBusyError(CityNerveError):
    """A port cannot be had; the message names it and the way out.

    `number` is the system's error: EADDRINUSE, EACCES (a port that takes an administrator), EADDRNOTAVAIL.
    `datagrams` says that it is one of UDP.
    """

    def __init__(
        self,
        host: str,
        port: int,
        what: str,
        number: int | None = errno.EADDRINUSE,
        *,
        datagrams: bool = False,
    ) -> None:
        self.host, self.port = host, port
        if number == errno.EACCES:
            why = f"takes an administrator's rights; choose one from {_LOWEST_FREE} on"
        elif number == errno.EADDRNOTAVAIL:
            why = "is at no address of this machine; `ip addr` lists them, 127.0.0.1 is always there"
        else:
            why = (
                "is in use by another program; stop that program, or choose another one with --port N "
                "(of the whole city: --port-base N; 0 takes free ones). "
                f"`ss -l{'u' if datagrams else 't'}np 'sport = :{port}'` shows who has it"
            )
        super().__init__(f"{what}: port {port} on {host} {why}")

    HAD_NOT: Final = (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL)
    """Errors of binding that this one says in words."""


def listen(host: str, port: int, what: str) -> socket.socket:
    """Return a listening TCP socket; port 0 takes a free one. Raises PortBusyError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setblocking(False)
        server.bind((host, port))
        server.listen(256)
    except OSError as error:
        server.close()
        if error.errno in PortBusyError.HAD_NOT:
            raise PortBusyError(host, port, what, error.errno) from error
        raise
    return server


class DeviceView:
    """A device as its wire shows it. Every server reads and writes through this, never past it."""

    def __init__(self, device: SimDevice, faults: FaultBoard) -> None:
        self.device = device
        self.key: str = device.key
        self.profile: Profile = device.profile
        self._faults = faults
        self._held: dict[str, float | str | None] = {}
        self._proving = device if isinstance(device, Proving) else None

    def golden(self, point: PointProfile) -> Golden | None:
        """Return the vector that the point shows instead of a value, where the device proves its profile."""
        if self._proving is None or self._faults.altered(self.key):
            return None
        return self._proving.golden(point.key)

    def read(self, point: PointProfile) -> float | str | None:
        """Return the engineering value that the sensor claims; None where it failed."""
        value = self.device.read(point.key)
        if not self._faults.altered(self.key):
            if self._held:
                self._held.clear()
            return value
        if self._faults.frozen(self.key, point.key):
            return self._held.setdefault(point.key, value)
        self._held.pop(point.key, None)
        if self._faults.failed(self.key, point.key):
            return None
        if isinstance(value, str) or value is None:
            return value
        if self._faults.spikes(self.key, point.key):
            return _far_off(point, value)
        return value + self._faults.drift(self.key, point.key)

    def write(self, point: PointProfile, value: float | str) -> None:
        """Let the device act. Raises ValueError in words: read-only, outside its limits, or refused."""
        if not point.writable:
            raise ValueError(f"{self.key}.{point.key} cannot be written")
        if isinstance(value, float | int):
            low, high = point.write_min, point.write_max
            if math.isnan(value) or (low is not None and value < low) or (high is not None and value > high):
                raise ValueError(f"{self.key}.{point.key} takes {low} to {high}, not {value:g}")
        self.device.write(point.key, value)


def _far_off(point: PointProfile, value: float) -> float:
    """Return what a disturbed line makes of a value: ten times it, the other way round for a switch."""
    if point.type == "bool":
        return 0.0 if value else 1.0
    return value * 10 if value else 1000.0


class SimServer(ABC):
    """One endpoint on the wire."""

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
    ) -> None:
        """`clock` is the wall's: it stamps what the protocol stamps."""
        self.endpoint = endpoint
        self.world = world
        self.faults = faults
        self.host = host
        self.clock = clock
        self.port = endpoint.port
        devices = world.devices()
        self.views: tuple[DeviceView, ...] = tuple(
            DeviceView(devices[key], faults) for key in endpoint.devices
        )
        self._cutter: asyncio.Task[None] | None = None
        self._drop_every_s: float | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where a client connects."""

    @classmethod
    def settings_at(cls, url: str) -> dict[str, Any]:
        """Return the settings of a gateway's line to a `url` of this server."""
        host, _, port = url.partition("://")[2].rpartition(":")
        return {"host": host, "port": int(port)}

    @property
    def also(self) -> str:
        """A second address of it, as a camera has for its streams; empty where there is none."""
        return ""

    @abstractmethod
    async def start(self) -> None:
        """Listen; `port` then holds the real port. Raises PortBusyError."""

    @abstractmethod
    async def tick(self) -> None:
        """The world has stepped: show it."""

    @abstractmethod
    async def stop(self) -> None:
        """Close every connection and the port; safe after a failed start."""

    @abstractmethod
    def cut_connections(self) -> None:
        """Cut what is connected now, without a farewell."""

    def refuses(self) -> bool:
        """Say whether a new connection is cut at once (`drop:` without a period)."""
        return self.faults.drop_every_s(self.endpoint.key) == 0

    def follow_faults(self) -> None:
        """Start or end the cutting of connections; called after every change on the board."""
        every_s = self.faults.drop_every_s(self.endpoint.key)
        if every_s == self._drop_every_s:
            return
        self._drop_every_s = every_s
        if self._cutter is not None:
            self._cutter.cancel()
            self._cutter = None
        if every_s is None:
            return
        self.cut_connections()
        if every_s > 0:
            self._cutter = asyncio.get_running_loop().create_task(self._cut_often(every_s))

    async def _cut_often(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            self.cut_connections()

    async def stop_cutting(self) -> None:
        """End the cutter; part of `stop`."""
        if self._cutter is not None:
            self._cutter.cancel()
            await asyncio.gather(self._cutter, return_exceptions=True)
            self._cutter = None
