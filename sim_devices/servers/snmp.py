"""SNMP agent of v1 and v2c on UDP: Get, GetNext, GetBulk, Set (RFC 3416), with the profiles' objects.

Any community reads; `private` writes too. Devices of one agent are its rows: `{index}` of their objects.
"""

from __future__ import annotations

import asyncio
import bisect
import math
import socket
from collections.abc import Callable
from typing import Any

from protocols.model.address.snmp import SnmpAddress
from protocols.model.clock import Clock, now_us
from protocols.model.device import PointProfile
from sim_devices.fault_board import FaultBoard
from sim_devices.servers import snmp_ber as ber
from sim_devices.servers.base import DeviceView, PortBusyError, SimServer
from sim_devices.servers.snmp_ber import Message, Oid, Value
from sim_devices.world import Endpoint, World

MOST_BYTES = 1472
"""What fits into an Ethernet frame; a longer response is tooBig (1)."""
_SYSTEM = (1, 3, 6, 1, 2, 1, 1)
_TOO_BIG, _NO_NAME, _BAD_VALUE, _GEN_ERR, _NO_ACCESS, _WRONG_TYPE, _WRONG_VALUE, _NOT_WRITABLE = (
    1, 2, 3, 5, 6, 7, 10, 17,
)  # fmt: skip
_OF_V1 = {_NO_ACCESS: _NO_NAME, _WRONG_TYPE: _BAD_VALUE, _WRONG_VALUE: _BAD_VALUE, _NOT_WRITABLE: _NO_NAME}
_WRITTEN = {"integer": ber.INTEGER, "unsigned": ber.GAUGE, "timeticks": ber.TICKS, "octets": ber.OCTETS}
_SYNTAX = {"u32": ber.GAUGE, "u64": ber.COUNTER64}


