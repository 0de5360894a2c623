"""Real processes to be killed: a field, a gateway, the road, the centre; and the count afterwards.

What the gateway had buffered is known from the road: batches have names without gaps, so every batch
either passed it or still lies in the log. What the centre holds is read from its tables.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import msgspec
from psycopg.rows import tuple_row

from central.config import Config
from central.kernel.leash import leashed
from central.store.open import open_database
from edge.buffer.glance import glance
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import from_datetime
from protocols.model.manifest import Manifest
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, decode
from protocols.wire.channels import STREAMS
from tests.bench.field import field_process, write_gateway
from tests.faults.link import Road
from tests.ports import free_port

GATEWAY = "gw-bench"
UNITS, REGISTERS = 3, 10
Reading = tuple[str, int]
"""Point and source time."""
Step = tuple[str, int, str, int]
"""Occurrence, number, event and its time."""
Name = tuple[str, str, int]
"""boot, stream, seq"""
READINGS = "SELECT p.id, r.time FROM readings r JOIN points p USING (series)"
STEPS = "SELECT alarm, number, event, at FROM alarm_journal WHERE number IS NOT NULL ORDER BY id"


class House:
    """One city of three units. `async with House(folder, url) as house`; url None embeds PostgreSQL."""

    def __init__(self, folder: Path, database_url: str | None, *, period_s: float = 0.1) -> None:
        self.folder = folder
        self.database_url = database_url
        self.period_s = period_s
        self.port = free_port()
        self.road = Road(f"http://127.0.0.1:{self.port}")
        self._field = field_process(UNITS, REGISTERS)
        self._centre: Process | None = None
        self._gateway: Process | None = None

    async def __aenter__(self) -> House:
        try:
            return await self._open()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise

    async def _open(self) -> House:
        self.folder.chmod(0o755)
        line = self._field.__enter__()
        await self.road.__aenter__()
        await self.start_centre()
        self.file = write_gateway(
            self.folder, line, UNITS, REGISTERS, period_s=self.period_s, alarms=2, limit=400.0,
            centre_url=self.road.url,
        )  # fmt: skip
        made = json.loads(await self._call("central", "gateway", "enrol-code", GATEWAY, "--json"))
        await self._call("edge", "enrol", str(self.file), made["enrolment_code"])
        await self.start_gateway()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._gateway, self._centre):
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()
        await self.road.__aexit__(kind, error, trace)
        self._field.__exit__(kind, error, trace)

    @property
    def environ(self) -> dict[str, str]:
        """The centre's settings."""
        return {
            **os.environ,
            "CITYNERVE_DATA": str(self.folder / "centre"),
            "CITYNERVE_DATABASE_URL": self.database_url or "",
        }

    async def start_centre(self) -> None:
        """Start the centre and wait until it is well."""
        self._centre = await self._start("central", "serve", "--port", str(self.port))
        await self.until_well()

    async def until_well(self) -> None:
        """Wait until the centre says that it is well."""
        async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while True:
                with suppress(httpx2.TransportError):
                    answer = await client.get(f"http://127.0.0.1:{self.port}/healthz")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.1)

    async def kill_centre(self) -> None:
        """kill -9."""
        await _kill(self._centre)

    async def start_gateway(self) -> None:
        """Start the gateway."""
        self._gateway = await self._start("edge", "run", str(self.file))

    async def kill_gateway(self) -> None:
        """kill -9."""
        await _kill(self._gateway)

    async def stop_gateway(self) -> None:
        """SIGTERM, and wait: it writes what it has in hand."""
        assert self._gateway is not None
        self._gateway.terminate()
        assert await self._gateway.wait() == 0

    async def until_passed(self, batches: int) -> None:
        """Wait until the road has seen so many more batches of readings."""
        goal = len(self.road.seen) + batches
        async with asyncio.timeout(60):
            while len(self.road.seen) < goal:  # noqa: ASYNC110 - what passes the road sets no event
                await asyncio.sleep(0.05)

    async def until_drained(self) -> None:
        """Wait until nothing but the newest batch or two waits in the log."""
        async with asyncio.timeout(90):
            while self._waiting() > 2:  # noqa: ASYNC110 - another process empties it
                await asyncio.sleep(0.1)

    def _waiting(self) -> int:
        return sum(depth.batches for depth in glance(self.folder / "state").depth.values())

    async def _start(self, module: str, *arguments: str) -> Process:
        log = self.folder / f"{module}.log"
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *leashed([sys.executable, "-m", module, *arguments]),
                stdout=output,
                stderr=output,
                env=self.environ,
            )

    async def _call(self, module: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=self.environ,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def check_nothing_lost_nothing_doubled(self) -> int:
        """Compare both sides to the last reading and alarm step; the gateway must have been stopped.

        A batch that still waits in the log may be at the centre (its receipt was lost) or not, but
        only as a whole. Returns how many readings were compared.
        """
        batches, waiting, names = self._buffered()
        found, steps = await self.centre_holds()
        at_centre = set(found)
        assert len(found) == len(at_centre), "a reading was doubled"
        expected: set[Reading] = set()
        for name, batch in batches.items():
            readings = _readings(batch, names)
            if name not in waiting or readings <= at_centre:
                expected |= readings
        assert expected - at_centre == set(), "readings were lost"
        assert at_centre - expected == set(), "the centre holds what was never sent, or half a batch"

        assert len(steps) == len(set(steps)), "an alarm step was doubled"
        sure = {step for name, batch in batches.items() if name not in waiting for step in _steps(batch)}
        assert sure <= set(steps), "alarm steps were lost"
        assert set(steps) <= {step for batch in batches.values() for step in _steps(batch)}
        for occurrence in {step[0] for step in steps}:
            numbers = [step[1] for step in steps if step[0] == occurrence]
            assert numbers == list(range(1, len(numbers) + 1)), "alarm steps are out of order"
        return len(at_centre)

    def _buffered(self) -> tuple[dict[Name, Batch], set[Name], dict[str, list[str]]]:
        """Return everything the gateway ever buffered, what of it still waits, and the points' names."""
        buffer = SqliteBuffer(self.folder / "state")
        try:
            assert buffer.asides() == []
            waiting: dict[tuple[str, str, int], Batch] = {
                (buffer.boot, stream, stored.seq): decode(stored.data)
                for stream in STREAMS
                for stored in buffer.pending(stream, limit=100_000)
            }
            batches = self.road.seen | waiting
            for stream in STREAMS:
                numbers = sorted(seq for boot, name, seq in batches if (boot, name) == (buffer.boot, stream))
                assert numbers == list(range(1, len(numbers) + 1)), f"{stream}: a batch vanished"
            assert {boot for boot, _, _ in batches} == {buffer.boot}
            names: dict[str, list[str]] = {}
            for declaration in {batch.declaration for batch in batches.values()}:
                manifest = msgspec.json.decode(buffer.declaration(declaration) or b"", type=Manifest)
                names[declaration] = [f"{GATEWAY}.{point.device}.{point.key}" for point in manifest.points]
            return batches, set(waiting), names
        finally:
            buffer.close()

    async def centre_holds(self) -> tuple[list[Reading], list[Step]]:
        """Return every reading and every alarm step at the centre, in the order they were recorded."""
        config = Config(data_dir=self.folder / "centre", database_url=self.database_url)
        async with (
            open_database(config, migrate=False, attach=True) as database,
            database.pool.connection() as connection,
        ):
            cursor = connection.cursor(row_factory=tuple_row)
            rows: list[tuple[Any, ...]] = await (await cursor.execute(READINGS)).fetchall()
            journal: list[tuple[Any, ...]] = await (await cursor.execute(STEPS)).fetchall()
        readings = [(name, from_datetime(time)) for name, time in rows]
        return readings, [(name, number, event, from_datetime(at)) for name, number, event, at in journal]


def _readings(batch: Batch, names: dict[str, list[str]]) -> set[Reading]:
    if not isinstance(batch.payload, Readings):
        return set()
    ids, payload = names[batch.declaration], batch.payload
    pairs = zip(payload.point.tolist(), payload.time_us.tolist(), strict=True)
    return {(ids[point], time_us) for point, time_us in pairs}


def _steps(batch: Batch) -> list[Step]:
    rows = () if isinstance(batch.payload, Readings) else batch.payload
    return [
        (row.occurrence, row.number, row.event.value, row.event_us)
        for row in rows
        if isinstance(row, AlarmTransition)
    ]


async def _kill(process: Process | None) -> None:
    assert process is not None
    process.send_signal(signal.SIGKILL)
    await process.wait()
