"""The centre as a process on its embedded PostgreSQL (synchronous_commit on): ingest, delay, drain.

Ingest is held against one connection that COPYs the same rows, ready-made, into the same table. Delay
runs from the tick at which a register changed to the line of the event stream that says so. The drain
begins with what ten minutes without a link leave in the log, put there by the log itself.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import httpx2
import numpy as np
from psycopg.rows import scalar_row

from central.config import Config
from central.store.open import open_database
from central.store.readings import Partitions, SeriesReadings, copy_bytes
from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.clock import SECOND_US, now_us
from protocols.model.reading import Readings
from tests.bench.field import field_process, write_gateway
from tests.bench.figure import Figure
from tests.bench.pour import BATCHES_SENT, ROWS, Pour, rows_of
from tests.bench.processes import (
    GATEWAY,
    PASSWORD,
    USER,
    Centre,
    centre_process,
    enrol,
    gateway_process,
    last_declaration,
    signed_in,
    waiting_rows,
)

UNITS, REGISTERS, PERIOD_S = 20, 50, 0.5
OUTAGE_S = 600


def measure() -> list[Figure]:
    """Run all three, each on a fresh database."""
    figures = []
    with centre_process() as centre:
        figures += asyncio.run(_ingest(centre))
    with centre_process() as centre, field_process(UNITS, REGISTERS, 1.1) as port:
        figures += _delay_and_drain(centre, port)
    return figures


async def _ingest(centre: Centre) -> list[Figure]:
    start = now_us() - 3600 * SECOND_US
    async with Pour.enrolled(centre) as pour:
        ours = await pour.rate(start)
    bare = await _copy(centre, [rows_of(start - 1800 * SECOND_US, number) for number in range(BATCHES_SENT)])
    return [
        Figure("ingest: HTTP → committed", ours, "readings/s", bare, "bare COPY", "≥ 0.5 and ≥ 100,000/s")
    ]


async def _copy(centre: Centre, rows: Sequence[Readings]) -> float:
    """COPY equal rows of another half hour by one connection, one transaction per batch."""
    config = Config(data_dir=centre.folder)
    async with (
        open_database(config, migrate=False, attach=True) as database,
        database.pool.connection() as connection,
    ):
        cursor = connection.cursor(row_factory=scalar_row)
        first = await (await cursor.execute("SELECT min(series) FROM points")).fetchone()
        assert isinstance(first, int)
        days = np.unique(np.concatenate([part.time_us for part in rows]) // (86_400 * SECOND_US))
        await Partitions(database.pool).ensure(days)
        ready = [
            copy_bytes(
                SeriesReadings.sort(part.point + np.int32(first), part.time_us, part.value, part.quality, {})
            )
            for part in rows
        ]
        await connection.commit()
        began = time.perf_counter()
        for data in ready:
            async with connection.transaction(), connection.cursor() as cursor:
                statement = "COPY readings (series, time, value, quality) FROM STDIN (FORMAT binary)"
                async with cursor.copy(statement) as copy:
                    await copy.write(data)
        return len(rows) * ROWS / (time.perf_counter() - began)


def _delay_and_drain(centre: Centre, port: int) -> list[Figure]:
    centre.command("user", "add", USER, "--role", "viewer", "--password-env", "BENCH_PASSWORD")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        file = write_gateway(
            Path(folder), port, UNITS, REGISTERS, period_s=PERIOD_S, alarms=5, centre_url=centre.url
        )
        enrol(file, centre.code())
        with gateway_process(file):
            _until_flowing(centre)
            delays = asyncio.run(_delays(centre, 40))
        _fill(Path(folder) / "state")
        with gateway_process(file):
            began = time.perf_counter()
            drained, ages = asyncio.run(_drain(centre, Path(folder) / "state"))
            drained -= began
    wanted = UNITS * REGISTERS / PERIOD_S
    return [
        Figure(
            f"delay: register → event stream, p50 at {wanted:,.0f}/s", float(np.quantile(delays, 0.5)), "s"
        ),
        Figure(
            f"delay: register → event stream, p99 at {wanted:,.0f}/s",
            float(np.quantile(delays, 0.99)),
            "s",
            1,
            "s (issue)",
            "< 1",
        ),
        Figure(f"drain: {OUTAGE_S} s at {wanted:,.0f}/s, time", drained, "s"),
        Figure("drain: readings/s beside the live ones", OUTAGE_S * wanted / drained, "readings/s"),
        Figure("drain: oldest live value meanwhile", max(ages, default=0.0), "s", 3, "s (issue)", "< 3"),
    ]


def _fill(state: Path) -> None:
    """Put into the log what the gateway would have kept in ten minutes without a link."""
    declaration = last_declaration(state / "buffer.db")
    buffer = SqliteBuffer(state)
    end = now_us()
    points = np.arange(UNITS * REGISTERS, dtype=np.int32)
    seconds = []
    for step in range(int(OUTAGE_S / PERIOD_S)):
        at = end - round((OUTAGE_S - step * PERIOD_S) * SECOND_US)
        value = np.round((points * 7 + step * 3) % 60_000 / 100, 2)
        seconds.append(Entry("readings", declaration, at, Readings.at(points, at, value)))
    for start in range(0, len(seconds), 100):
        buffer.append(seconds[start : start + 100])
    buffer.close()


def _until_flowing(centre: Centre) -> None:
    deadline = time.monotonic() + 60
    with signed_in(centre) as client:
        while time.monotonic() < deadline:
            answer = client.get("/api/v1/latest", params={"device": f"{GATEWAY}.unit1"})
            if answer.status_code == 200 and answer.json()["items"]:
                return
            time.sleep(0.2)
    raise RuntimeError("no readings reach the centre")


async def _live(centre: Centre) -> AsyncIterator[list[dict[str, object]]]:
    """Yield the readings events of every unit's clock register."""
    clocks = [("point", f"{GATEWAY}.unit{n}.r0") for n in range(1, UNITS + 1)]
    headers = {"Origin": centre.url}
    async with httpx2.AsyncClient(
        base_url=centre.url, trust_env=False, headers=headers, timeout=60
    ) as client:
        answer = await client.post("/api/v1/session", json={"username": USER, "password": PASSWORD})
        answer.raise_for_status()
        async with client.stream("GET", "/api/v1/live", params=[*clocks, ("kinds", "readings")]) as stream:
            kind = ""
            async for line in stream.aiter_lines():
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:") and kind == "readings":
                    yield json.loads(line[5:])["items"]


