"""All units behind one Modbus TCP connection.

read(task) ─ Part ─→ Line.ask ─→ bytes ─→ BlockDecoder ─→ Readings
              │ exception 02/03 on a merged part: cut it, ask the halves, remember what answered
write(point) ─→ encode ─→ Line.ask, once ─→ read back
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from pydantic import Field
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from protocols.errors import BadFrame, ConnectionLost, DeviceRefused, DeviceTimeout, FieldError
from protocols.field.base import BoundDevice, BoundPoint, Driver, ReadTask
from protocols.field.modbus.answers import (
    BUSY,
    HOLE,
    ILLEGAL_FUNCTION,
    NOBODY_KNOWS,
    exception_name,
    exception_quality,
)
from protocols.field.modbus.decode import BlockDecoder, Bytes
from protocols.field.modbus.encode import encode, encode_bit
from protocols.field.modbus.line import Line
from protocols.field.modbus.planner import Block, address_of, is_bits, merge, plan_device, span_of, split
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.device import Limits, Strict
from protocols.model.quality import Quality
from protocols.model.reading import Readings

_READS: Final[dict[int, type[ModbusPDU]]] = {
    1: ReadCoilsRequest, 2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest,
}  # fmt: skip

LEARN_AGAIN_US: Final = 600 * SECOND_US
LEARN_AGAIN_SOON_US: Final = 60 * SECOND_US
"""A learnt hole is tried again after this; sooner where the device refused everything (it may boot)."""


class ModbusSettings(Strict):
    """Where the Modbus TCP server or serial gateway listens."""

    host: str = Field(min_length=1)
    port: int = Field(default=502, ge=1, le=65535)


class ModbusParams(Strict):
    """Which unit the device is; 0 and 255 are usual for one without a serial line behind it."""

    unit: int = Field(ge=0, le=255)


class Part:
    """One request of a task, compiled: the frame's PDU, its decoder, and what it last answered."""

    def __init__(self, block: Block, unit: int) -> None:
        self.block = block
        self.request = _READS[block.fc](dev_id=unit, address=block.start, count=block.count)
        self.decoder = BlockDecoder(block)
        self.last: Readings | None = None
        self.refused: int | None = None
        """Exception code of a part that cannot be cut further: a hole, not asked again for a while."""

    def payload(self, answer: ModbusPDU) -> Bytes:
        """Return the payload bytes of an answer. Raises BadFrame where they are not what was asked for."""
        data: bytes = getattr(answer, "data", b"")
        expected = self.decoder.payload_bytes
        if len(data) != expected + 1 or data[0] != expected:
            raise BadFrame(
                f"unit {answer.dev_id}: {max(len(data) - 1, 0)} payload bytes came instead of {expected}",
                Quality.BAD_COMMUNICATION_ERROR,
            )
        return np.frombuffer(data, np.uint8, offset=1)


@dataclass(slots=True)
class Plan:
    """Inside of a ReadTask: the block as planned, and the parts that the device turned out to bear."""

    limits: Limits
    planned: Part
    parts: list[Part]
    learn_again_us: int = 0


