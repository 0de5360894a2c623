"""Which requests a device is asked: neighbouring points share one, as far as the device bears it.

`../shared/domain/field_protocols.md` 1.5: group by function code and period class, sort by address,
merge over gaps of at most `max_gap` registers, never past `max_registers`, never splitting a value.
Merging from left to right is optimal here: a span that no longer fits would not fit any later start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from protocols.errors import ConfigError, Mistake
from protocols.field.base import BoundDevice, BoundPoint
from protocols.field.modbus.learning import Learnt, crosses
from protocols.model.address.modbus import ModbusAddress
from protocols.model.datatypes import REGISTERS
from protocols.model.device import Limits, PeriodClass

MAX_BITS = 2000
"""Coils or discrete inputs in one request (Modbus Application Protocol V1.1b3, 6.1)."""
ADDRESSES = 65536
BITS_PER_REGISTER = 16


@dataclass(frozen=True, slots=True)
class Span:
    """What one point occupies: `count` registers (function codes 3, 4) or bits (1, 2) from `start`."""

    point: BoundPoint
    start: int
    count: int

    @property
    def end(self) -> int:
        """First address behind the value."""
        return self.start + self.count

    @property
    def address(self) -> ModbusAddress:
        """The point's place as the profile gives it."""
        return ModbusAddress.of(self.point.profile)


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` registers or bits from `start`, and the points that lie in them."""

    fc: int
    start: int
    count: int
    spans: tuple[Span, ...]


def span_of(point: BoundPoint) -> Span:
    """Return what a point occupies."""
    address = ModbusAddress.of(point.profile)
    count = 1 if address.fc <= 2 else address.length if point.profile.type == "ascii" else 0
    return Span(point, address.address, count or REGISTERS[point.profile.type])


def is_bits(fc: int) -> bool:
    """Tell whether a function code reads bits (coils, discrete inputs) and not registers."""
    return fc <= 2


def capacity(fc: int, limits: Limits, learnt: int | None = None) -> int:
    """Return how many registers or bits one request may ask of this device; `learnt`: what it bore."""
    given = min(MAX_BITS, limits.max_registers * BITS_PER_REGISTER) if is_bits(fc) else limits.max_registers
    return given if learnt is None else min(given, learnt)


def merge(fc: int, spans: Iterable[Span], limits: Limits, learnt: Learnt | None = None) -> list[Block]:
    """Lay blocks over the spans of one function code; each span lies whole in exactly one block.

    No block reaches over a hole that was learnt, or is longer than the device bore.
    """
    most = capacity(fc, limits, learnt.most(fc) if learnt else None)
    holes = learnt.holes_of(fc) if learnt else []
    gap = limits.max_gap * (BITS_PER_REGISTER if is_bits(fc) else 1)
    blocks: list[Block] = []
    members: list[Span] = []
    start = end = 0
    for span in sorted(spans, key=lambda span: (span.start, span.end, span.point.index)):
        reach = max(end, span.end)
        near = span.start - end <= gap and not (holes and crosses(holes, end, span.start))
        if members and near and reach - start <= most:
            members.append(span)
            end = reach
            continue
        if members:
            blocks.append(Block(fc, start, end - start, tuple(members)))
        members, start, end = [span], span.start, span.end
    if members:
        blocks.append(Block(fc, start, end - start, tuple(members)))
    return blocks


def split(block: Block) -> tuple[Block, Block] | None:
    """Cut a refused block in two at its widest gap, where a hole most likely is, or else in the middle.

    Returns None where nothing can be cut any more: one value, or several that share registers.
    """
    best: tuple[int, int] | None = None
    cut = 0
    end = block.spans[0].end
    for at, span in enumerate(block.spans):
        rank = (span.start - end, -abs(2 * at - len(block.spans)))
        if at and span.start >= end and (best is None or rank > best):
            best, cut = rank, at
        end = max(end, span.end)
    if best is None:
        return None
    return _cover(block.fc, block.spans[:cut]), _cover(block.fc, block.spans[cut:])


def lay(spans: Sequence[Span], limits: Limits, learnt: Learnt) -> tuple[list[Block], list[tuple[Block, int]]]:
    """Return the requests for spans of one function code, and the values that are not asked, with the reason.

    A value is not asked where the device has refused it alone; the reason is its exception code.
    """
    fc = spans[0].address.fc
    missing = {(hole.start, hole.count): hole.code for hole in learnt.holes_of(fc) if hole.whole}
    alive = [span for span in spans if (span.start, span.count) not in missing]
    refused: dict[tuple[int, int], list[Span]] = {}
    for span in spans:
        if (span.start, span.count) in missing:
            refused.setdefault((span.start, span.count), []).append(span)
    gone = [(_cover(fc, own), missing[place]) for place, own in refused.items()]
    return merge(fc, alive, limits, learnt), gone


def lanes(device: BoundDevice) -> list[tuple[PeriodClass, tuple[Span, ...]]]:
    """Return what may share requests: values of one function code and period.

    Raises ConfigError with every mistake of the device's points.
    """
    mistakes = [mistake for point in device.points for mistake in check(point, device.profile.limits)]
    if mistakes:
        raise ConfigError(mistakes)

    def lane(span: Span) -> tuple[int, PeriodClass]:
        return span.address.fc, span.point.profile.period

    spans = sorted((span_of(point) for point in device.points if point.profile.readable), key=lane)
    return [(period, tuple(members)) for (_, period), members in groupby(spans, key=lane)]


def plan_device(device: BoundDevice) -> list[tuple[PeriodClass, Block]]:
    """Return the requests of a device of which nothing is known yet. Raises ConfigError as `lanes`."""
    return [
        (period, block)
        for period, spans in lanes(device)
        for block in merge(spans[0].address.fc, spans, device.profile.limits)
    ]


def check(point: BoundPoint, limits: Limits) -> list[Mistake]:
    """Return what cannot work about a point's address; nothing is asked of the device."""
    address, kind = ModbusAddress.of(point.profile), point.profile.type
    if kind == "text":
        return [_mistake(point, "type `text`", "a register layout", "use `ascii` with a `length`")]
    mistakes = []
    if is_bits(address.fc) and (kind != "bool" or address.bit is not None):
        mistakes.append(
            _mistake(point, f"function code {address.fc} reads single bits", "type `bool`, no `bit`",
                     "use type `bool`, or function code 3 or 4 for registers")
        )  # fmt: skip
    elif address.bit is not None and kind != "bool":
        mistakes.append(
            _mistake(point, f"`bit` on type `{kind}`", "type `bool`", "use type `bool`, or remove `bit`")
        )
    if point.profile.writable and address.fc in (2, 4):
        mistakes.append(
            _mistake(point, f"writable in function code {address.fc}", "a coil (1) or holding register (3)",
                     "set `writable: false`, or give the address in the writable area")
        )  # fmt: skip
    span = span_of(point)
    if span.end > ADDRESSES:
        mistakes.append(
            _mistake(point, f"address {span.start} and {span.count} registers end behind 65535",
                     "a value that ends at 65535 or before", "use the wire address, counted from 0")
        )  # fmt: skip
    if span.count > capacity(address.fc, limits):
        mistakes.append(
            _mistake(point, f"{span.count} registers", f"at most max_registers = {limits.max_registers}",
                     "raise `limits.max_registers`; a value is never read in two requests")
        )  # fmt: skip
    return mistakes


def _mistake(point: BoundPoint, problem: str, expected: str, repair: str) -> Mistake:
    where = f"device {point.device}"
    return Mistake(where, 0, 0, f"points.{point.profile.key}.modbus", problem, expected, repair)


def _cover(fc: int, spans: Sequence[Span]) -> Block:
    start = spans[0].start
    return Block(fc, start, max(span.end for span in spans) - start, tuple(spans))