async def _delays(centre: Centre, seconds: float) -> list[float]:
    """Collect, for each change of a clock register, the age at which the stream first showed it."""
    seen: dict[object, object] = {}
    delays = []
    end = time.monotonic() + seconds
    async for items in _live(centre):
        for item in items:
            point, value = item["point"], item["value"]
            if value is not None and seen.get(point) not in {None, value}:
                delays.append(_age_s(float(str(value))))
            seen[point] = value
        if time.monotonic() > end:
            break
    return delays


async def _drain(centre: Centre, state: Path) -> tuple[float, list[float]]:
    """Wait until nothing old is left in the log; collect the age of live values meanwhile."""
    ages: list[float] = []
    shown = False

    async def look() -> None:
        nonlocal shown
        async for items in _live(centre):
            shown = True
            ages.extend(_age_us(item["time"]) for item in items)

    looking = asyncio.create_task(look())
    while waiting_rows(state / "buffer.db") > 5 * UNITS * REGISTERS or not shown:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)
    done = time.perf_counter()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return done, ages


def _age_s(value: float) -> float:
    """Return how long ago a clock register held this value."""
    return (now_us() // 1000 - round(value * 100)) % 60_000 / 1000


def _age_us(stamp: object) -> float:
    then = datetime.fromisoformat(str(stamp))
    return now_us() / 1e6 - then.timestamp()
