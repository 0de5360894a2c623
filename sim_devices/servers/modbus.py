"""Modbus server, written from the specification (Application Protocol v1.1b3); ways in are `modbus_doors`.

Functions 1, 2, 3, 4, 5, 6, 15, 16, 22 and 43/14; an exception answer is function | 80h and a code.
Requests of one connection may be pipelined; answers of slow units overtake nothing but themselves.
It shares no code with the gateway's driver: an error in one shows in the other.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Literal

from protocols.model.clock import Clock, now_us
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.base import DeviceView, SimServer
from sim_devices.servers.modbus_doors import Send, door
from sim_devices.servers.modbus_frames import Asked, Frames
from sim_devices.servers.modbus_unit import (
    DEVICE_FAILURE,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    TARGET_SILENT,
    ModbusException,
    ModbusUnit,
)
from sim_devices.world import Endpoint, World

_TWO = struct.Struct(">HH")
_THREE = struct.Struct(">HHH")


class ModbusServer(SimServer):
    """Many units behind one door, as behind a serial gateway; `Endpoint.settings` says which door."""

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
        unknown_unit: Literal["exception", "silent"] = "exception",
    ) -> None:
        """`unknown_unit`: answer exception 0B as a serial gateway does, or nothing as a bare device does."""
        super().__init__(endpoint, world, faults, host=host, clock=clock)
        self.unknown_unit = unknown_unit
        self.units: dict[int, ModbusUnit] = {}
        for view in self.views:
            unit = _unit_id(view)
            if unit in self.units:
                other = self.units[unit].view.key
                raise ValueError(
                    f"{endpoint.key}: {other} and {view.key} both have unit {unit}; give each its own"
                )
            self.units[unit] = ModbusUnit(view)
        self.tick_number = 0
        self.requests = 0
        self._door = door(
            endpoint.settings, self.serve, lambda: not self.refuses(), host, endpoint.port,
            f"Modbus server {endpoint.key}",
        )  # fmt: skip

    @property
    def url(self) -> str:
        """Where a client connects."""
        return self._door.url

    async def start(self) -> None:
        """Open the door; raises PortBusyError."""
        self.port = await self._door.open()

    async def tick(self) -> None:
        """Let every unit refresh at its next request."""
        self.tick_number += 1

    def cut_connections(self) -> None:
        """Reset what is connected now."""
        self._door.cut()

    async def stop(self) -> None:
        """Close the door and every connection."""
        await self.stop_cutting()
        await self._door.close()

    def serve(self, frames: Frames, asked: Asked, send: Send) -> None:
        """Answer a request, late where its unit is slow."""
        target = self.units.get(asked.unit)
        delay_s = self.faults.delay_s(target.view.key) if target else 0.0
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._answer, frames, asked, send)
        else:
            self._answer(frames, asked, send)

    def _answer(self, frames: Frames, asked: Asked, send: Send) -> None:
        if frames.silent_to_strangers and asked.unit not in self.units:
            self.requests += 1
            return
        answer = self.answer(asked.unit, asked.pdu)
        if answer is not None:
            send(frames.answer(asked, answer))

    def answer(self, unit_id: int, pdu: bytes) -> bytes | None:
        """Return the answering PDU, or None for silence."""
        self.requests += 1
        unit = self.units.get(unit_id)
        if unit is None:
            return None if self.unknown_unit == "silent" else bytes((pdu[0] | 0x80, TARGET_SILENT))
        key = unit.view.key
        if self.faults.dead(key):
            return None
        if self.faults.broken(key):
            return bytes((pdu[0] | 0x80, self.faults.exception(key) or DEVICE_FAILURE))
        handler = _FUNCTIONS.get(pdu[0])
        if handler is None:
            return bytes((pdu[0] | 0x80, ILLEGAL_FUNCTION))
        unit.refresh(self.tick_number)
        try:
            return handler(unit, pdu)
        except ModbusException as refused:
            return bytes((pdu[0] | 0x80, refused.code))


def _unit_id(view: DeviceView) -> int:
    unit = view.device.params.get("unit", 1)
    if not isinstance(unit, int) or isinstance(unit, bool) or not 0 <= unit <= 255:
        raise ValueError(f"{view.key}: params.unit is {unit!r}; expected a whole number from 1 to 247")
    return unit


def _two(pdu: bytes, length: int | None = None) -> tuple[int, int]:
    """Return the two words after the function code; a PDU of another length is exception 03."""
    if len(pdu) < 5 or (length is not None and len(pdu) != length):
        raise ModbusException(ILLEGAL_VALUE)
    first, second = _TWO.unpack_from(pdu, 1)
    return first, second


def _read_bits(unit: ModbusUnit, pdu: bytes) -> bytes:
    start, count = _two(pdu, 5)
    data = unit.read_bits(pdu[0], start, count)
    return bytes((pdu[0], len(data))) + data


def _read_registers(unit: ModbusUnit, pdu: bytes) -> bytes:
    start, count = _two(pdu, 5)
    data = unit.read_registers(pdu[0], start, count)
    return bytes((pdu[0], len(data))) + data


def _write_coil(unit: ModbusUnit, pdu: bytes) -> bytes:
    start, value = _two(pdu, 5)
    if value not in (0x0000, 0xFF00):
        raise ModbusException(ILLEGAL_VALUE)
    unit.write_bits(start, [value == 0xFF00])
    return pdu


def _write_register(unit: ModbusUnit, pdu: bytes) -> bytes:
    start, _ = _two(pdu, 5)
    unit.write_registers(start, pdu[3:5])
    return pdu


def _write_coils(unit: ModbusUnit, pdu: bytes) -> bytes:
    start, count = _two(pdu)
    if not 1 <= count <= 1968 or len(pdu) != 6 + (count + 7) // 8 or pdu[5] != (count + 7) // 8:
        raise ModbusException(ILLEGAL_VALUE)
    unit.write_bits(start, [bool(pdu[6 + (index >> 3)] >> (index & 7) & 1) for index in range(count)])
    return pdu[:5]


def _write_registers(unit: ModbusUnit, pdu: bytes) -> bytes:
    start, count = _two(pdu)
    if not 1 <= count <= 123 or len(pdu) != 6 + 2 * count or pdu[5] != 2 * count:
        raise ModbusException(ILLEGAL_VALUE)
    unit.write_registers(start, pdu[6:])
    return pdu[:5]


def _mask_register(unit: ModbusUnit, pdu: bytes) -> bytes:
    if len(pdu) != 7:
        raise ModbusException(ILLEGAL_VALUE)
    address, and_mask, or_mask = _THREE.unpack_from(pdu, 1)
    unit.mask_register(address, and_mask, or_mask)
    return pdu


def _identify(unit: ModbusUnit, pdu: bytes) -> bytes:
    """43/14: basic identification (vendor, product code, revision), as a stream or one object."""
    if len(pdu) != 4 or pdu[1] != 14:
        raise ModbusException(ILLEGAL_FUNCTION)
    code, first = pdu[2], pdu[3]
    profile = unit.view.profile
    texts = (profile.vendor, profile.model, f"v{profile.version}")
    if code not in (1, 2, 3, 4):
        raise ModbusException(ILLEGAL_VALUE)
    if code == 4 and first > 2:
        raise ModbusException(ILLEGAL_ADDRESS)
    chosen = [first] if code == 4 else list(range(first if first <= 2 else 0, 3))
    objects = b"".join(_object(number, texts[number]) for number in chosen)
    return bytes((43, 14, code, 0x81, 0, 0, len(chosen))) + objects


def _object(number: int, text: str) -> bytes:
    data = text.encode("utf-8")[:64]
    return bytes((number, len(data))) + data


_FUNCTIONS: dict[int, Callable[[ModbusUnit, bytes], bytes]] = {
    1: _read_bits,
    2: _read_bits,
    3: _read_registers,
    4: _read_registers,
    5: _write_coil,
    6: _write_register,
    15: _write_coils,
    16: _write_registers,
    22: _mask_register,
    43: _identify,
}
