"""OPC UA: bytes of a server into asyncua's channel, its decoder, and our rows.

Oracle: a reader of scalar DataValues of a ReadResponse, written from OPC 10000-6 (5.2.2.16, 5.2.2.17) with
struct alone; it knows status and value of each. The request's number stands in the frame's header.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import struct
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors import UaError

from protocols.field.opcua.answers import readable
from protocols.field.opcua.values import sample
from tests.fuzz.door import Door, expect
from tests.fuzz.mutation import pieces

CHANNEL, TOKEN, REQUEST = 5, 6, 7
FORMS: Final = {
    ua.VariantType.Boolean: "<?", ua.VariantType.SByte: "<b", ua.VariantType.Byte: "<B",
    ua.VariantType.Int16: "<h", ua.VariantType.UInt16: "<H", ua.VariantType.Int32: "<i",
    ua.VariantType.UInt32: "<I", ua.VariantType.Int64: "<q", ua.VariantType.UInt64: "<Q",
    ua.VariantType.Float: "<f", ua.VariantType.Double: "<d",
}  # fmt: skip
STAMP: Final = datetime(2026, 9, 22, 2, tzinfo=UTC)


class _Transport(asyncio.Transport):
    """Takes what is written, and notes that it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def write(self, data: Any) -> None:
        del data


class OpcUaDoor(Door):
    """ReadResponses in message chunks, over a channel without security."""

    name, share = "opcua", 150_000

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)

    def frame(self, rng: random.Random) -> bytes:
        """Return a chunk with four values."""
        response = ua.ReadResponse()
        response.ResponseHeader.Timestamp = STAMP
        response.Results = [self._value(rng) for _ in range(4)]
        body = struct_to_binary(response)
        size = struct.pack("<II", 24 + len(body), CHANNEL)
        return b"MSGF" + size + struct.pack("<III", TOKEN, 1, REQUEST) + body

    def _value(self, rng: random.Random) -> ua.DataValue:
        kind = rng.choice((*FORMS, ua.VariantType.String))
        held: Any = f"泵 {rng.randrange(99)}"
        if kind in FORMS:
            (held,) = struct.unpack(FORMS[kind], rng.randbytes(struct.calcsize(FORMS[kind])))
        status = ua.StatusCode(ua.UInt32(rng.choice((0, 0, 0, 0x4000_0000, 0x800A_0000))))
        return ua.DataValue(ua.Variant(held, kind), StatusCode=status, SourceTimestamp=STAMP)  # type: ignore[arg-type]

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Give the bytes to a channel that waits for request 7; decode and judge what it hands out."""
        return self._loop.run_until_complete(self._take(data, rng))

    async def _take(self, data: bytes, rng: random.Random) -> bool:
        protocol, transport = UASocketProtocol(), _Transport()
        protocol.connection_made(transport)
        channel = protocol._connection.security_token
        channel.ChannelId, channel.TokenId = CHANNEL, TOKEN
        protocol._connection._open = True
        waiting: asyncio.Future[Any] = self._loop.create_future()
        protocol._callbackmap[REQUEST] = waiting
        for piece in pieces(rng, data):
            if not transport.closed:
                protocol.data_received(piece)
        if not waiting.done() or waiting.exception() is not None:
            return False
        body = bytes(waiting.result())
        expect(body in data, "a body that the server did not send")
        try:
            with readable():
                response = struct_from_binary(ua.ReadResponse, Buffer(body))
        except UaError:
            return False
        return self._judge(body, response)

    def _judge(self, body: bytes, response: Any) -> bool:
        any_good, said = False, list(values(body))
        for at, held in enumerate(response.Results or ()):
            for kind in ("f64", "text"):
                row = sample(held, kind, 1)
                if row.quality >= 0x8000_0000:
                    continue
                any_good |= row.quality == 0
                got = row.text if row.text is not None else row.value
                if at < len(said):
                    status, true = said[at]
                    expect(
                        status == row.quality or not row.quality & ~0x4000_0000,
                        "another status than was sent",
                    )
                    expect(got == true, f"value {at} is {got!r} and usable, the bytes say {true!r}")
        return any_good

    def close(self) -> None:
        """Close the loop."""
        asyncio.set_event_loop(None)
        self._loop.close()


def values(body: bytes) -> Any:
    """Yield status and value of the leading DataValues, as far as they are scalars that this reader knows."""
    # NodeId (4 bytes), timestamp 8, handle 4, result 4, diagnostics 1, string table 4, additional header 3.
    plain = body[20:21] == b"\0" and body[21:25] in (b"\0\0\0\0", b"\xff\xff\xff\xff")
    if body[:4] != b"\x01\x00\x7a\x02" or not plain or body[25:28] != b"\0\0\0":
        return
    at = 28
    (count,) = struct.unpack_from("<i", body, at) if len(body) >= 32 else (0,)
    at += 4
    for _ in range(max(0, min(count, 16))):
        try:
            mask, kind = body[at], body[at + 1]
            at += 1
            held: float | str | None = None
            if mask & 1:
                at += 1
                if kind == 12:
                    (size,) = struct.unpack_from("<i", body, at)
                    at += 4
                    if size < 0 or at + size > len(body):
                        return
                    held, at = body[at : at + size].decode("utf-8"), at + size
                else:
                    form = FORMS[ua.VariantType(kind)]
                    held = float(struct.unpack_from(form, body, at)[0])
                    at += struct.calcsize(form)
                    held = held if math.isfinite(held) else None
            status = struct.unpack_from("<I", body, at)[0] if mask & 2 else 0
            at += 4 * bool(mask & 2) + 8 * bool(mask & 4) + 8 * bool(mask & 8)
            at += 2 * bool(mask & 16) + 2 * bool(mask & 32)
        except (struct.error, IndexError, KeyError, ValueError):
            return
        yield status, held
