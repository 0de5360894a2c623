"""Scanning units that behave as badly as real ones: silent, garbled, hanging up, lying about themselves."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from protocols.field.modbus.scan import OwnLine, Unit, identify, probe, read

REFUSES, NOBODY, HANGS_UP, WRONG_FUNCTION, LIES, SILENT, HOLDS, COILS_ONLY = range(1, 9)


def answer(unit: int, pdu: bytes) -> bytes | None:
    """What a unit says: None is silence, nothing at all is hanging up."""
    function = pdu[0]
    refused = bytes((function | 0x80, 2))
    match unit:
        case 1:
            return refused
        case 2:
            return bytes((function | 0x80, 0x0B))
        case 3:
            return b""
        case 4:
            return bytes((function ^ 1, 2, 0, 0))
        case 5:
            # Identification that promises more objects, and longer ones, than it has.
            return bytes((43, 14, 1, 0x81, 0, 0, 3, 0, 200)) + b"Evil\x1b[31m" if function == 43 else refused
        case 7:
            if function == 3:
                count = struct.unpack(">H", pdu[3:5])[0]
                return bytes((3, 2 * count)) + b"".join(struct.pack(">H", 100 + i) for i in range(count))
            return bytes((43, 14, 1, 0x81, 0, 0, 1, 0, 6)) + b"A\x1b[0m\n" if function == 43 else refused
        case 8:
            return bytes((1, 1, 1)) if function == 1 else None
    return None


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readexactly(7)
            transaction, _, length, unit = struct.unpack(">HHHB", head)
            said = answer(unit, await reader.readexactly(length - 1))
            if said == b"":
                return
            if said is not None:
                writer.write(struct.pack(">HHHB", transaction, 0, len(said) + 1, unit) + said)
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


@asynccontextmanager
async def line() -> AsyncIterator[OwnLine]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield OwnLine({"host": "127.0.0.1", "port": port}, timeout_s=0.15, pause_s=0.0)
    finally:
        server.close()
        await asyncio.sleep(0.01)  # the other side of each connection ends in the loop's next rounds


async def found(unit: int, *, thorough: bool = False) -> Unit | None:
    async with line() as own, own as ask:
        return await probe(ask, unit, thorough=thorough)


async def test_an_exception_is_an_answer() -> None:
    unit = await found(REFUSES)
    assert unit is not None
    assert unit.areas == dict.fromkeys((3, 4, 1, 2), "exception 02 illegal address")


@pytest.mark.parametrize("unit", [NOBODY, HANGS_UP, SILENT, COILS_ONLY])
async def test_nobody_is_there(unit: int) -> None:
    assert await found(unit) is None


async def test_a_thorough_scan_also_hears_who_has_coils_only() -> None:
    unit = await found(COILS_ONLY, thorough=True)
    assert unit is not None
    assert unit.areas == {1: "coils"}


async def test_a_line_that_was_hung_up_is_opened_again() -> None:
    async with line() as own, own as ask:
        assert await probe(ask, HANGS_UP) is None
        assert await probe(ask, HOLDS) is not None


async def test_garbled_answers_are_somebody() -> None:
    unit = await found(WRONG_FUNCTION)
    assert unit is not None
    assert "garbled" in unit.areas[3]


async def test_an_identity_is_cut_to_size_and_control_characters_never_reach_a_terminal() -> None:
    async with line() as own, own as ask:
        assert await identify(ask, LIES) == {"vendor": "Evil?[31m"}
        assert (await identify(ask, HOLDS))["vendor"] == "A?[0m?"


async def test_registers_or_the_reason_in_words() -> None:
    async with line() as own, own as ask:
        assert await read(ask, HOLDS, 3, 10, 3) == [100, 101, 102]
        assert await read(ask, HOLDS, 4, 0, 1) == "exception 02 illegal address"
        assert await read(ask, SILENT, 3, 0, 1) == "no answer"
        assert (await read(ask, COILS_ONLY, 1, 0, 3)) == [1, 0, 0]
