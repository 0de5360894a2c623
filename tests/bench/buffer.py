"""The store-and-forward log: durable appends per second, bytes per reading, and a log that is very full.

The limit writes the very same encoded bytes to a plain file with one fdatasync per group: nothing
durable can be faster on this disk. The full log holds 100 million readings, or as many as the environment
says in CITYNERVE_BENCH_READINGS; it takes two to three minutes and 300 MB.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings
from tests.bench.figure import Figure

POINTS = 1_000
LARGE = 8_192
"""Readings of a batch as `batch.readings` closes it where much comes."""
FULL = 100_000_000
START_US = 1_790_000_000 * SECOND_US


def measure() -> list[Figure]:
    """Run both groupings that the gateway uses: one batch of 1,000, and what one second brought."""
    return [
        *_grouped("1,000 readings, one sync each", batches=600, together=1),
        *_grouped("a second's 500,000 together", batches=2_000, together=500),
        *_full(int(os.environ.get("CITYNERVE_BENCH_READINGS", FULL))),
    ]


def sensor_seconds(seconds: int, points: int = POINTS) -> list[Readings]:
    """Return what `points` sensors with two decimals report at 1 Hz, one column set per second."""
    random = np.random.default_rng(7)
    index = np.arange(points, dtype=np.int32)
    level = random.uniform(5, 95, points)
    made = []
    for second in range(seconds):
        level = level + random.normal(0, 0.05, points)
        jitter = np.repeat(np.arange(points // 50 + 1) * 1_700, 50)[:points]
        times = START_US + second * SECOND_US + jitter
        made.append(Readings(index, times, np.round(level, 2), np.zeros(points, np.uint32)))
    return made


def _grouped(name: str, batches: int, together: int) -> list[Figure]:
    seconds = sensor_seconds(min(batches, 600))
    entries = [
        Entry("readings", "d" * 32, START_US, seconds[number % len(seconds)]) for number in range(batches)
    ]
    groups = [entries[start : start + together] for start in range(0, batches, together)]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        buffer = SqliteBuffer(Path(folder))
        began = time.perf_counter()
        for group in groups:
            buffer.append(group)
        ours = batches * POINTS / (time.perf_counter() - began)
        stored = [batch.data for batch in buffer.pending("readings", limit=batches)]
        depth = buffer.depth()["readings"]
        buffer.close()
        on_disk = sum(path.stat().st_size for path in Path(folder).glob("buffer.db*")) / depth.rows
        limit = batches * POINTS / _plain(Path(folder) / "plain", stored, together)
    on_wire = depth.bytes / depth.rows
    return [
        Figure(f"buffer: {name}", ours, "readings/s", limit, "file+fdatasync", "≥ 1,000,000/s"),
        Figure(f"buffer: bytes on disk, {name}", on_disk, "B/reading", 3, "B (issue)", "≤ 3"),
        Figure(f"buffer: bytes on the wire, {name}", on_wire, "B/reading", 4, "B (issue)", "≤ 4"),
    ]


def _full(readings: int) -> list[Figure]:
    """Fill a log, acknowledge a tenth of it in the middle, and look how it opens and answers."""
    seconds = sensor_seconds(120, LARGE)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        buffer = SqliteBuffer(Path(folder))
        batches = -(-readings // LARGE)
        began = time.perf_counter()
        for start in range(0, batches, 100):
            together = range(start, min(start + 100, batches))
            buffer.append(
                [
                    Entry("readings", "d" * 32, START_US + n * SECOND_US, seconds[n % len(seconds)])
                    for n in together
                ]
            )
        rate = batches * LARGE / (time.perf_counter() - began)
        middle = batches // 2
        buffer.acknowledge("readings", range(middle, middle + batches // 10))
        buffer.close()
        began = time.perf_counter()
        buffer = SqliteBuffer(Path(folder))
        opened = time.perf_counter() - began
        oldest = _best_ms(lambda: buffer.pending("readings", limit=1))
        depth = _best_ms(buffer.depth)
        forecast = _best_ms(buffer.forecast)
        since = START_US + middle * SECOND_US
        recent = _best_ms(lambda: next(buffer.recent(since, since + SECOND_US)))
        rows = buffer.depth()["readings"].rows
        on_disk = buffer.size_bytes() / (batches * LARGE)
        buffer.close()
    full = f"with {rows / 1e6:,.0f} million readings waiting"
    return [
        Figure(f"buffer: filling it, {LARGE} a batch", rate, "readings/s", want="≥ 1,000,000/s"),
        Figure(f"buffer: bytes on disk, {LARGE} a batch", on_disk, "B/reading", 3, "B (issue)", "≤ 3"),
        Figure(f"buffer: opens {full}", opened, "s", 2, "s (issue)", "< 2"),
        Figure("buffer: its oldest batch", oldest, "ms", want="milliseconds"),
        Figure("buffer: a batch of a given time", recent, "ms", want="milliseconds"),
        Figure("buffer: what waits", depth, "ms", want="milliseconds"),
        Figure("buffer: how long it lasts", forecast, "ms", want="milliseconds"),
    ]


def _best_ms(act: Callable[[], object]) -> float:
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - began)
    return best * 1000


def _plain(path: Path, stored: list[bytes], together: int) -> float:
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        for start in range(0, len(stored), together):
            file.write(b"".join(stored[start : start + together]))
            os.fdatasync(file.fileno())
        return time.perf_counter() - began
