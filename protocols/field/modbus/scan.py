"""Who lives on a Modbus line: unit ids, what each answers to, its identity, and any registers of it.

An exception is an answer too: a unit that says `illegal address` is alive. Only 0A and 0B, which a serial
gateway says in a silent unit's place, and silence itself mean that nobody is there
(`../shared/domain/field_protocols.md` 1.1; device identification: Application Protocol V1.1b3, 6.21).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from protocols.errors import BadFrame, ConnectionLost
from protocols.field.modbus.answers import exception_name
from protocols.field.modbus.line import Line
from protocols.model.device import Limits

Ask = Callable[[ModbusPDU], Awaitable[ModbusPDU | None]]
"""Puts one question to the line and returns the answer, None for silence. Raises ConnectionLost, BadFrame."""

AREAS: Final = {3: "holding registers", 4: "input registers", 1: "coils", 2: "discrete inputs"}
"""Function codes in the order in which they are tried; most devices answer the first or the second."""
NOBODY: Final = frozenset({0x0A, 0x0B})
NOT_THERE: Final = frozenset({1, 2, 3})
IDENTITY: Final = {0: "vendor", 1: "product", 2: "revision", 3: "url", 4: "name", 5: "model"}
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
    """A line of the scan's own: opened before, closed after, opened again where the other end hangs up."""

    def __init__(self, host: str, port: int, *, timeout_s: float, pause_s: float) -> None:
        self._line = Line(host, port, 0.0)
        self._pause_s = pause_s
        self._limits = Limits(timeout_ms=max(10, round(timeout_s * 1000)), retries=0)

    async def __aenter__(self) -> Ask:
        """Connect. Raises ConnectionLost."""
        await self._line.open()
        return self.ask

    async def __aexit__(self, *_: object) -> None:
        await self._line.close()

    async def ask(self, request: ModbusPDU) -> ModbusPDU | None:
        """Ask once; some gateways hang up instead of answering for a unit that is not there."""
        await asyncio.sleep(self._pause_s)
        try:
            return await self._line.probe(request, self._limits)
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
            answer = await ask(_READS[fc](dev_id=unit, address=0, count=1))
        except BadFrame:
            areas[fc] = "garbled answers: check speed, parity and whether two units share this id"
            continue
        if answer is None:
            continue
        if not isinstance(answer, ExceptionResponse):
            areas[fc] = name
        elif answer.exception_code in NOBODY:
            return None
        else:
            areas[fc] = exception_name(answer.exception_code)
    return Unit(unit, areas, await identify(ask, unit)) if areas else None


async def identify(ask: Ask, unit: int) -> dict[str, str]:
    """Return what 43/14 tells: vendor, product, revision, …; nothing where the unit does not know it."""
    try:
        answer = await ask(ReadDeviceInformationRequest(read_code=1, object_id=0, dev_id=unit))
    except BadFrame:
        return {}
    if not isinstance(answer, ReadDeviceInformationResponse):
        return {}
    found: dict[str, str] = {}
    for number, data in answer.information.items():
        raw = data if isinstance(data, bytes) else str(data).encode()
        text = raw.decode("utf-8", "replace").strip(" \0")
        if number in IDENTITY and text:
            found[IDENTITY[number]] = "".join(c if c.isprintable() else "?" for c in text)[:64]
    return found


async def read(ask: Ask, unit: int, fc: int, start: int, count: int) -> list[int] | str:
    """Return `count` registers (fc 3, 4) or bits (1, 2) from wire address `start`, or in words why not.

    The words of an exception are `exception_name`'s. Raises ConnectionLost.
    """
    try:
        answer = await ask(_READS[fc](dev_id=unit, address=start, count=count))
    except BadFrame as error:
        return str(error)
    if answer is None:
        return "no answer"
    if isinstance(answer, ExceptionResponse):
        return exception_name(answer.exception_code)
    data: bytes = getattr(answer, "data", b"")[1:]
    if fc <= 2:
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return [int(bit) for bit in bits[:count]]
    if len(data) != 2 * count:
        return f"{len(data)} bytes came instead of {2 * count}"
    return [int(word) for word in np.frombuffer(data, ">u2")]


def shared(line: Line, limits: Limits) -> Ask:
    """Return how to ask on a line that somebody holds already; it is not closed or opened here."""

    async def ask(request: ModbusPDU) -> ModbusPDU | None:
        return await line.probe(request, limits)

    return ask
