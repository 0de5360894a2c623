"""The gateway's disk: a small file system runs full, is full at the start, and a file that rots."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from edge.buffer.base import Entry
from edge.buffer.carve import PAGE
from edge.buffer.file import FILE_NAME
from edge.buffer.sqlite import SqliteBuffer
from edge.link.credentials import save
from edge.opening import open_plan
from edge.versions.store import Versions
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import SECOND_US, now_us
from protocols.model.reading import Readings
from protocols.wire.batch import decode
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import until
from tests.faults.lives import Ancestor, ended
from tests.faults.witness import (
    CountingField,
    carried_over,
    check_alarms,
    check_every_answer,
    check_numbers,
    counting_gateway,
    counts,
    drained,
    said,
)
from tests.ports import free_port

pytestmark = pytest.mark.faults

SMALL = 4 << 20
READS = 60
ROOMY = {"min_free_bytes": 0}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of four megabytes; only root may, and a run without it says what it left out."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system needs the right to mount: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write until not a byte fits any more; return the file that takes the room."""
    path = folder / "somebody-elses-file"
    with path.open("ab", buffering=0) as file:
        for size in (65_536, 4096, 512, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return path


@pytest.mark.parametrize("full_at_start", [False, True], ids=["runs-full", "full-at-start"])
async def test_a_full_disk(tmp_path: Path, *, full_at_start: bool) -> None:
    port = free_port()
    with small_disk(tmp_path / "state") as state, Ancestor() as ancestor:
        save(state, Credentials(gateway="gw-test", token=TOKEN))
        async with CountingField() as field:
            path = counting_gateway(tmp_path, field.port, f"http://127.0.0.1:{port}", storage=ROOMY)
            taken = fill(state) if full_at_start else None
            with ended(ancestor.live(path)) as life:
                await until(lambda: field.answered(1) > READS)
                taken = taken or fill(state)
                field.set(1, 0, 3500)
                begin = field.answered(1)
                await until(lambda: field.answered(1) > begin + READS)
                field.set(1, 0, 1000)
                await until(lambda: field.answered(1) > begin + 2 * READS)
                taken.unlink()
                async with FakeCentre(port) as centre:
                    await until(lambda: len(counts(centre, 1)) > 3 * READS)
                    await drained(path)
                    await asyncio.to_thread(life.stop)
                    await carried_over(ancestor, path, centre, field)
                    check_numbers(centre)
                    assert check_every_answer(centre, field) > 3 * READS
                    assert check_alarms(centre) >= 1
                    steps = [step.event for step in centre.alarms() if step.rule == "pump1.level-high"]
                    assert steps == [AlarmEvent.ACT, AlarmEvent.CLR]
        assert Versions(state, read_only=True).index.running == 1, "the versions were never written"
    assert "no space" in _log(tmp_path) or "full" in _log(tmp_path), "it said nothing of the full disk"


SAYS = (
    "the log is damaged; it goes on in a new file",
    "a batch is damaged on the disk",
    "batch is set aside",
)
BEFORE, ROWS = 400, 20
AT_ONCE = 20
SEEDS = range(int(os.environ.get("CITYNERVE_TEST_ROT", "4")))


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_file_rots(tmp_path: Path, seed: int) -> None:
    """A hole is cut, or bits turn: the gateway goes on, says so, and doubles nothing."""
    chance = random.Random(seed)  # noqa: S311
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    port = free_port()
    with Ancestor() as ancestor:
        async with CountingField() as field:
            path = counting_gateway(tmp_path, field.port, f"http://127.0.0.1:{port}", storage=ROOMY)
            field.set(1, 0, 3500)
            field.set(1, 41, _begun_before(path))
            with ended(ancestor.live(path)) as life:
                await until(lambda: field.answered(1) > BEFORE * ROWS + READS)
                await asyncio.to_thread(life.stop)
            # What the device answered while the gateway stopped may never have been in hand.
            last = field.answered(1)
            damaged, hit = _rot(tmp_path / "state" / FILE_NAME, chance, truncate=bool(seed % 2))
            with ended(ancestor.live(path)) as life:
                async with FakeCentre(port) as centre:
                    begin = field.answered(1)
                    await until(lambda: field.answered(1) > begin + READS)
                    await until(lambda: bool(centre.batches))
                    await drained(path)
                    await asyncio.to_thread(life.stop)
                    await carried_over(ancestor, path, centre, field)
                    found = counts(centre, 1)
                    assert found == sorted(set(found)), "doubled, or out of order"
                    assert set(range(begin + 1, field.answered(1))) <= set(found), "lost after the repair"
                    lost = set(range(1, begin + 1)) - set(found)
                    assert not lost or any(said(tmp_path, event) for event in SAYS), f"{damaged}: silent loss"
                    elsewhere = sorted(lost - hit - {last})
                    assert not elsewhere, f"{damaged}: {elsewhere[:20]} lay elsewhere"


def _begun_before(path: Path) -> int:
    """Fill the log with what an earlier life had counted, over many pages; return how far it came."""
    plan = open_plan(path)
    buffer = SqliteBuffer(path.parent / "state")
    buffer.remember(plan.declaration, plan.declared)
    start_us = now_us() - 600 * SECOND_US
    entries = []
    for batch in range(BEFORE):
        number = np.arange(batch * ROWS, (batch + 1) * ROWS) + 1
        point = np.full(ROWS, plan.indexes["pump1.count"], np.int32)
        good = np.zeros(ROWS, np.uint32)
        readings = Readings(point, start_us + number * 10_000, number.astype(np.float64), good)
        entries.append(Entry("readings", plan.declaration, start_us, readings))
    for first in range(0, BEFORE, AT_ONCE):
        buffer.append(entries[first : first + AT_ONCE])
    buffer.close()
    return BEFORE * ROWS


def _rot(path: Path, chance: random.Random, *, truncate: bool) -> tuple[str, set[int]]:
    """Damage a log that was closed in order; return how, and which counts lay in pages that were hit."""
    size, where = path.stat().st_size, _lies_at(path)
    with path.open("r+b") as file:
        if truncate:
            at = chance.randrange(size // 2, size)
            file.truncate(at)
            gone = set(range(at // PAGE, size // PAGE + 1))
            return f"cut at {at} of {size}", {n for n, pages in where.items() if pages & gone}
        spots = [chance.randrange(size) for _ in range(3)]
        for spot in spots:
            file.seek(spot)
            byte = file.read(1)[0]
            file.seek(spot)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))
        hit = {spot // PAGE for spot in spots}
        return f"bits turned at {spots} of {size}", {n for n, pages in where.items() if pages & hit}


def _lies_at(path: Path) -> dict[int, set[int]]:
    """Return for each count the pages of the file in which its batch is found."""
    raw = path.read_bytes()
    where: dict[int, set[int]] = {}
    with closing(sqlite3.connect(path)) as log:
        for (data,) in log.execute("SELECT data FROM readings").fetchall():
            at = raw.find(data)
            assert at >= 0, "a batch of this test lies in one page"
            payload = decode(data).payload
            assert isinstance(payload, Readings)
            pages = {at // PAGE, (at + len(data) - 1) // PAGE}
            where.update((int(value), pages) for value in payload.value.tolist())
    return where


def _log(folder: Path) -> str:
    return (folder / "gateway.log").read_text(encoding="utf-8").lower()
