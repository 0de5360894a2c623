"""Many readers of the live feed, as a process: `python -m tests.bench.browser_clients URL COOKIE N DEVICES…`.

Each reads the values of ten of the devices (500 points), as a browser would, over a connection of its own.
On a line of input it prints what it has seen since the line before, as JSON, and begins anew: delays from
source time to here (s), values, bytes. With `slow` before the devices each asks for all and reads nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from urllib.parse import urlencode, urlsplit

EACH = 10
CLOCK = re.compile(rb'"point":"[^"]*\.r0","value":[^,]*,"text":null,"time":"([^"]*)"')
STEPS_S = 0.005


@dataclass(slots=True)
class Seen:
    """What all readers have seen. delays: one for each value of a unit's first register."""

    delays: list[float] = field(default_factory=list)
    values: int = 0
    size: int = 0
    open: int = 0

    def take(self, piece: bytes) -> None:
        """Count a piece of a stream; a value that is cut in two by its end is not timed."""
        now = time.time()
        self.size += len(piece)
        self.values += piece.count(b'"point":')
        for found in CLOCK.findall(piece):
            self.delays.append(now - datetime.fromisoformat(found.decode()).timestamp())

    def told(self) -> str:
        """Return it as JSON, and begin anew."""
        said = json.dumps(
            {"delays": self.delays, "values": self.values, "size": self.size, "open": self.open}
        )
        self.delays, self.values, self.size = [], 0, 0
        return said


async def _open(
    url: str, cookie: str, devices: Sequence[str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 22)
    asked = urlencode([("device", device) for device in devices] + [("kinds", "readings")])
    head = f"GET /api/v1/live?{asked} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\n\r\n"
    writer.write(head.encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in answer.split(b"\r\n")[0]:
        raise RuntimeError(answer.decode())
    return reader, writer


async def _browser(url: str, cookie: str, devices: Sequence[str], seen: Seen) -> None:
    reader, _ = await _open(url, cookie, devices)
    seen.open += 1
    while piece := await reader.read(1 << 20):
        seen.take(piece)
    seen.open -= 1


async def _run(url: str, cookie: str, number: int, devices: Sequence[str]) -> None:
    seen = Seen()
    places = [0] if devices[0] == "slow" else range(number)
    tasks = []
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    for place in places:
        if devices[0] == "slow":
            idle += [await _open(url, cookie, devices[1:]) for _ in range(number)]
            for _, writer in idle:
                # What arrives stays in the kernel's buffers, as with a browser that hangs.
                cast(asyncio.Transport, writer.transport).pause_reading()
        else:
            mine = [devices[(place * 7 + step) % len(devices)] for step in range(EACH)]
            tasks.append(asyncio.create_task(_browser(url, cookie, mine, seen)))
            await asyncio.sleep(STEPS_S)
    while await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(seen.told() + "\n")
        sys.stdout.flush()
    for task in tasks:
        task.cancel()


class Browsers:
    """The process, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def look(self) -> Seen:
        """Return what was seen since the last look."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Seen(**json.loads(self._process.stdout.readline()))


@contextmanager
def browsers_process(url: str, cookie: str, number: int, devices: Sequence[str]) -> Iterator[Browsers]:
    """Run so many readers for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.bench.browser_clients", url, cookie, str(number), *devices]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Browsers(process)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
