"""Reading: a task's parts, and how a refused one is cut until it is known what the device bears.

read(plan) ─ Part ─→ Line.ask ─→ bytes ─→ BlockDecoder ─→ Readings
              │ exception 02/03: halves, down to the value that does not exist, or to the gap between
              └ two that do; what is found (`learning`) lays the parts anew, and is noted for ever
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout, FieldError
from protocols.field.base import BoundDevice, Notes
from protocols.field.modbus.answers import BUSY, HOLE, NOBODY, exception_quality
from protocols.field.modbus.decode import BlockDecoder, Bytes
from protocols.field.modbus.frames import Answer, Question
from protocols.field.modbus.learning import Hole, Hurry, Learnt, is_hurried, kept
from protocols.field.modbus.line import Line
from protocols.field.modbus.planner import Block, Span, lanes, lay, split
from protocols.model.clock import SECOND_US, Clock
from protocols.model.device import Limits, PeriodClass
from protocols.model.quality import Quality
from protocols.model.reading import Readings

READS: Final[dict[int, type[ModbusPDU]]] = {
    1: ReadCoilsRequest, 2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest,
}  # fmt: skip
_JUMP: Final = 0x8000
LEARN_AGAIN_US: Final = 600 * SECOND_US
LEARN_AGAIN_SOON_US: Final = 60 * SECOND_US
"""A value that was refused is tried again after this; sooner where everything was (it may boot)."""


class Part:
    """One request of a task, compiled: its question, its decoder, and what it last answered."""

    def __init__(self, block: Block, unit: int, refused: int | None = None) -> None:
        self.block = block
        self.unit = unit
        self.question = Question.of(READS[block.fc](dev_id=unit, address=block.start, count=block.count))
        self.decoder = BlockDecoder(block)
        self.last: Readings | None = None
        self.refused = refused
        """Exception code of a value that the device does not have: not asked again for a while."""

    def payload(self, answer: Answer) -> Bytes:
        """Return the bytes behind the byte count, which the line has checked against the question."""
        return np.frombuffer(answer.data, np.uint8, offset=1)


class Unit:
    """A device on the line: what it bears, and how it took its last questions."""

    def __init__(self, device: BoundDevice, number: int, learnt: Learnt) -> None:
        self.key = device.key
        self.profile = f"{device.profile.id} {device.profile.version}"
        self.number = number
        self.given = device.profile.limits
        self.learnt = learnt
        self.lesson = 0
        """Counts what was learnt; a plan with an older number is laid anew."""
        self.silent = False
        self.answered_s = float("-inf")
        self.hurry = Hurry(learnt)

    @property
    def limits(self) -> Limits:
        """The profile's limits, as far as the device bears them."""
        return self.learnt.limits(self.given)


@dataclass(slots=True)
class Plan:
    """Inside of a ReadTask: the values it reads, and the parts in which its device bears to be asked."""

    unit: Unit
    spans: tuple[Span, ...]
    parts: list[Part]
    lesson: int
    learn_again_us: int = 0

    @property
    def first(self) -> Block:
        """The request that stands for the task: the first that is not refused, else the first."""
        return next((part for part in self.parts if part.refused is None), self.parts[0]).block


