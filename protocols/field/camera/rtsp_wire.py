r"""RTSP 1.0 messages and the frames that are interleaved with them (RFC 2326 sections 4 to 7 and 10.12).

RTSP/1.0 200 OK\r\n CSeq: 2\r\n Content-Length: 460\r\n\r\n v=0…        a response
OPTIONS rtsp://… RTSP/1.0\r\n …                                          a camera's own request
$ | channel u8 | length u16 | RTP or RTCP packet                         an interleaved frame
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protocols.errors import BadFrame
from protocols.model.quality import Quality

MAX_HEAD: Final = 16 * 1024
MAX_BODY: Final = 256 * 1024
_DOLLAR: Final = 0x24


@dataclass(frozen=True, slots=True)
class Response:
    """What a camera answers. headers: lower-case name → its values in order."""

    status: int
    reason: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first value of a header; empty where there is none."""
        return self.headers.get(name, ("",))[0]

    @property
    def cseq(self) -> int:
        """The request that it answers; -1 where it does not say."""
        text = self.header("cseq").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the camera's own; few cameras have any."""

    method: str
    cseq: str


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A packet of a channel: an even one is RTP, an odd one RTCP, as SETUP agreed."""

    channel: int
    data: bytes


Message = Response | Asked | Interleaved


def request(method: str, url: str, cseq: int, headers: Mapping[str, str]) -> bytes:
    """Return a request without a body. Raises ValueError for a line break in a header or the URL."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {cseq}", "User-Agent: CityNerve"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break in an RTSP header; remove it from the stream's path or the user name")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Return the next message, however it is split or merged on the line.

    Raises BadFrame for what is none, asyncio.IncompleteReadError at the end of the connection, OSError.
    """
    first = await reader.readexactly(1)
    while first in (b"\r", b"\n"):  # some cameras pad their bodies
        first = await reader.readexactly(1)
    if first[0] == _DOLLAR:
        head = await reader.readexactly(3)
        return Interleaved(head[0], await reader.readexactly(int.from_bytes(head[1:], "big")))
    if not first.isalpha():
        raise _broken(f"a message that begins with byte 0x{first[0]:02x}")
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise _broken("a header without an end") from error
    if len(head) > MAX_HEAD:
        raise _broken(f"a header of {len(head)} bytes")
    start, headers = read_head(head)
    text = headers.get("content-length", ("0",))[0].strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 7 or int(text) > MAX_BODY:
        raise _broken(f"a body of {text[:20]!r} bytes")
    body = await reader.readexactly(int(text))
    parts = start.split(" ", 2)
    if not start.startswith("RTSP/"):
        if len(parts) != 3 or not parts[2].startswith("RTSP/"):
            raise _broken(f"a first line {start[:60]!r}")
        return Asked(parts[0], headers.get("cseq", ("0",))[0])
    if len(parts) < 2 or not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) == 3):
        raise _broken(f"a status line {start[:60]!r}")
    return Response(int(parts[1]), parts[2] if len(parts) > 2 else "", headers, body)


def read_head(head: bytes) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return the first line and the headers, folded lines joined."""
    lines = head.decode("utf-8", "replace").split("\r\n")
    headers: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and name:
            *before, last = headers[name]
            headers[name] = (*before, f"{last} {line.strip()}")
            continue
        key, colon, value = line.partition(":")
        if colon:
            name = key.strip().lower()
            headers[name] = (*headers.get(name, ()), value.strip())
    return lines[0], headers


def _broken(what: str) -> BadFrame:
    return BadFrame(
        f"the camera sent {what}, which is no RTSP; check the port of the stream", Quality.BAD_DECODING_ERROR
    )
