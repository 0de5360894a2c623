"""The processes of the demo: started on a leash, watched, stopped in the reverse order."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from central.kernel.leash import leashed
from protocols.errors import CityNerveError

STOP_S = 20.0
CALL_S = 120.0
POLL_S = 0.2


class DemoFailed(CityNerveError):
    """A part of the demo did not come up, or ended by itself; says which, and what it last said."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    process: Process
    log: Path


class Crew:
    """Processes that live no longer than this object. Each writes to its own file in `logs`."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._parts: list[_Part] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, logs: Path) -> AsyncIterator[Self]:
        """Make a crew; whatever it started is stopped when the block ends."""
        crew = cls(logs)
        try:
            yield crew
        finally:
            await crew.stop()

    async def start(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        """Start `python ARGUMENTS …` and leave it running."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *leashed([sys.executable, *arguments]),
                stdin=DEVNULL, stdout=output, stderr=STDOUT, env={**os.environ, **(env or {})},
            )  # fmt: skip
        self._parts.append(_Part(name, process, log))

    async def call(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run `python ARGUMENTS …` to its end and return what it printed. Raises DemoFailed."""
        process = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, *arguments]),
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={**os.environ, **(env or {})},
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), CALL_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise DemoFailed(f"`{' '.join(arguments[:4])} …` failed: {err.decode(errors='replace')[-800:]}")
        return out.decode()

    async def first_death(self) -> str:
        """Wait until one of the running processes ends by itself; return a sentence about it."""
        while True:
            for part in self._parts:
                if part.process.returncode is not None:
                    return (
                        f"{part.name} ended with {part.process.returncode}."
                        f" Its log {part.log} ends:\n{_tail(part.log)}"
                    )
            await asyncio.sleep(POLL_S)

    async def until_answers(self, url: str, seconds: float) -> None:
        """Wait until a URL answers 200. Raises DemoFailed when the time is over."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await asyncio.to_thread(_answers, url):
            if asyncio.get_running_loop().time() > deadline:
                raise DemoFailed(f"{url} did not answer within {seconds:.0f} s; see {self._logs}")
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """End everything, the last started first; what does not end in time is killed."""
        for part in reversed(self._parts):
            with suppress(ProcessLookupError):
                part.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(part.process.wait(), STOP_S)
            except TimeoutError:
                part.process.kill()
                await part.process.wait()
        self._parts.clear()


def _answers(url: str) -> bool:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
    try:
        connection.request("GET", place.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-800:]
