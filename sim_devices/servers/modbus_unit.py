"""One Modbus unit: its four tables as byte images, kept current from the world, and its actuators.

A table exists from the profile's points, and over gaps of at most `limits.max_gap` registers between
them (those read as 0): what the profile says the device bears. Elsewhere: exception 02.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from protocols.model.address.modbus import ModbusAddress
from protocols.model.device import PointProfile
from sim_devices.servers.base import DeviceView
from sim_devices.servers.registers import decode, encoder, register_count, to_value

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, TARGET_SILENT = 1, 2, 3, 4, 0x0B

COILS, DISCRETE_INPUTS, HOLDING_REGISTERS, INPUT_REGISTERS = 1, 2, 3, 4
"""The four tables, by the function code that reads them."""


class ModbusException(Exception):
    """A request is answered with this exception code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"exception {code:02X}")


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a point lies in its table, in registers (or in bits), and how it gets there."""

    point: PointProfile
    address: ModbusAddress
    count: int
    pack: Callable[[float | str | None], bytes]

    @property
    def end(self) -> int:
        return self.address.address + self.count


class _Table:
    """A table's bytes from `first` on, and which addresses exist (1 = exists)."""

    def __init__(self, fc: int, slots: list[_Slot], max_gap: int) -> None:
        self.width = 2 if fc >= HOLDING_REGISTERS else 1
        self.slots = slots
        self.first = min(slot.address.address for slot in slots)
        size = max(slot.end for slot in slots) - self.first
        self.data = bytearray(size * self.width)
        self.exists = bytearray(size)
        end = self.first
        for slot in sorted(slots, key=lambda each: each.address.address):
            start = slot.address.address if slot.address.address - end > max_gap else end
            self.exists[start - self.first : slot.end - self.first] = b"\1" * (slot.end - start)
            end = max(end, slot.end)
        self.whole = 0 not in self.exists

    def offset(self, start: int, count: int) -> int:
        """Return the byte offset of a range that exists; exception 02 otherwise."""
        first = start - self.first
        if first < 0 or first + count > len(self.exists):
            raise ModbusException(ILLEGAL_ADDRESS)
        if not self.whole and 0 in self.exists[first : first + count]:
            raise ModbusException(ILLEGAL_ADDRESS)
        return first * self.width


