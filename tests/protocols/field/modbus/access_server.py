"""A serial server that speaks RFC 2217: Telnet in which the client sets the port's speed and form."""

from __future__ import annotations

import asyncio
import contextlib
import re

from protocols.field.modbus.rfc2217 import sub
from tests.protocols.field.proxy import Proxy

IAC = b"\xff"
_ANSWERS = {b"\xfb": b"\xfd", b"\xfd": b"\xfb"}
"""WILL is answered by DO, DO by WILL."""
_WORD = re.compile(
    rb"\xff\xff|\xff\xfa\x2c(?P<command>.)(?P<value>(?:[^\xff]|\xff\xff)*)\xff\xf0"
    rb"|\xff(?P<verb>[\xfb\xfd])(?P<option>.)|[^\xff]+",
    re.DOTALL,
)


class AccessServer(Proxy):
    """Carries bytes to and from an RTU server; `told` is what it was told of the port, by command."""

    forgets = False
    """Whether it answers what is agreed already."""

    def __init__(self, upstream: int) -> None:
        super().__init__(upstream)
        self.told: dict[int, bytes] = {}

    def greet(self, near: asyncio.StreamWriter) -> None:
        """Begin with a client."""

    def answer(self, verb: bytes, option: bytes) -> bytes:
        """Return what is said to WILL or DO."""
        return IAC + _ANSWERS[verb] + option

    def done(self, command: int, value: bytes) -> bytes | None:
        """Return the value that the port has after a command; None where nothing is said of it."""
        del command
        return value

    async def _forth(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        buffer = b""
        agreed: set[bytes] = set()
        self.greet(near)
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                buffer += data
                at = 0
                while word := _WORD.match(buffer, at):
                    at = word.end()
                    if word["command"]:
                        self.told[word["command"][0]] = word["value"]
                        done = self.done(word["command"][0], word["value"])
                        if done is not None:
                            near.write(sub(bytes((word["command"][0] + 100,)) + done))
                    elif word["verb"] and (self.forgets or word[0] not in agreed):
                        # What is agreed is not answered again, or both sides would do so for ever (RFC 854).
                        agreed.add(word[0])
                        near.write(self.answer(word["verb"], word["option"]))
                    elif not word["verb"]:
                        far.write(word[0].replace(IAC + IAC, IAC))
                buffer = buffer[at:]
        far.close()

    async def _back(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await far.read(4096):
                near.write(data.replace(IAC, IAC + IAC))
        near.close()
