"""A damaged log: bits turned anywhere, files cut short or emptied; what is whole goes on under its name."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from edge.buffer.base import Entry
from edge.buffer.carve import PAGE
from edge.buffer.file import FILE_NAME
from edge.buffer.glance import glance
from edge.buffer.rescue import KEPT_FILES, quarantined
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.clock import SECOND_US
from protocols.model.manifest import declaration_hash
from protocols.model.reading import Readings
from protocols.wire import batch as wire
from protocols.wire.channels import STREAMS
from tests.edge.buffer.contract import command, transition

START_US = 1_790_000_000 * SECOND_US
MANIFEST = b'{"some": "manifest"}' * 300
DECLARATION = declaration_hash(MANIFEST)
SIZES = (20, 250, 2_000, 9_000)
SEEDS = range(int(os.environ.get("CITYNERVE_TEST_FLIPS", "25")))
Name = tuple[str, str, int]


decode = lru_cache(maxsize=None)(wire.decode)
"""The same batches are read after every damage."""


def readings(number: int) -> Entry:
    """Return a batch that lies in one page, or in several."""
    random_ = np.random.default_rng(number)
    n = SIZES[number % len(SIZES)]
    at_us = made_us(number)
    values = np.round(random_.random(n) * 100, 2)
    return Entry("readings", DECLARATION, at_us, Readings.at(np.arange(n, dtype=np.int32), at_us, values))


def made_us(number: int) -> int:
    """Return when a batch of this number was made."""
    return START_US + number * SECOND_US


@dataclass
class Witness:
    """A log as it was: cleanly closed, and as a killed process leaves it; and every batch in it."""

    closed: Path
    killed: Path
    batches: dict[Name, bytes]


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    folder = tmp_path_factory.mktemp("log")
    buffer = SqliteBuffer(folder / "closed")
    buffer.remember(DECLARATION, MANIFEST)
    for number in range(120):
        entries = [readings(number)]
        if number % 10 == 0:
            entries.append(Entry("alarms", DECLARATION, START_US, (transition(number + 1),)))
        buffer.append(entries, {"alarms": b"state %d" % number})
        if number % 50 == 0:
            assert buffer.begin(command(f"c{number}"), number + 1)
    buffer.acknowledge("readings", range(1, 31))
    batches = found(buffer)
    shutil.copytree(folder / "closed", folder / "killed")
    buffer.close()
    return Witness(folder / "closed", folder / "killed", batches)


def found(buffer: SqliteBuffer) -> dict[Name, bytes]:
    """Return every waiting batch by its name; what each says inside must be that name."""
    batches: dict[Name, bytes] = {}
    for stream in STREAMS:
        for stored in buffer.pending(stream, limit=100_000):
            batch = decode(stored.data)
            assert (batch.boot, batch.stream, batch.seq) == (stored.boot, stream, stored.seq)
            assert (stored.boot, stream, stored.seq) not in batches
            batches[stored.boot, stream, stored.seq] = stored.data
    return batches


def go_on(buffer: SqliteBuffer, times: int = 30) -> None:
    """Record some more; a rescue carries the old batches over meanwhile."""
    for number in range(1_000, 1_000 + times):
        numbers = buffer.append([readings(4 * number), Entry("alarms", DECLARATION, 1, (transition(1),))])
        assert len(numbers) == 2


def check(folder: Path, witness: Witness, lost_at_most: int) -> bool:
    """Run a damaged log; return whether it said that it was damaged."""
    buffer = SqliteBuffer(folder)
    found(buffer)  # some damage is only seen when somebody reads there
    go_on(buffer)
    after = found(buffer)
    missing = {made_us(4 * number) for number in range(1_000, 1_030)} - {
        decode(data).made_us for (_, stream, _), data in after.items() if stream == "readings"
    }
    assert not missing, "what was recorded after the damage is lost"
    changed = [name for name, data in after.items() if witness.batches.get(name, data) != data]
    assert not changed, "a number was given to other contents"
    lost = [name for name in witness.batches if name not in after]
    assert len(lost) <= lost_at_most, f"lost {lost}"
    said = buffer.condition() == "damaged" or bool(buffer.asides())
    assert said or not lost, "a silent loss"
    assert not any(aside.reason == "" for aside in buffer.asides())
    buffer.close()
    again = SqliteBuffer(folder)
    found(again)
    go_on(again, 5)  # a hole may have been seen only now: what was carried over is carried again
    later = found(again)
    assert after.items() <= later.items(), "a second start finds the same"
    assert again.depth()["readings"].batches == sum(name[1] == "readings" for name in later)
    assert glance(folder).depth["alarms"].batches == sum(name[1] == "alarms" for name in later)
    again.close()
    return said


def flip(path: Path, chance: random.Random, bits: int = 1) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(bits):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("file", [FILE_NAME, FILE_NAME + "-wal"])
def test_a_turned_bit_costs_at_most_its_page(tmp_path: Path, witness: Witness, file: str, seed: int) -> None:
    shutil.copytree(witness.killed, tmp_path / "log")
    flip(tmp_path / "log" / file, random.Random(seed))  # noqa: S311
    check(tmp_path / "log", witness, lost_at_most=PAGE // 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_many_turned_bits_in_a_log_that_was_closed(tmp_path: Path, witness: Witness, seed: int) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    flip(tmp_path / "log" / FILE_NAME, random.Random(seed), bits=10)  # noqa: S311
    check(tmp_path / "log", witness, lost_at_most=len(witness.batches) * 3 // 4)


@pytest.mark.parametrize("share", [0.9, 0.6, 0.3, 0.01])
@pytest.mark.parametrize("file", [FILE_NAME, FILE_NAME + "-wal"])
def test_a_file_that_was_cut_short(tmp_path: Path, witness: Witness, file: str, share: float) -> None:
    shutil.copytree(witness.killed, tmp_path / "log")
    path = tmp_path / "log" / file
    os.truncate(path, int(path.stat().st_size * share))
    check(tmp_path / "log", witness, lost_at_most=len(witness.batches))


def test_an_emptied_file_is_said(tmp_path: Path, witness: Witness) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    os.truncate(tmp_path / "log" / FILE_NAME, 0)
    assert check(tmp_path / "log", witness, lost_at_most=len(witness.batches))


def test_a_lost_header_costs_nothing_but_a_boot(tmp_path: Path, witness: Witness) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    with (tmp_path / "log" / FILE_NAME).open("r+b") as file:
        file.write(bytes(100))
    buffer = SqliteBuffer(tmp_path / "log")
    assert buffer.quarantined is not None
    assert buffer.load_state("alarms") == b"state 119"
    assert buffer.inbox_cursor() == 101
    assert [order.id for order in buffer.interrupted()] == ["c0", "c50", "c100"]
    assert not buffer.begin(command("c50"), 200), "what has begun once is not begun again"
    assert buffer.declaration(DECLARATION) == MANIFEST
    assert {name[0] for name in witness.batches} != {buffer.boot}
    go_on(buffer)
    assert witness.batches.items() <= found(buffer).items()
    oldest = buffer.pending("readings", limit=1)[0]
    assert (oldest.boot, oldest.seq) == next(
        iter((n[0], n[2]) for n in witness.batches if n[1] == "readings")
    )
    buffer.acknowledge("readings", [oldest.place])
    assert buffer.pending("readings", limit=1)[0].seq == oldest.seq + 1
    buffer.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE readings SET data = CAST(data AS TEXT) WHERE place = 50",
        "UPDATE readings SET data = 7 WHERE place = 50",
        "UPDATE readings SET n = n + 1 WHERE place = 50",
        "UPDATE readings SET n = 'x' WHERE place = 50",
        "UPDATE readings SET made_us = x'00' WHERE place = 50",
        "UPDATE fact SET value = CAST(x'ff' AS TEXT) WHERE key = 'state:alarms'",
        "UPDATE fact SET value = 7 WHERE key = 'book'",
        "UPDATE fact SET value = CAST(x'ff' AS TEXT) WHERE key = 'book'",
        "UPDATE declaration SET encoded = 7",
    ],
)
def test_a_row_whose_types_have_turned_stops_nothing(tmp_path: Path, witness: Witness, damage: str) -> None:
    """A bit in the head of a row makes a text of a blob: a gateway that met one stood still for ever."""
    shutil.copytree(witness.closed, tmp_path / "log")
    with closing(sqlite3.connect(tmp_path / "log" / FILE_NAME)) as log, log:
        assert log.execute(damage).rowcount > 0
    buffer = SqliteBuffer(tmp_path / "log")
    buffer.remember(DECLARATION, MANIFEST)
    assert buffer.declaration(DECLARATION) == MANIFEST
    assert buffer.load_state("alarms") in {b"state 119", None}
    found(buffer)
    go_on(buffer)
    assert len(list(buffer.recent(0, 1 << 60))) >= len(witness.batches) // 2
    buffer.close()
    check(tmp_path / "log", witness, lost_at_most=1)


@pytest.mark.parametrize("word", [b"made_us", b"data", b"readings", b"rev INTEGER", b"PRIMARY KEY"])
def test_names_of_tables_that_have_turned_stop_nothing(tmp_path: Path, witness: Witness, word: bytes) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    path = tmp_path / "log" / FILE_NAME
    content = path.read_bytes()
    at = content.rindex(word, 0, PAGE)
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    buffer = SqliteBuffer(tmp_path / "log")
    assert buffer.load_state("alarms") == b"state 119"
    buffer.remember(DECLARATION, MANIFEST)
    buffer.close()
    check(tmp_path / "log", witness, lost_at_most=0)


def test_what_waits_and_cannot_be_found_is_waited_for_no_longer(tmp_path: Path, witness: Witness) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    with closing(sqlite3.connect(tmp_path / "log" / FILE_NAME)) as log, log:
        log.execute("DELETE FROM readings WHERE place > 100")
    buffer = SqliteBuffer(tmp_path / "log")
    while stored := buffer.pending("readings"):
        buffer.acknowledge("readings", [batch.place for batch in stored])
        go_on(buffer, 1 if len(stored) == 8 else 0)
    assert buffer.depth()["readings"].batches == 0
    assert buffer.condition() == "damaged"
    buffer.close()


def test_damage_while_it_runs_does_not_stop_it(tmp_path: Path, witness: Witness) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    buffer = SqliteBuffer(tmp_path / "log")
    boot = buffer.boot
    with (tmp_path / "log" / FILE_NAME).open("r+b") as file:
        for page in range(1, (tmp_path / "log" / FILE_NAME).stat().st_size // PAGE, 3):
            file.seek(page * PAGE)
            file.write(bytes(12))
    go_on(buffer)
    after = found(buffer)
    assert all(witness.batches.get(name, data) == data for name, data in after.items())
    assert len(witness.batches.keys() & after.keys()) > len(witness.batches) // 4
    assert buffer.boot != boot
    assert buffer.condition() == "damaged"
    buffer.close()


def test_a_rescue_that_is_cut_short_goes_on(tmp_path: Path, witness: Witness) -> None:
    shutil.copytree(witness.closed, tmp_path / "log")
    with (tmp_path / "log" / FILE_NAME).open("r+b") as file:
        file.write(bytes(100))
    SqliteBuffer(tmp_path / "log").close()
    buffer = SqliteBuffer(tmp_path / "log")
    go_on(buffer)
    assert witness.batches.items() <= found(buffer).items()
    buffer.close()


def test_a_new_file_that_was_never_begun_begins_with_the_damaged_one(
    tmp_path: Path, witness: Witness
) -> None:
    """The power goes between the moving of the damaged file and the first transaction of the new one."""
    shutil.copytree(witness.closed, tmp_path / "log")
    (tmp_path / "log" / FILE_NAME).rename(tmp_path / "log" / f"{FILE_NAME}.damaged-1")
    buffer = SqliteBuffer(tmp_path / "log")
    go_on(buffer)
    assert witness.batches.items() <= found(buffer).items()
    assert not {boot for boot, _, _ in witness.batches} & {buffer.boot}
    buffer.close()


def test_only_a_few_damaged_files_are_kept(tmp_path: Path) -> None:
    for second in range(KEPT_FILES + 3):
        buffer = SqliteBuffer(tmp_path, lambda at=second: at * SECOND_US)  # type: ignore[misc]
        go_on(buffer, 1)
        buffer.close()
        with (tmp_path / FILE_NAME).open("r+b") as file:
            file.write(bytes(100))
    assert len(quarantined(tmp_path)) <= KEPT_FILES + 1