class ModbusDriver(Driver):
    """Modbus TCP client for one connection; requests go one after the other."""

    protocol = "modbus"
    Settings: ClassVar = ModbusSettings
    Params: ClassVar = ModbusParams

    def __init__(
        self, settings: ModbusSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._limits = {device.key: device.profile.limits for device in devices}
        self._units = {d.key: ModbusParams.model_validate(dict(d.params)).unit for d in devices}
        every = self._limits.values()
        self._settle_s = max((limits.pause_after_connect_ms for limits in every), default=0) / 1000
        pause_s = max((limits.pause_between_requests_ms for limits in every), default=0) / 1000
        self._line = Line(settings.host, settings.port, pause_s)
        self._multiple_only: set[int] = set()
        """Units that answered FC 5 or 6 with `illegal function` and are written with 15 and 16 instead."""

    @property
    def line(self) -> Line:
        """The open line, for a scan that shares it between two reads."""
        return self._line

    async def open(self) -> None:
        """Connect; waits the longest `pause_after_connect_ms` of the devices behind."""
        await self._line.open()
        if self._settle_s:
            await asyncio.sleep(self._settle_s)

    async def close(self) -> None:
        """Close the socket; safe at any time."""
        await self._line.close()

    def plan(self) -> tuple[ReadTask, ...]:
        """One task per request. Raises ConfigError with every mistake of a device's addresses."""
        tasks = []
        for device in self.devices:
            for period, block in plan_device(device):
                part = Part(block, self._units[device.key])
                plan = Plan(device.profile.limits, part, [part])
                tasks.append(ReadTask(device.key, period, part.decoder.points, 1, plan))
        return tuple(tasks)

    def question(self, task: ReadTask) -> dict[str, str | int]:
        """Unit, function code, wire address and quantity of the request as planned."""
        plan: Plan = task.plan
        block = plan.planned.block
        return {
            "unit": self._units[task.device],
            "fc": block.fc,
            "address": block.start,
            "count": block.count,
        }

    async def read(self, task: ReadTask) -> Readings:
        """Read one block. Values are raw; i64 and u64 lose exactness beyond 2**53 (float64)."""
        plan: Plan = task.plan
        if plan.learn_again_us and self.clock() >= plan.learn_again_us:
            plan.parts, plan.learn_again_us = [plan.planned], 0
        if len(plan.parts) > 1 or plan.parts[0].refused is not None:
            return await self._read_parts(plan, plan.parts)
        part = plan.parts[0]
        answer = await self._read_part(part, plan.limits)
        if isinstance(answer, Readings):
            return answer
        return await self._read_parts(plan, self._cut(part, answer))

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Write by FC 5 or 6/16 (15 where the unit has no 5) and read back the same place.

        A bit of a register is written by reading the register, changing the bit, writing it back.
        Nothing is ever sent twice: silence is DeviceTimeout, also exceptions 05 and 0B.
        """
        address = address_of(point)
        if address.fc not in (1, 3):
            raise DeviceRefused(
                f"{point.device}.{point.profile.key} is read by function code {address.fc}; "
                "only coils (1) and holding registers (3) can be written",
                Quality.BAD_NOT_SUPPORTED,
            )
        limits = self._limits[point.device]
        part = Part(merge(address.fc, [span_of(point)], limits)[0], self._units[point.device])
        if is_bits(address.fc):
            await self._write_coil(part, encode_bit(point, value), limits)
        elif address.bit is not None:
            bit = encode_bit(point, value)
            mask = _register_mask(address.bit, address.order)
            now = await self._register_now(part, limits)
            await self._write_registers(part, [now | mask if bit else now & ~mask], limits)
        else:
            await self._write_registers(part, encode(point, value), limits)
        return await self._read_back(part, limits) if point.profile.readable else None

    # ---- reading ----

    async def _read_part(self, part: Part, limits: Limits) -> Readings | int:
        """Return the readings of one request, or the code of an exception that says there is a hole."""
        points = part.decoder.points
        try:
            answer = await self._line.ask(part.request, limits, limits.retries)
            if isinstance(answer, ExceptionResponse):
                code = answer.exception_code
                if code in HOLE:
                    return code
                if code in BUSY:
                    return self._last_usable(part)
                return Readings.bad(points, self.clock(), exception_quality(code))
            part.last = part.decoder.decode(part.payload(answer), self.clock())
        except ConnectionLost:
            raise
        except FieldError as error:
            return Readings.bad(points, self.clock(), error.quality)
        return part.last

    async def _read_parts(self, plan: Plan, parts: list[Part]) -> Readings:
        """Read a task part by part, cutting what is refused, and remember the parts that answered.

        After a silence nothing more is asked, and nothing is learnt: what is left is BadTimeout too.
        """
        waiting = parts[::-1]
        learnt: list[Part] = []
        readings: list[Readings] = []
        while waiting:
            part = waiting.pop()
            answer = part.refused or await self._read_part(part, plan.limits)
            if isinstance(answer, int):
                if part.refused is None:
                    waiting.extend(reversed(self._cut(part, answer)))
                    continue
                answer = Readings.bad(part.decoder.points, self.clock(), exception_quality(answer))
            readings.append(answer)
            learnt.append(part)
            if part.refused is None and answer.quality[0] == Quality.BAD_TIMEOUT:
                now = self.clock()
                readings.extend(
                    Readings.bad(p.decoder.points, now, Quality.BAD_TIMEOUT) for p in waiting[::-1]
                )
                return Readings.concat(readings)
        if not plan.learn_again_us:
            useless = all(part.refused for part in learnt)
            plan.learn_again_us = self.clock() + (LEARN_AGAIN_SOON_US if useless else LEARN_AGAIN_US)
        plan.parts = learnt
        return Readings.concat(readings)

    def _cut(self, part: Part, code: int) -> list[Part]:
        """Return the halves of a refused part, or the part itself, marked as a hole."""
        halves = split(part.block)
        if halves:
            return [Part(half, part.request.dev_id) for half in halves]
        hole = Part(part.block, part.request.dev_id)
        hole.refused = code
        return [hole]

    def _last_usable(self, part: Part) -> Readings:
        points, now = part.decoder.points, self.clock()
        if part.last is None:
            return Readings.bad(points, now, Quality.BAD_WAITING_FOR_INITIAL_DATA)
        # What was bad before is not made better by a busy device.
        was_bad = part.last.quality >= Quality.BAD
        quality = np.where(was_bad, part.last.quality, np.uint32(Quality.UNCERTAIN_LAST_USABLE_VALUE))
        return Readings.at(points, now, part.last.value, quality, part.last.text)

    # ---- writing ----

    async def _write_coil(self, part: Part, on: bool, limits: Limits) -> None:
        unit, address = part.request.dev_id, part.block.start
        if unit not in self._multiple_only:
            single = WriteSingleCoilRequest(dev_id=unit, address=address, bits=[on])
            if await self._sent(single, limits, function_may_lack=True):
                return
            self._multiple_only.add(unit)
        await self._sent(WriteMultipleCoilsRequest(dev_id=unit, address=address, bits=[on]), limits)

    async def _write_registers(self, part: Part, registers: list[int], limits: Limits) -> None:
        unit, address = part.request.dev_id, part.block.start
        if len(registers) == 1 and unit not in self._multiple_only:
            single = WriteSingleRegisterRequest(dev_id=unit, address=address, registers=registers)
            if await self._sent(single, limits, function_may_lack=True):
                return
            self._multiple_only.add(unit)
        many = WriteMultipleRegistersRequest(dev_id=unit, address=address, registers=registers)
        await self._sent(many, limits)

    async def _sent(self, request: ModbusPDU, limits: Limits, function_may_lack: bool = False) -> bool:
        """Send a write once; False where the unit does not know the function (then nothing was written)."""
        try:
            answer = await self._line.ask(request, limits, retries=0)
        except BadFrame as error:
            raise DeviceTimeout(f"{error}; the write may have been done", error.quality) from error
        if not isinstance(answer, ExceptionResponse):
            return True
        code = answer.exception_code
        if code == ILLEGAL_FUNCTION and function_may_lack:
            return False
        text = f"{self._line.name} unit {request.dev_id}, write to {request.address}: {exception_name(code)}"
        if code in NOBODY_KNOWS:
            raise DeviceTimeout(f"{text}; it may have been done, read the point", exception_quality(code))
        raise DeviceRefused(f"{text}; nothing was written", exception_quality(code))

    async def _register_now(self, part: Part, limits: Limits) -> int:
        """Return a register before one bit of it is changed; whatever fails here, nothing was written."""
        try:
            return int.from_bytes((await self._payload(part, limits)).tobytes(), "big")
        except (DeviceTimeout, BadFrame) as error:
            raise DeviceRefused(f"{error}; nothing was written", error.quality) from error

    async def _read_back(self, part: Part, limits: Limits) -> float | str | None:
        try:
            readings = part.decoder.decode(await self._payload(part, limits), self.clock())
        except FieldError:
            # The device has acknowledged the write; that it cannot be read now does not undo it.
            return None
        if readings.text:
            return readings.text[0]
        return float(readings.value[0]) if readings.quality[0] == Quality.GOOD else None

    async def _payload(self, part: Part, limits: Limits) -> Bytes:
        answer = await self._line.ask(part.request, limits, limits.retries)
        if isinstance(answer, ExceptionResponse):
            unit, name = part.request.dev_id, exception_name(answer.exception_code)
            raise DeviceRefused(
                f"{self._line.name} unit {unit}, read of {part.block.start}: {name}; nothing was written",
                exception_quality(answer.exception_code),
            )
        return part.payload(answer)


def _register_mask(bit: int, order: str) -> int:
    """Return the mask of a bit in the register as it is on the wire."""
    return 1 << ((bit + 8) % 16 if order in ("BADC", "DCBA") else bit)
