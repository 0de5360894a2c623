"""Modbus: the two framings with their decoder, and a line's session over them.

Oracle: what is taken for the answer stands in the bytes behind a header with the question's number and
unit (MBAP), or before its right CRC (RTU, by another implementation than the driver's); and the values are
those bytes. Both are read here by `struct` alone.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout
from protocols.field.modbus.decode import BlockDecoder
from protocols.field.modbus.frames import Framing, Mbap, Question, Rtu
from protocols.field.modbus.line import Line
from protocols.field.modbus.planner import plan_device
from protocols.field.modbus.wires import Ear, Wire
from protocols.model.device import Limits
from protocols.model.reading import Readings
from tests.fuzz.door import Door, expect
from tests.fuzz.mutation import mutate, pieces
from tests.protocols.field.devices import bind, profile

UNIT, NUMBER = 17, 0x1234
KINDS = ("i16", "u16", "i32", "u32", "f32", "i64", "u64", "f64")
FORMS = {
    "i16": ">h",
    "u16": ">H",
    "i32": ">i",
    "u32": ">I",
    "f32": ">f",
    "i64": ">q",
    "u64": ">Q",
    "f64": ">d",
}


def _block() -> tuple[Question, BlockDecoder, list[tuple[str, int]]]:
    """Return a question for one value of each type, its decoder, and where each value lies in the answer."""
    points: list[dict[str, Any]] = []
    places, address = [], 100
    for kind in KINDS:
        points.append({"key": kind, "type": kind, "modbus": {"fc": 3, "address": address}})
        places.append((kind, 2 * (address - 100)))
        address += struct.calcsize(FORMS[kind]) // 2
    ((_, block),) = plan_device(bind(profile("modbus", points), {"unit": UNIT}))
    pdu = struct.pack(">BHH", 3, block.start, block.count)
    return Question(UNIT, pdu), BlockDecoder(block), places


class ModbusDoor(Door):
    """One framing."""

    framing: Callable[[], Framing]

    def __init__(self) -> None:
        self.question, self.decoder, self.places = _block()

    def values(self, rng: random.Random) -> bytes:
        """Return the registers of an answer: finite floats."""
        parts = [
            struct.pack(form, rng.uniform(-1e6, 1e6))
            if kind in ("f32", "f64")
            else rng.randbytes(struct.calcsize(form))
            for kind, form in FORMS.items()
        ]
        return b"".join(parts)

    def pdu(self, rng: random.Random) -> bytes:
        """Return an answer's PDU, now and then an exception."""
        if rng.randrange(12) == 0:
            return bytes((0x83, rng.randrange(12)))
        data = self.values(rng)
        return bytes((3, len(data))) + data

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Feed the bytes as they may come; judge what is taken for the answer."""
        framing, buffer, taken = self.framing(), bytearray(), None
        for piece in pieces(rng, data):
            buffer += piece
            try:
                taken = framing.take(buffer, self.question, NUMBER)
            except BadFrame:
                return False
            if taken is not None:
                break
        return taken is not None and self.judge(taken, data)

    def judge(self, pdu: bytes, stream: bytes) -> bool:
        """Return whether a PDU gave values. Raises Wrong where it is none of this question's."""
        expect(self.bears(pdu, stream), f"{pdu.hex(' ')} is taken for the answer, and stands nowhere as one")
        if pdu[0] & 0x80:
            expect(len(pdu) == 2, "an exception of another length")
            return False
        expect(pdu[0] == 3 and pdu[1] == len(pdu) - 2 == 2 * 20, "the answer to another question")
        self.decoded(self.decoder.decode(np.frombuffer(pdu, np.uint8, offset=2), 1), pdu[2:])
        return True

    def decoded(self, readings: Readings, registers: bytes) -> None:
        """Raise Wrong where a good value is not what the registers say."""
        for row, index in enumerate(readings.point.tolist()):
            kind, at = self.places[index]
            (said,) = struct.unpack_from(FORMS[kind], registers, at)
            got, good = float(readings.value[row]), readings.quality[row] == 0
            expect(not good or got == float(said), f"{kind} is {got} and good, the registers say {said}")
            expect(good == bool(np.isfinite(said)), f"{kind} {said} has quality {readings.quality[row]}")

    def bears(self, pdu: bytes, stream: bytes) -> bool:
        """Tell whether the stream has this PDU as an answer to this question."""
        raise NotImplementedError


