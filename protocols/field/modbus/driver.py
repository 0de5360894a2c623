"""All units behind one Modbus line, whatever its wire.

read(task) ─→ Reader (`reading`)
write(point) ─→ encode ─→ Line.ask, once ─→ read back
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar

import numpy as np
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import (
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from protocols.errors import (
    BadFrame,
    ConfigError,
    DeviceRefused,
    DeviceTimeout,
    FieldError,
    Mistake,
    Rejected,
)
from protocols.field.base import BoundDevice, BoundPoint, Driver, First, ReadTask
from protocols.field.modbus.answers import (
    ILLEGAL_FUNCTION,
    NOBODY_KNOWS,
    exception_name,
    exception_quality,
)
from protocols.field.modbus.decode import Bytes
from protocols.field.modbus.encode import encode, encode_bit
from protocols.field.modbus.frames import Question
from protocols.field.modbus.line import Line, line_of
from protocols.field.modbus.planner import is_bits, merge, span_of
from protocols.field.modbus.reading import Part, Plan, Reader
from protocols.field.modbus.settings import SERIAL, ModbusParams, ModbusSettings
from protocols.model.address.modbus import ModbusAddress
from protocols.model.clock import Clock, now_us
from protocols.model.device import Limits
from protocols.model.quality import Quality
from protocols.model.reading import Readings

Result = TypeVar("Result")


class ModbusDriver(Driver):
    """Modbus client for one line; requests go one after the other."""

    protocol = "modbus"
    Settings: ClassVar = ModbusSettings
    Params: ClassVar = ModbusParams
    first = First(
        "HOST:PORT of the Modbus TCP device or serial gateway", "192.0.2.10:502", "unit id", "1", port=502
    )
    must_exist = ("ca_file", "certificate", "key")

    @classmethod
    def params_named(cls, identity: str) -> dict[str, Any]:
        """Return the unit. Raises Rejected (`unit`)."""
        if not identity.isdecimal():
            raise Rejected("unit", f"{identity!r} is no unit id; give a number from 0 to 255")
        return {"unit": int(identity)}

    def __init__(
        self,
        settings: ModbusSettings,
        devices: tuple[BoundDevice, ...],
        clock: Clock = now_us,
        line: Line | None = None,
    ) -> None:
        """`line`: another one than the settings describe."""
        super().__init__(settings, devices, clock)
        self._limits = {device.key: device.profile.limits for device in devices}
        self._units = {d.key: ModbusParams.model_validate(dict(d.params)).unit for d in devices}
        self._line = line or line_of(settings, list(self._limits.values()), len(set(self._units.values())))
        self._reader = Reader(self._line, clock)
        self._remarks: tuple[str, ...] = ()
        if settings.certificate is not None:
            from protocols.field.modbus.role import remark  # noqa: PLC0415 - cryptography, for TLS only

            self._remarks = (remark(settings.certificate),)
        self._multiple_only: set[int] = set()
        """Units that answered FC 5 or 6 with `illegal function` and are written with 15 and 16 instead."""
        self._without_mask: set[int] = set()
        """Units that answered FC 22 with `illegal function`: bits are read, changed and written back."""

    @property
    def line(self) -> Line:
        """The open line, for a scan that shares it between two reads."""
        return self._line

    def remarks(self) -> tuple[str, ...]:
        """Return which role the gateway's own certificate carries, where it has one."""
        return self._remarks

    async def open(self) -> None:
        """Connect; waits the longest `pause_after_connect_ms` of the devices behind."""
        await self._line.open()

    async def close(self) -> None:
        """Close the line; safe at any time."""
        await self._line.close()

    async def lend(self, settings: ModbusSettings, act: Callable[[Line], Awaitable[Result]]) -> Result:
        """Let `act` have the port with other settings; the own line is closed for it and opened after it.

        Raises what `act` raises, and ConnectionLost where the own line does not open again.
        """
        await self._line.close()
        other = line_of(settings, list(self._limits.values()))
        try:
            await other.open()
            return await act(other)
        finally:
            await other.close()
            await self._line.open()

    def plan(self) -> tuple[ReadTask, ...]:
        """One task per request, as far as it is known by the notes what the devices bear.

        Raises ConfigError with every mistake of a device's addresses.
        """
        self._check_units()
        tasks = []
        for device in self.devices:
            for period, plan in self._reader.plans(device, self._units[device.key], self.notes):
                points = np.concatenate([part.decoder.points for part in plan.parts])
                tasks.append(ReadTask(device.key, period, points, 1, plan))
        return tuple(tasks)

    def question(self, task: ReadTask) -> dict[str, str | int]:
        """Unit, function code, wire address and quantity of the request."""
        plan: Plan = task.plan
        block = plan.first
        return {"unit": plan.unit.number, "fc": block.fc, "address": block.start, "count": block.count}

    async def read(self, task: ReadTask) -> Readings:
        """Read one block. Values are raw; i64 and u64 lose exactness beyond 2**53 (float64)."""
        plan: Plan = task.plan
        return await self._reader.read(plan)

    async def probe(self, task: ReadTask) -> bool:
        """Read one register of the task, once; whatever its unit says is an answer."""
        plan: Plan = task.plan
        return await self._reader.probe(plan)

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Write by FC 5 or 6/16 (15 where the unit has no 5) and read back the same place.

        A bit of a register is written by FC 22, or where the unit has none by reading the register, changing
        the bit, writing it back.
        Nothing is ever sent twice: silence is DeviceTimeout, also exceptions 05 and 0B.
        """
        address = ModbusAddress.of(point.profile)
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
            await self._write_bit(
                part, _register_mask(address.bit, address.order), encode_bit(point, value), limits
            )
        else:
            await self._write_registers(part, encode(point, value), limits)
        return await self._read_back(part, limits) if point.profile.readable else None

    def _check_units(self) -> None:
        """Raise ConfigError for devices on unit 0 of a serial line: nobody answers the broadcast."""
        settings: ModbusSettings = self.settings  # type: ignore[assignment]
        if settings.transport not in (*SERIAL, "rtu-over-tcp"):
            return
        mistakes = [
            Mistake(
                f"device {key}", 0, 0, "params.unit", "unit 0 is the broadcast of a serial line",
                "1 to 247", "give the device's own unit id (address switch, display or manual)",
            )
            for key, unit in self._units.items()
            if unit == 0
        ]  # fmt: skip
        if mistakes:
            raise ConfigError(mistakes)

    # ---- writing ----

    async def _write_coil(self, part: Part, on: bool, limits: Limits) -> None:
        unit, address = part.unit, part.block.start
        if unit not in self._multiple_only:
            single = WriteSingleCoilRequest(dev_id=unit, address=address, bits=[on])
            if await self._sent(single, limits, function_may_lack=True):
                return
            self._multiple_only.add(unit)
        await self._sent(WriteMultipleCoilsRequest(dev_id=unit, address=address, bits=[on]), limits)

    async def _write_bit(self, part: Part, mask: int, on: bool, limits: Limits) -> None:
        """Set a bit by one mask write, which loses no change that the device makes meanwhile."""
        unit, address = part.unit, part.block.start
        if unit not in self._without_mask:
            masked = MaskWriteRegisterRequest(
                dev_id=unit, address=address, and_mask=0xFFFF & ~mask, or_mask=mask if on else 0
            )
            if await self._sent(masked, limits, function_may_lack=True):
                return
            self._without_mask.add(unit)
        now = await self._register_now(part, limits)
        await self._write_registers(part, [now | mask if on else now & ~mask], limits)

    async def _write_registers(self, part: Part, registers: list[int], limits: Limits) -> None:
        unit, address = part.unit, part.block.start
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
            answer = await self._line.ask(Question.of(request), limits, retries=0)
        except BadFrame as error:
            raise DeviceTimeout(f"{error}; the write may have been done", error.quality) from error
        code = answer.code
        if code is None:
            return True
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
        answer = await self._line.ask(part.question, limits, limits.retries)
        if answer.code is not None:
            unit, name = part.unit, exception_name(answer.code)
            raise DeviceRefused(
                f"{self._line.name} unit {unit}, read of {part.block.start}: {name}; nothing was written",
                exception_quality(answer.code),
            )
        return part.payload(answer)


def _register_mask(bit: int, order: str) -> int:
    """Return the mask of a bit in the register as it is on the wire."""
    return 1 << ((bit + 8) % 16 if order in ("BADC", "DCBA") else bit)