class ModbusUnit:
    """The unit's memory. Refreshed lazily: a unit that nobody polls costs nothing."""

    def __init__(self, view: DeviceView) -> None:
        self.view = view
        self.max_registers = view.profile.limits.max_registers
        grouped: dict[int, list[_Slot]] = {}
        for point in view.profile.points:
            address = ModbusAddress.of(point)
            grouped.setdefault(address.fc, []).append(_slot(point, address))
        self.tables = {fc: _Table(fc, slots, view.profile.limits.max_gap) for fc, slots in grouped.items()}
        self._shown = -1

    def refresh(self, tick: int) -> None:
        """Bring the images up to this tick of the world; free when they are."""
        if tick == self._shown:
            return
        self._shown = tick
        for table in self.tables.values():
            for slot in table.slots:
                self._store(table, slot)

    def read_registers(self, fc: int, start: int, count: int) -> bytes:
        """Return the bytes of `count` registers (FC 3, 4)."""
        if not 1 <= count <= self.max_registers:
            raise ModbusException(ILLEGAL_VALUE)
        table = self._table(fc)
        offset = table.offset(start, count)
        return bytes(table.data[offset : offset + 2 * count])

    def read_bits(self, fc: int, start: int, count: int) -> bytes:
        """Return `count` coils or inputs packed LSB first (FC 1, 2)."""
        if not 1 <= count <= 2000:
            raise ModbusException(ILLEGAL_VALUE)
        table = self._table(fc)
        offset = table.offset(start, count)
        packed = bytearray((count + 7) // 8)
        for index, bit in enumerate(table.data[offset : offset + count]):
            if bit:
                packed[index >> 3] |= 1 << (index & 7)
        return bytes(packed)

    def write_bits(self, start: int, bits: Iterable[bool]) -> None:
        """Set coils (FC 5, 15): every one must be a writable point."""
        wanted = list(bits)
        table = self._table(COILS)
        table.offset(start, len(wanted))
        points = {slot.address.address: slot.point for slot in table.slots}
        for index in range(len(wanted)):
            if start + index not in points or not points[start + index].writable:
                raise ModbusException(ILLEGAL_ADDRESS)
        for index, bit in enumerate(wanted):
            self._act(points[start + index], float(bit))
        self._shown = -1

    def write_registers(self, start: int, data: bytes) -> None:
        """Set holding registers (FC 6, 16, 22): whole writable points only, all or nothing checked first."""
        count = len(data) // 2
        table = self._table(HOLDING_REGISTERS)
        offset = table.offset(start, count)
        image = bytearray(table.data)
        image[offset : offset + len(data)] = data
        touched = [s for s in table.slots if s.address.address < start + count and s.end > start]
        covered = {register for slot in touched for register in range(slot.address.address, slot.end)}
        if not covered.issuperset(range(start, start + count)):
            raise ModbusException(ILLEGAL_ADDRESS)
        actions: list[tuple[PointProfile, float | str]] = []
        for slot in touched:
            if slot.address.address < start or slot.end > start + count:
                raise ModbusException(ILLEGAL_VALUE)
            at = (slot.address.address - table.first) * 2
            old, new = table.data[at : at + 2 * slot.count], image[at : at + 2 * slot.count]
            if not slot.point.writable:
                if _bits_of(slot, bytes(old)) != _bits_of(slot, bytes(new)):
                    raise ModbusException(ILLEGAL_ADDRESS)
                continue
            if slot.address.bit is not None and _bits_of(slot, bytes(old)) == _bits_of(slot, bytes(new)):
                continue
            actions.append((slot.point, self._decoded(slot, bytes(new))))
        for point, value in actions:
            self._act(point, value)
        self._shown = -1

    def mask_register(self, address: int, and_mask: int, or_mask: int) -> None:
        """Write (current & and_mask) | (or_mask & ~and_mask) (FC 22)."""
        current = int.from_bytes(self.read_registers(HOLDING_REGISTERS, address, 1))
        wanted = (current & and_mask) | (or_mask & ~and_mask & 0xFFFF)
        self.write_registers(address, wanted.to_bytes(2))

    def _table(self, fc: int) -> _Table:
        table = self.tables.get(fc)
        if table is None:
            raise ModbusException(ILLEGAL_ADDRESS)
        return table

    def _store(self, table: _Table, slot: _Slot) -> None:
        at = (slot.address.address - table.first) * table.width
        golden = self.view.golden(slot.point)
        if golden is not None and table.width == 2:
            data = golden.data(2 * slot.count)
            if slot.address.bit is None:
                table.data[at : at + len(data)] = data
                return
            value: float | str | None = float(_bits_of(slot, data) != b"\0\0")
        elif golden is not None:
            value = float(golden.raw) if not isinstance(golden.raw, str) and golden.raw else 0.0
        else:
            value = self.view.read(slot.point) if slot.point.readable else 0.0
        if table.width == 1:
            table.data[at] = 1 if value else 0
        elif slot.address.bit is None:
            table.data[at : at + 2 * slot.count] = slot.pack(value)
        else:
            mask = 1 << slot.address.bit
            word = int.from_bytes(table.data[at : at + 2])
            table.data[at : at + 2] = ((word | mask) if value else (word & ~mask)).to_bytes(2)

    def _decoded(self, slot: _Slot, data: bytes) -> float | str:
        if slot.address.bit is not None:
            return float(_bits_of(slot, data) != b"\0\0")
        try:
            raw = decode(slot.point.type, data, slot.address.order)
        except ValueError:
            raise ModbusException(ILLEGAL_VALUE) from None
        return to_value(slot.point, raw)

    def _act(self, point: PointProfile, value: float | str) -> None:
        try:
            self.view.write(point, value)
        except ValueError:
            raise ModbusException(ILLEGAL_VALUE) from None


def _slot(point: PointProfile, address: ModbusAddress) -> _Slot:
    if address.fc in (COILS, DISCRETE_INPUTS):
        return _Slot(point, address, 1, lambda _: b"")
    count = 1 if address.bit is not None else register_count(point.type, address.length)
    return _Slot(point, address, count, encoder(point, address.order, address.length))


def _bits_of(slot: _Slot, data: bytes) -> bytes:
    """Return what of these registers belongs to the point: all of them, or one bit."""
    if slot.address.bit is None:
        return data
    return (int.from_bytes(data) & (1 << slot.address.bit)).to_bytes(2)
