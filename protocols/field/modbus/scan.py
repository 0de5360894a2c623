"""Who lives on a Modbus line: unit ids, what each answers to, its identity, and any registers of it.

An exception is an answer too: a unit that says `illegal address` is alive. Only 0A and 0B, which a serial
gateway says in a silent unit's place, and silence itself mean that nobody is there
(`../shared/domain/field_protocols.md` 1.1; device identification: Application Protocol V1.1b3, 6.21).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from protocols.errors import BadFrame, ConnectionLost
from protocols.field.modbus.answers import NOBODY, exception_name
from protocols.field.modbus.frames import Answer, Question
from protocols.field.modbus.line import line_of
from protocols.field.modbus.settings import ModbusSettings
from protocols.model.device import Limits

Ask = Callable[[Question], Awaitable[Answer | None]]
"""Puts one question to the line and returns the answer, None for silence. Raises ConnectionLost, BadFrame."""

AREAS: Final = {3: "holding registers", 4: "input registers", 1: "coils", 2: "discrete inputs"}
"""Function codes in the order in which they are tried; most devices answer the first or the second."""
NOT_THERE: Final = frozenset({1, 2, 3})
IDENTITY: Final = {0: "vendor", 1: "product", 2: "revision", 3: "url", 4: "name", 5: "model"}
_MORE_FOLLOWS: Final = 0xFF
_READS: Final[dict[int, type[ModbusPDU]]] = {
    1: ReadCoilsRequest, 2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that answered. `areas`: function code to what it said; `identity` may be empty."""

    unit: int
    areas: dict[int, str]
    identity: dict[str, str] = field(default_factory=dict)


class OwnLine:
    """A line of the scan's own: opened before, closed after, opened again where the other end hangs up.

    Raises ValueError for settings that are none (pydantic's, with the repair in words).
    """

    def __init__(self, settings: Mapping[str, Any], *, timeout_s: float, pause_s: float) -> None:
        self._limits = Limits(
            timeout_ms=max(10, round(timeout_s * 1000)),
            retries=0,
            pause_between_requests_ms=round(pause_s * 1000),
        )
        self._line = line_of(ModbusSettings.model_validate(settings), [self._limits])

    async def __aenter__(self) -> Ask:
        """Connect. Raises ConnectionLost."""
        await self._line.open()
        return self.ask

    async def __aexit__(self, *_: object) -> None:
        await self._line.close()

    async def ask(self, question: Question) -> Answer | None:
        """Ask once; some gateways hang up instead of answering for a unit that is not there."""
        try:
            return await self._line.probe(question, self._limits)
        except ConnectionLost:
            await self._line.close()
            await self._line.open()
            return None


async def probe(ask: Ask, unit: int, *, thorough: bool = False) -> Unit | None:
    """Return a unit that answers, with its identity, or None.

    Silence to function codes 3 and 4 ends it; `thorough` also tries coils and discrete inputs first.
    """
    areas: dict[int, str] = {}
    for fc, name in AREAS.items():
        if not areas and not thorough and fc not in (3, 4):
            return None
        try:
            answer = await ask(Question.of(_READS[fc](dev_id=unit, address=0, count=1)))
        except BadFrame:
            areas[fc] = "garbled answers: check speed, parity and whether two units share this id"
            continue
        if answer is None:
            continue
        if answer.code is None:
            areas[fc] = name
        elif answer.code in NOBODY:
            return None
        else:
            areas[fc] = exception_name(answer.code)
    return Unit(unit, areas, await identify(ask, unit)) if areas else None


async def identify(ask: Ask, unit: int) -> dict[str, str]:
    """Return what 43/14 tells: vendor, product, revision, …; nothing where the unit does not know it."""
    found: dict[str, str] = {}
    first = 0
    for _ in range(len(IDENTITY)):
        request = ReadDeviceInformationRequest(read_code=1, object_id=first, dev_id=unit)
        try:
            answer = await ask(Question.of(request))
        except BadFrame:
            return found
        if answer is None or answer.code is not None or len(answer.data) < 6:
            return found
        for number, data in _objects(answer.data):
            text = data.decode("utf-8", "replace").strip(" \0")
            if number in IDENTITY and text:
                found[IDENTITY[number]] = "".join(c if c.isprintable() else "?" for c in text)[:64]
        more, first = answer.data[3], answer.data[4]
        if more != _MORE_FOLLOWS:
            break
    return found


def _objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the objects of `[ 14 | code | conformity | more | next | count ] ([ id | length ] text)…`.

    One that promises more bytes than came ends it.
    """
    at = 6
    while at + 2 <= len(data):
        number, length = data[at], data[at + 1]
        yield number, data[at + 2 : at + 2 + length]
        at += 2 + length


async def read(ask: Ask, unit: int, fc: int, start: int, count: int) -> list[int] | str:
    """Return `count` registers (fc 3, 4) or bits (1, 2) from wire address `start`, or in words why not.

    The words of an exception are `exception_name`'s. Raises ConnectionLost.
    """
    try:
        answer = await ask(Question.of(_READS[fc](dev_id=unit, address=start, count=count)))
    except BadFrame as error:
        return str(error)
    if answer is None:
        return "no answer"
    if answer.code is not None:
        return exception_name(answer.code)
    data = answer.data[1:]
    if fc <= 2:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return [int(bit) for bit in bits[:count]]
    return [int(word) for word in np.frombuffer(data, ">u2")]