class MbapDoor(ModbusDoor):
    """TCP, TLS, UDP."""

    name, share = "mbap", 250_000
    framing = Mbap

    def frame(self, rng: random.Random) -> bytes:
        """Return an answer, sometimes behind a late one."""
        made = b""
        for number in (NUMBER - 1, NUMBER) if rng.randrange(4) == 0 else (NUMBER,):
            pdu = self.pdu(rng)
            made += struct.pack(">HHHB", number, 0, len(pdu) + 1, UNIT) + pdu
        return made

    def bears(self, pdu: bytes, stream: bytes) -> bool:
        """By transaction, protocol, length and unit."""
        return struct.pack(">HHHB", NUMBER, 0, len(pdu) + 1, UNIT) + pdu in stream


class RtuDoor(ModbusDoor):
    """Serial lines, and TCP without a header."""

    name, share = "rtu", 250_000
    framing = Rtu

    def frame(self, rng: random.Random) -> bytes:
        """Return an answer, sometimes behind another unit's, or noise."""
        body = bytes((UNIT,)) + self.pdu(rng)
        before = rng.choice(
            (b"", b"", b"", rng.randbytes(3), (other := bytes((9, 3, 2, 0, 1))) + crc16(other))
        )
        return before + body + crc16(body)

    def bears(self, pdu: bytes, stream: bytes) -> bool:
        """By unit and CRC."""
        body = bytes((UNIT,)) + pdu
        return body + crc16(body) in stream


def crc16(body: bytes) -> bytes:
    """Return the CRC of a frame, bit by bit (Serial Line V1.02, 6.2.2)."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class _Wire(Wire):
    """Answers each request at once with what it was given."""

    def __init__(self, framing: Framing) -> None:
        super().__init__("Modbus fuzz", framing)
        self.answer: Callable[[bytes], list[bytes]] = lambda _: []
        self._ear: Ear | None = None

    async def open(self, ear: Ear) -> None:
        self._ear = ear

    def send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        for one in self.answer(data):
            loop.call_soon(self._say, one)

    def _say(self, data: bytes) -> None:
        if self._ear is not None:
            self._ear.data_received(data)

    def close(self) -> None:
        self._ear = None


class SessionDoor(Door):
    """A line over MBAP: what is left of one exchange meets the next; late, doubled and split answers."""

    name, share = "modbus-session", 20_000

    def __init__(self) -> None:
        self._inner = MbapDoor()
        self._loop = asyncio.new_event_loop()
        self._wire = _Wire(Mbap())
        self._line = Line(self._wire)
        self._loop.run_until_complete(self._line.open())

    def frame(self, rng: random.Random) -> bytes:
        """Return registers; the wire frames them, when the question is known."""
        return self._inner.values(rng)

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Ask once. What comes first is the mutated answer; the true one follows it."""
        true = data if len(data) == 40 else self._inner.values(rng)
        streams: list[bytes] = []

        def answer(asked: bytes) -> list[bytes]:
            framed = asked[:4] + struct.pack(">HBBB", len(true) + 3, UNIT, 3, len(true)) + true
            streams[:] = [asked[:2], mutate(rng, framed) + framed]
            return pieces(rng, streams[1])

        self._wire.answer = answer
        return self._loop.run_until_complete(self._ask(streams))

    async def _ask(self, streams: list[bytes]) -> bool:
        try:
            got = await self._line.ask(self._inner.question, Limits(timeout_ms=10, retries=0), 0)
        except (BadFrame, DeviceTimeout):
            return False
        except ConnectionLost:
            await self._line.close()
            await self._line.open()
            return False
        number, stream = streams
        pdu = (bytes((got.fc,)) if got.code is None else bytes((got.fc | 0x80,))) + got.data
        header = number + struct.pack(">HHB", 0, len(pdu) + 1, UNIT)
        expect(header + pdu in stream, f"{pdu.hex(' ')} is no answer to question {number.hex()}")
        return got.code is None

    def close(self) -> None:
        """Close the line."""
        self._loop.run_until_complete(self._line.close())
        self._loop.close()