class Refused(Exception):
    """An error-status about one object."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(str(code))


class SnmpServer(SimServer):
    """One agent with the objects of all its devices."""

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
    ) -> None:
        """Raises ValueError where two devices claim one object."""
        super().__init__(endpoint, world, faults, host=host, clock=clock)
        self.requests = 0
        self._since = clock()
        self._objects: dict[Oid, tuple[DeviceView, PointProfile]] = {}
        for view in self.views:
            index = str(view.device.params.get("index", "1"))
            for point in view.profile.points:
                name = SnmpAddress.of(point).oid
                oid = tuple(int(part) for part in name.replace("{index}", index).split("."))
                if oid in self._objects and self._objects[oid][0] is not view:
                    other = self._objects[oid][0].key
                    raise ValueError(
                        f"{endpoint.key}: {other} and {view.key} share the object {name}; "
                        "give each its own `index`"
                    )
                self._objects[oid] = (view, point)
        system = {(*_SYSTEM, number, 0) for number in (1, 2, 3, 5)}
        self._system = system - self._objects.keys()
        self._order: list[Oid] = sorted(self._system | self._objects.keys())
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def url(self) -> str:
        """Where a client asks."""
        return f"udp://{self.host}:{self.port}"

    async def start(self) -> None:
        """Bind; raises PortBusyError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setblocking(False)
        try:
            made.bind((self.host, self.endpoint.port))
        except OSError as error:
            made.close()
            raise PortBusyError(
                self.host, self.endpoint.port, f"SNMP agent {self.endpoint.key}", error.errno, datagrams=True
            ) from error
        agent = self

        class Door(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                agent.heard(data, lambda answer: agent.send(answer, addr))

        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Door, sock=made)
        self.port = made.getsockname()[1]

    async def tick(self) -> None:
        """Values are read when they are asked for."""

    def cut_connections(self) -> None:
        """Datagrams have none."""

    async def stop(self) -> None:
        """Close the socket."""
        await self.stop_cutting()
        if self._transport is not None:
            self._transport.close()
            self._transport = None
            await asyncio.sleep(0)

    def send(self, data: bytes, address: Any) -> None:
        """Send a datagram, unless the agent has stopped since."""
        if self._transport is not None:
            self._transport.sendto(data, address)

    def heard(self, data: bytes, send: Callable[[bytes], None]) -> None:
        """Answer a datagram, late where one of its devices is slow; what is no request gets no answer."""
        if self.refuses():
            return
        try:
            asked = ber.decode(data)
        except ValueError:
            return
        if asked.version not in (0, 1) or (asked.version == 0 and asked.kind == ber.GET_BULK):
            return
        self.requests += 1
        meant = {self._objects[name][0].key for name, _ in asked.binds if name in self._objects}
        # A dead device is one whose agent says nothing: an agent is no gateway that answers for others.
        if any(self.faults.dead(view.key) for view in self.views):
            return
        delay_s = max((self.faults.delay_s(key) for key in meant), default=0.0)
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, lambda: send(self.answer(asked).encode()))
        else:
            send(self.answer(asked).encode())

    def answer(self, asked: Message) -> Message:
        """Return the response to a request."""
        binds: list[tuple[Oid, Value]] = []
        for at, (name, value) in enumerate(asked.binds, 1):
            try:
                binds += self._bind(asked, at, name, value)
            except Refused as refused:
                code = _OF_V1.get(refused.code, refused.code) if asked.version == 0 else refused.code
                return self._response(asked, code, at, asked.binds)
        if asked.kind == ber.SET:
            for name, value in binds:
                self._write(name, value)
        made = self._response(asked, 0, 0, tuple(binds))
        return made if len(made.encode()) <= MOST_BYTES else self._response(asked, _TOO_BIG, 0, ())

    def _response(
        self, asked: Message, status: int, index: int, binds: tuple[tuple[Oid, Value], ...]
    ) -> Message:
        return Message(asked.version, asked.community, ber.RESPONSE, asked.request, status, index, binds)

    def _bind(self, asked: Message, at: int, name: Oid, value: Value) -> list[tuple[Oid, Value]]:
        match asked.kind:
            case ber.GET:
                found = self._value(name)
                if found is None:
                    if asked.version == 0:
                        raise Refused(_NO_NAME)
                    scalar = any(one[: len(name) - 1] == name[:-1] for one in self._order)
                    found = Value(ber.NO_INSTANCE if scalar else ber.NO_OBJECT)
                return [(name, found)]
            case ber.GET_NEXT:
                return self._after(asked, name, 1)
            case ber.GET_BULK:
                return self._after(asked, name, 1 if at <= asked.status else min(max(asked.index, 0), 50))
            case _:
                self._check(asked, name, value)
                return [(name, value)]

    def _after(self, asked: Message, name: Oid, count: int) -> list[tuple[Oid, Value]]:
        first = bisect.bisect_right(self._order, name)
        found = []
        for oid in self._order[first : first + count]:
            value = self._value(oid)
            found.append((oid, value if value is not None else Value(ber.NULL)))
        if len(found) < count:
            if asked.version == 0:
                raise Refused(_NO_NAME)
            found.append((name if not found else found[-1][0], Value(ber.END)))
        return found

    def _value(self, name: Oid) -> Value | None:
        """Return what an object holds; None where there is none. Raises Refused for a broken device."""
        if name in self._system:
            return self._of_system(name[-2])
        if name not in self._objects:
            return None
        view, point = self._objects[name]
        if self.faults.broken(view.key):
            raise Refused(_GEN_ERR)
        golden = view.golden(point)
        held = golden.raw if golden is not None else view.read(point)
        address = SnmpAddress.of(point)
        if held is None:
            raise Refused(_GEN_ERR)
        if isinstance(held, str):
            return Value(ber.OCTETS, held.encode())
        raw = float(held) if golden is not None else (held - point.offset) / point.scale
        if point.type in ("f32", "f64"):
            return Value(ber.OCTETS, f"{raw:.9g}".encode())
        if math.isnan(raw):
            raise Refused(_GEN_ERR)
        if point.type == "bool":
            raw = address.when_true if raw else address.when_false
        if address.bit is not None:
            octets = bytearray(address.bit // 8 + 1)
            octets[-1] = (0x80 >> address.bit % 8) if held else 0
            return Value(ber.OCTETS, bytes(octets))
        tag = _SYNTAX.get(point.type, ber.INTEGER)
        if point.writable:
            tag = _WRITTEN.get(address.write_as, tag)
        return Value.number(round(raw), tag)

    def _of_system(self, number: int) -> Value:
        profile = self.views[0].profile
        if number == 1:
            return Value(ber.OCTETS, f"{profile.vendor} {profile.model}, CityNerve simulator".encode())
        if number == 2:
            return Value(ber.OID, ber.encode_oid((1, 3, 6, 1, 4, 1, 8072, 9999)))
        if number == 3:
            return Value.number((self.clock() - self._since) // 10_000 % 2**32, ber.TICKS)
        return Value(ber.OCTETS, self.endpoint.key.encode())

    def _check(self, asked: Message, name: Oid, value: Value) -> None:
        """Raise Refused for a set that cannot be done: nothing of the request is done then."""
        if asked.community != b"private":
            raise Refused(_NO_ACCESS)
        if name not in self._objects:
            raise Refused(_NOT_WRITABLE)
        view, point = self._objects[name]
        if not point.writable:
            raise Refused(_NOT_WRITABLE)
        if value.tag != _WRITTEN.get(SnmpAddress.of(point).write_as):
            raise Refused(_WRONG_TYPE)
        if self.faults.broken(view.key):
            raise Refused(_GEN_ERR)
        wanted = _shaped(point, value)
        if isinstance(wanted, float):
            low, high = point.write_min, point.write_max
            if (low is not None and wanted < low) or (high is not None and wanted > high):
                raise Refused(_WRONG_VALUE)

    def _write(self, name: Oid, value: Value) -> None:
        view, point = self._objects[name]
        view.write(point, _shaped(point, value))


def _shaped(point: PointProfile, value: Value) -> float | str:
    """Return a written value as the world knows it. Raises Refused."""
    address = SnmpAddress.of(point)
    if value.tag == ber.OCTETS:
        try:
            text = value.content.decode("utf-8")
            return text if point.type == "text" else float(text) * point.scale + point.offset
        except ValueError:
            raise Refused(_WRONG_VALUE) from None
    number = value.as_number()
    if point.type == "bool":
        if number not in (address.when_true, address.when_false):
            raise Refused(_WRONG_VALUE)
        return float(number == address.when_true)
    return number * point.scale + point.offset