class Reader:
    """Reads plans over a line, and learns by it."""

    def __init__(self, line: Line, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self.notes: Notes | None = None

    def plans(self, device: BoundDevice, number: int, notes: Notes) -> list[tuple[PeriodClass, Plan]]:
        """Return the plans of one device, one for each request. Raises ConfigError with every mistake."""
        self.notes = notes
        unit = Unit(device, number, kept(notes, device.key, f"{device.profile.id} {device.profile.version}"))
        found: list[tuple[PeriodClass, Plan]] = []
        for period, spans in lanes(device):
            parts = self._lay(unit, spans)
            asked = [part for part in parts if part.refused is None]
            refused = [part for part in parts if part.refused is not None]
            # What is not asked for now belongs to some task, which tries it again one day.
            groups = [[part] for part in asked] or [[]]
            groups[0] += refused
            for group in groups:
                own = tuple(span for part in group for span in part.block.spans)
                plan = Plan(unit, own, group, unit.lesson)
                if len(group) > 1 or group[0].refused is not None:
                    plan.learn_again_us = self._clock() + LEARN_AGAIN_US
                found.append((period, plan))
        return found

    async def read(self, plan: Plan) -> Readings:
        """Read a plan part by part. After a silence nothing more is asked: what is left is BadTimeout too."""
        if plan.lesson != plan.unit.lesson:
            self._relay(plan)
        # A clock that was put back does not hold it up.
        if plan.learn_again_us and not 0 < plan.learn_again_us - self._clock() <= LEARN_AGAIN_US:
            plan.learn_again_us = 0
            for part in plan.parts:
                part.refused = None
        if len(plan.parts) == 1 and plan.parts[0].refused is None:
            answer = await self._ask(plan.parts[0], plan.unit)
            if isinstance(answer, Readings):
                self._heal(plan, plan.parts[0])
                return answer
            return await self._read_parts(plan, {0: answer})
        return await self._read_parts(plan, {})

    async def probe(self, plan: Plan) -> bool:
        """Read one register of a plan, once; whatever its unit says is an answer."""
        block = plan.first
        request = READS[block.fc](dev_id=plan.unit.number, address=block.start, count=1)
        try:
            answer = await self._line.ask(Question.of(request), plan.unit.limits, retries=0)
        except BadFrame:
            return True
        except DeviceTimeout:
            return False
        return answer.code not in NOBODY

    # ---- parts ----

    def _lay(self, unit: Unit, spans: Sequence[Span]) -> list[Part]:
        blocks, refused = lay(spans, unit.limits, unit.learnt)
        parts = [Part(block, unit.number) for block in blocks]
        return parts + [Part(block, unit.number, code) for block, code in refused]

    def _relay(self, plan: Plan) -> None:
        plan.parts = self._lay(plan.unit, plan.spans)
        plan.lesson = plan.unit.lesson
        refused = sum(part.refused is not None for part in plan.parts)
        soon = LEARN_AGAIN_SOON_US if refused == len(plan.parts) else LEARN_AGAIN_US
        plan.learn_again_us = self._clock() + soon if refused else 0

    async def _read_parts(self, plan: Plan, known: dict[int, int]) -> Readings:
        """`known`: the exception codes of parts that were asked just now, by their place."""
        readings: list[Readings] = []
        for at, part in enumerate(plan.parts):
            points = part.decoder.points
            if part.refused is not None:
                readings.append(Readings.bad(points, self._clock(), exception_quality(part.refused)))
                continue
            answer = known[at] if at in known else await self._ask(part, plan.unit)
            if isinstance(answer, int):
                silent = not await self._explore(plan.unit, part, answer, readings)
            else:
                readings.append(answer)
                silent = plan.unit.silent
                if not silent:
                    self._heal(plan, part)
            if silent:
                rest = plan.parts[at + 1 :]
                readings += [self._unasked(other.decoder) for other in rest]
                return Readings.concat(readings)
        if plan.lesson != plan.unit.lesson:
            self._relay(plan)
        return Readings.concat(readings)

    def _unasked(self, decoder: BlockDecoder) -> Readings:
        return Readings.bad(decoder.points, self._clock(), Quality.BAD_TIMEOUT)

    # ---- learning ----

    async def _explore(self, unit: Unit, part: Part, code: int, readings: list[Readings]) -> bool:
        """Cut a refused part until every value is read or known to be missing; False after a silence."""
        halves = split(part.block)
        if halves is None:
            block = part.block
            readings.append(Readings.bad(part.decoder.points, self._clock(), exception_quality(code)))
            self._note(unit, Hole(block.fc, block.start, block.count, code, whole=True))
            return True
        refused = False
        for at, half in enumerate(halves):
            piece = Part(half, unit.number)
            answer = await self._ask(piece, unit)
            if isinstance(answer, int):
                refused = True
                heard = await self._explore(unit, piece, answer, readings)
            else:
                readings.append(answer)
                heard = not unit.silent
            if not heard:
                readings += [self._unasked(BlockDecoder(other)) for other in halves[at + 1 :]]
                return False
        return refused or await self._between(unit, part.block, halves, code)

    async def _between(self, unit: Unit, block: Block, halves: tuple[Block, Block], code: int) -> bool:
        """Both halves answer, the whole does not: a hole lies between them, or the read is too long."""
        left, right = halves
        reach = right.start - block.start
        gap = right.start - (left.start + left.count)
        bears = gap <= 0 or await self._bears(unit, block.fc, block.start, reach)
        if bears is None:
            return False
        if not bears:
            self._note(unit, Hole(block.fc, left.start + left.count, gap, code, whole=False))
            return True
        low, high = max(left.count, right.count, reach if gap > 0 else 0), block.count
        while high - low > 1:
            middle = (low + high) // 2
            bears = await self._bears(unit, block.fc, block.start, middle)
            if bears is None:
                return False
            low, high = (middle, high) if bears else (low, middle)
        unit.learnt.shrink(block.fc, low)
        self._note(unit)
        return True

    async def _bears(self, unit: Unit, fc: int, start: int, count: int) -> bool | None:
        """Tell whether the device answers a read; None where it says nothing."""
        question = Question.of(READS[fc](dev_id=unit.number, address=start, count=count))
        try:
            answer = await self._line.ask(question, unit.limits, 0, unit.learnt.pause_ms / 1000)
        except BadFrame:
            return False
        except DeviceTimeout:
            unit.silent = True
            return None
        return answer.code is None

    def _heal(self, plan: Plan, part: Part) -> None:
        """Forget the holes that a part has just been read through."""
        block = part.block
        healed = {
            hole
            for hole in plan.unit.learnt.holes
            if hole.fc == block.fc and block.start <= hole.start and hole.end <= block.start + block.count
        }
        if healed:
            plan.unit.learnt.holes -= healed
            self._note(plan.unit)

    def _note(self, unit: Unit, hole: Hole | None = None) -> None:
        unit.lesson += 1
        if hole is not None:
            if hole in unit.learnt.holes:
                return
            unit.learnt.holes.add(hole)
        unit.learnt.learnt_us = self._clock()
        # One that has answered nothing yet may be booting: what it refuses then says nothing for ever.
        if self.notes is not None and unit.answered_s > float("-inf"):
            self.notes.put(unit.key, unit.learnt.record(unit.profile))

    # ---- asking ----

    async def _ask(self, part: Part, unit: Unit) -> Readings | int:
        """Return the readings of one request, or the code of an exception that says there is a hole."""
        points = part.decoder.points
        hurried = is_hurried(time.monotonic() - unit.answered_s)
        # A unit that was silent the last time costs the others one time-out, not one for each attempt.
        retries = 0 if unit.silent else unit.given.retries
        try:
            answer = await self._line.ask(part.question, unit.given, retries, unit.learnt.pause_ms / 1000)
        except ConnectionLost:
            raise
        except FieldError as error:
            unit.silent = isinstance(error, DeviceTimeout)
            return Readings.bad(points, self._clock(), error.quality)
        unit.silent = answer.code == 0x0B
        code = answer.code
        if code in HOLE:
            return int(code or 0)
        if code in BUSY:
            return self._last_usable(part)
        if code is not None:
            return Readings.bad(points, self._clock(), exception_quality(code))
        unit.answered_s = time.monotonic()
        if unit.hurry.asked(hurried, self._line.attempts):
            self._note(unit)
        fresh = part.decoder.decode(part.payload(answer), self._clock())
        if len(part.decoder.counters) and part.last is not None:
            fresh = await self._untorn(part, unit, part.last, fresh)
        part.last = fresh
        return fresh

    async def _untorn(self, part: Part, unit: Unit, last: Readings, fresh: Readings) -> Readings:
        """Read again where a counter jumped: a device may count on between the words of one answer.

        01FFFF → 020000 torn is 010000 or 02FFFF. The second reading is taken; where it agrees with neither,
        the counter's value is uncertain.
        """
        rows = part.decoder.counters
        suspect = _jumped(last, fresh, rows)
        if not suspect.any():
            return fresh
        try:
            answer = await self._line.ask(part.question, unit.given, 0, unit.learnt.pause_ms / 1000)
            again = (
                None if answer.code is not None else part.decoder.decode(part.payload(answer), self._clock())
            )
        except ConnectionLost:
            raise
        except FieldError:
            again = None
        if again is not None:
            fresh, suspect = again, _jumped(last, again, rows) & _jumped(fresh, again, rows)
        fresh.quality[rows[suspect]] = Quality.UNCERTAIN_SUB_NORMAL
        return fresh

    def _last_usable(self, part: Part) -> Readings:
        points, now = part.decoder.points, self._clock()
        if part.last is None:
            return Readings.bad(points, now, Quality.BAD_WAITING_FOR_INITIAL_DATA)
        # What was bad before is not made better by a busy device.
        was_bad = part.last.quality >= Quality.BAD
        quality = np.where(was_bad, part.last.quality, np.uint32(Quality.UNCERTAIN_LAST_USABLE_VALUE))
        return Readings.at(points, now, part.last.value, quality, part.last.text)


def _jumped(before: Readings, after: Readings, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which counters went back, or on by more than half a word; unknown ones did neither."""
    step = after.value[rows] - before.value[rows]
    jumped: NDArray[np.bool_] = (step < 0) | (step >= _JUMP)
    return jumped
