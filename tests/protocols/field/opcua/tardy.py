"""A proxy whose server takes its time: for everything, or for what names a node.

It reads unsecured frames (OPC 10000-6, 6.7.2), so that one answer can come after others, as a server that
works on several requests sends them; each then gets the number that is its turn.

    MSG F size4 │ channel4 token4 │ number4 request4 │ body
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

from tests.protocols.field.proxy import Proxy

_HEADER: Final = 8
_NUMBERED: Final = 24


class Tardy(Proxy):
    """`slow`: seconds by the bytes that a request must hold; `b""` is every request."""

    def __init__(self, upstream: int) -> None:
        super().__init__(upstream)
        self.slow: dict[bytes, float] = {}
        self.late = 0
        """Answers that were held back and have been sent since."""
        self._held: dict[int, float] = {}

    async def _forth(
        self, reader: asyncio.StreamReader, far: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        del near
        while frame := await _frame(reader):
            if len(frame) >= _NUMBERED:
                waits = [seconds for part, seconds in self.slow.items() if part in frame]
                self._held[_number(frame, 20)] = max(waits, default=0.0)
            far.write(frame)
        far.close()

    async def _back(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        turn: int | None = None
        waiting: set[asyncio.Task[None]] = set()

        def send(frame: bytes) -> None:
            nonlocal turn
            if len(frame) >= _NUMBERED and frame[:3] == b"MSG":
                turn = _number(frame, 16) if turn is None else turn + 1
                frame = frame[:16] + struct.pack("<I", turn) + frame[20:]
            if not near.is_closing():
                near.write(frame)

        async def later(frame: bytes, seconds: float) -> None:
            await asyncio.sleep(seconds)
            self.late += 1
            send(frame)

        try:
            while frame := await _frame(far):
                seconds = self._held.pop(_number(frame, 20), 0.0) if frame[:3] == b"MSG" else 0.0
                if seconds:
                    waiting.add(asyncio.create_task(later(frame, seconds)))
                else:
                    send(frame)
        finally:
            for task in waiting:
                task.cancel()
            near.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame; nothing at the end of the connection."""
    try:
        header = await reader.readexactly(_HEADER)
        return header + await reader.readexactly(_number(header, 4) - _HEADER)
    except (OSError, asyncio.IncompleteReadError):
        return b""


def _number(frame: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", frame, at)[0])
