"""The store-and-forward log: durable appends per second, bytes per reading.

The limit writes the very same encoded bytes to a plain file with one fdatasync per group: nothing
durable can be faster on this disk.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings
from tests.bench.figure import Figure

POINTS = 1_000
START_US = 1_790_000_000 * SECOND_US


def measure() -> list[Figure]:
    """Run both groupings that the gateway uses: one batch of 1,000, and what one second brought."""
    return [
        *_grouped("1,000 readings, one sync each", batches=600, together=1),
        *_grouped("a second's 500,000 together", batches=2_000, together=500),
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
        Figure(f"buffer: {name}", ours, "readings/s", limit, "file+fdatasync", "≥ 500,000/s"),
        Figure(f"buffer: bytes on disk, {name}", on_disk, "B/reading", 4, "B (issue)", "≤ 4"),
        Figure(f"buffer: bytes on the wire, {name}", on_wire, "B/reading", 4, "B (issue)", "≤ 4"),
    ]


def _plain(path: Path, stored: list[bytes], together: int) -> float:
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        for start in range(0, len(stored), together):
            file.write(b"".join(stored[start : start + together]))
            os.fdatasync(file.fileno())
        return time.perf_counter() - began
