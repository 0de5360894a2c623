"""What is given up when there is no room: by a byte limit, and on a real file system of two megabytes."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from edge.buffer.base import Entry
from edge.buffer.glance import glance
from edge.buffer.sqlite import SqliteBuffer
from edge.buffer.thinning import LEVELS_S, Thinner
from edge.config.keeping import StorageEntry
from protocols.errors import StorageError
from protocols.model.clock import SECOND_US
from protocols.model.reading import Readings
from protocols.wire.batch import decode
from tests.edge.buffer.contract import DECLARATION, command, transition
from tests.edge.buffer.memory import in_memory

START_US = 1_790_000_000 * SECOND_US
POINTS = 200
ROOMY = StorageEntry(min_free_bytes=0)


def second(number: int) -> Entry:
    """Return what 200 points said in one second."""
    random = np.random.default_rng(number)
    made_us = START_US + number * SECOND_US
    values = np.round(random.uniform(0, 100, POINTS), 2)
    quality = np.zeros(POINTS, np.uint32)
    quality[number % POINTS] = 0x8000_0000
    return Entry(
        "readings",
        DECLARATION,
        made_us,
        Readings.at(np.arange(POINTS, dtype=np.int32), made_us, values, quality),
    )


def alarm(number: int) -> Entry:
    return Entry("alarms", DECLARATION, START_US, (transition(number),))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory, where that is ample."""
    with in_memory() as made:
        yield made


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of two megabytes; only root may."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"SKIPPED LOUDLY: no right to mount a small file system: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    path = folder / "somebody-elses-file"
    with path.open("ab", buffering=0) as file:
        for size in (65_536, 4096, 512, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return path


def test_kept_batches_go_first_and_nothing_is_thinned_for_them(folder: Path) -> None:
    buffer = SqliteBuffer(folder, lambda: START_US, StorageEntry(min_free_bytes=0, max_bytes=2 << 20))
    for number in range(0, 8_000, 20):
        buffer.append([second(number + i) for i in range(20)])
        buffer.acknowledge("readings", [stored.place for stored in buffer.pending("readings", limit=20)])
    assert buffer.size_bytes() <= (2 << 20) + (1 << 16)
    assert (buffer.forecast().thinned, buffer.forecast().dropped) == (0, 0)
    kept = [stored.seq for stored in buffer.recent(START_US, START_US + 8_000 * SECOND_US)]
    assert kept == list(range(kept[0], 8_001))
    assert 100 < len(kept) < 8_000
    buffer.close()


def test_old_readings_are_thinned_before_any_batch_goes_and_alarms_stay(folder: Path) -> None:
    limit = 2 << 20
    buffer = SqliteBuffer(folder, lambda: START_US, StorageEntry(min_free_bytes=0, max_bytes=limit))
    for number in range(0, 4_000, 10):
        entries = [second(number + i) for i in range(10)]
        if number % 100 == 0:
            entries.append(alarm(number + 1))
        buffer.append(entries)
        assert buffer.size_bytes() <= limit + (1 << 16)
    status = buffer.forecast()
    assert status.thinned > 0
    assert status.dropped == 0
    stored = buffer.pending("readings", limit=10_000)
    assert [batch.seq for batch in stored] == list(range(1, 4_001))
    assert sum(batch.n for batch in stored) + status.thinned == 4_000 * POINTS
    assert {batch.n for batch in stored[-300:]} == {POINTS}, "the newest tenth is whole"
    oldest = decode(stored[205].data).payload
    assert isinstance(oldest, Readings)
    assert len(oldest) < POINTS
    assert (oldest.quality >= 0x8000_0000).any(), "a change of quality stays"
    assert len(buffer.pending("alarms", limit=100)) == 40
    assert buffer.condition() == "short"
    buffer.close()
    assert glance(folder).thinned == status.thinned


def test_at_last_the_oldest_are_dropped_and_counted_and_the_order_stays(folder: Path) -> None:
    buffer = SqliteBuffer(folder, lambda: START_US, StorageEntry(min_free_bytes=0, max_bytes=1 << 20))
    for number in range(0, 4_000, 20):
        buffer.append([second(number + i) for i in range(20)])
        if number % 500 == 0:
            buffer.append([alarm(number + 1)])
    status = buffer.forecast()
    assert status.dropped > 0
    stored = buffer.pending("readings", limit=10_000)
    seqs = [batch.seq for batch in stored]
    assert seqs == list(range(seqs[0], 4_001)), "only the oldest went, and nothing in between"
    assert sum(batch.n for batch in stored) + status.thinned + status.dropped == 4_000 * POINTS
    assert len(buffer.pending("alarms", limit=100)) == 8
    buffer.close()
    again = SqliteBuffer(folder, lambda: START_US, StorageEntry(min_free_bytes=0, max_bytes=1 << 20))
    assert [batch.seq for batch in again.pending("readings", limit=10_000)] == seqs
    assert again.forecast().dropped == status.dropped
    again.close()


def test_a_full_disk_takes_alarms_and_outcomes_and_works_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        buffer = SqliteBuffer(disk / "state", lambda: START_US, ROOMY)
        for number in range(50):
            buffer.append([second(number)])
        taken = fill(disk)
        refused = 0
        for number in range(50, 600):
            try:
                buffer.append([second(number)])
            except StorageError as error:
                assert "Free some space" in str(error)
                refused += 1
        for number in range(1, 101):
            buffer.append([alarm(number)])
        assert buffer.begin(command("c"), 1)
        assert len(buffer.pending("alarms", limit=1000)) == 100
        told = sum(batch.n for batch in buffer.pending("readings", limit=1000))
        status = buffer.forecast()
        assert told + status.thinned + status.dropped == (600 - refused) * POINTS
        assert buffer.condition() == "short"
        buffer.close()
        again = SqliteBuffer(disk / "state", lambda: START_US, ROOMY)
        assert len(again.pending("alarms", limit=1000)) == 100
        assert [order.id for order in again.interrupted()] == ["c"]
        taken.unlink()
        again.append([second(700)])
        again.close()


def test_a_log_that_cannot_begin_waits_for_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        taken = fill(disk)
        buffer = SqliteBuffer(disk / "state", lambda: START_US, ROOMY)
        assert buffer.condition() == "short"
        assert buffer.boot == ""
        buffer.remember(DECLARATION, b"manifest")
        assert buffer.declaration(DECLARATION) == b"manifest"
        with pytest.raises(StorageError, match="goes on by itself"):
            buffer.append([second(1)])
        assert buffer.pending("readings") == []
        assert buffer.depth()["readings"].batches == 0
        assert buffer.load_state("alarms") is None
        taken.unlink()
        assert buffer.append([second(1)]) == [1]
        assert len(buffer.boot) == 32
        buffer.close()
        again = SqliteBuffer(disk / "state", lambda: START_US, ROOMY)
        assert again.declaration(DECLARATION) == b"manifest"
        again.close()


def test_the_floor_leaves_room_to_others(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    floor = free.f_bavail * free.f_frsize * 2
    buffer = SqliteBuffer(tmp_path, lambda: START_US, StorageEntry(min_free_bytes=floor))
    eighth = free.f_blocks * free.f_frsize // 8
    if free.f_bavail * free.f_frsize > eighth * 1.1:
        buffer.append([second(1)])  # at most an eighth of the disk is left to others
    buffer.close()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_thinning_keeps_the_first_of_each_span_and_every_change_of_quality(level: int) -> None:
    thinner, step = Thinner(level), LEVELS_S[level - 1]
    point = np.array([0, 1, 0, 1], np.int32)
    kept = []
    for number in range(0, 3 * step, 2):
        times = START_US // SECOND_US // step * step + np.array([number, number, number + 1, number + 1])
        quality = np.where((point == 1) & (number >= step + 4), 0x8000_0000, 0).astype(np.uint32)
        whole = Readings(point, times.astype(np.int64) * SECOND_US, np.arange(4.0), quality)
        thin = thinner.thin("d", whole)
        kept += list(
            zip(thin.point.tolist(), ((thin.time_us // SECOND_US) % (10 * step)).tolist(), strict=True)
        )
    begins = START_US // SECOND_US // step * step % (10 * step)
    for n in range(3):
        assert (0, begins + n * step) in kept
    assert (1, begins + step + 4) in kept, "the change of quality"


def test_a_thinned_batch_is_never_empty() -> None:
    thinner = Thinner(3)
    whole = second(0).payload
    assert isinstance(whole, Readings)
    assert len(thinner.thin("d", whole)) == POINTS
    again = thinner.thin("d", Readings.at(whole.point, START_US + 1, whole.value, whole.quality))
    assert len(again) == 1


def test_space_is_taken_before_and_given_back(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        buffer = SqliteBuffer(Path(folder), lambda: START_US, ROOMY)
        assert (Path(folder) / "ballast").stat().st_blocks * 512 >= 1 << 20
        buffer.close()
