"""The SQLite log: the contract, and what only a file can suffer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.buffer.base import Buffer
from edge.buffer.file import FILE_NAME
from edge.buffer.sqlite import SqliteBuffer
from protocols.errors import StorageError
from protocols.wire.batch import decode
from tests.edge.buffer.contract import BufferContract, entry


class TestSqlite(BufferContract):
    @pytest.fixture(autouse=True)
    def _folder(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as folder:
            self.root = Path(folder)
            self.count = 0
            yield

    def fresh(self) -> Buffer:
        self.count += 1
        self.folder = self.root / str(self.count)
        return SqliteBuffer(self.folder)

    def again(self, buffer: Buffer) -> Buffer:
        boot = buffer.boot
        buffer.close()
        found = SqliteBuffer(self.folder)
        assert found.boot == boot
        return found


def test_the_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    SqliteBuffer(tmp_path).close()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_second_gateway_on_one_log_is_refused(tmp_path: Path) -> None:
    buffer = SqliteBuffer(tmp_path)
    with pytest.raises(StorageError, match="another gateway"):
        SqliteBuffer(tmp_path)
    buffer.close()
    SqliteBuffer(tmp_path).close()


def test_a_damaged_file_is_kept_and_a_new_log_begins(tmp_path: Path) -> None:
    buffer = SqliteBuffer(tmp_path)
    boot = buffer.boot
    buffer.append([entry(1.0)])
    buffer.close()
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 1000)
    buffer = SqliteBuffer(tmp_path, clock=lambda: 42_000_000)
    assert buffer.quarantined == tmp_path / "buffer.db.damaged-42"
    assert buffer.quarantined.exists()
    assert buffer.boot != boot
    assert buffer.append([entry(2.0)]) == [1]
    buffer.close()


WRITER = """
import sys
from pathlib import Path
from edge.buffer.sqlite import SqliteBuffer
from tests.edge.buffer.contract import entry
buffer = SqliteBuffer(Path(sys.argv[1]))
while True:
    print(buffer.append([entry(1.0, 2.0)])[0], flush=True)
"""


@pytest.mark.faults
def test_kill_9_loses_nothing_that_append_returned(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    told = 0
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=root, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(20):
                told = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            lines = writer.stdout.read().split()
        told = int(lines[-1]) if lines else told
        buffer = SqliteBuffer(tmp_path)
        stored = buffer.pending("readings", limit=100_000)
        buffer.close()
        assert [batch.seq for batch in stored] == list(range(1, len(stored) + 1))
        # One append may have reached the disk without being told.
        assert told <= len(stored) <= told + 1
        assert all(decode(batch.data).seq == batch.seq for batch in stored)


def test_numbers_that_the_disk_forgot_in_a_power_cut_name_nothing_else(tmp_path: Path) -> None:
    """The card drops its last writes and the wal-index: two batches are at the centre, and here no more."""
    buffer = SqliteBuffer(tmp_path / "log", kernel="run-1")
    buffer.append([entry(1.0)])
    shutil.copytree(tmp_path / "log", tmp_path / "after")
    (tmp_path / "after" / f"{FILE_NAME}-shm").unlink()
    assert buffer.append([entry(2.0), entry(3.0)]) == [2, 3]
    sent = {(stored.boot, stored.seq): stored.data for stored in buffer.pending("readings")}
    buffer.close()

    after = SqliteBuffer(tmp_path / "after", kernel="run-2")
    assert after.append([entry(4.0)]) == [1]
    for stored in after.pending("readings"):
        assert sent.get((stored.boot, stored.seq), stored.data) == stored.data
    assert after.append([entry(5.0)]) == [2], "once for each start of the machine"
    boot = after.boot
    after.close()
    same = SqliteBuffer(tmp_path / "after", kernel="run-2")
    assert (same.boot, same.append([entry(6.0)])) == (boot, [3]), "a restart of the gateway alone goes on"
    same.close()


def test_a_machine_that_starts_every_day_for_years(tmp_path: Path) -> None:
    """Boots of which nothing lies here are forgotten; one that still waits is not."""
    names = set()
    for day in range(40):
        buffer = SqliteBuffer(tmp_path, kernel=f"run-{day}")
        buffer.append([entry(float(day))])
        newest = buffer.pending("readings", newest=True, limit=1)[0]
        names.add((newest.boot, newest.seq))
        if day != 3:
            buffer.acknowledge("readings", [newest.place])
        log = buffer._vault.log
        assert log is not None
        log.forget_kept("readings", None, 1000)
        assert len(log.book.eras) <= 4
        buffer.close()
    assert len(names) == 40, "no name was given twice"
    buffer = SqliteBuffer(tmp_path, kernel="run-40")
    (waiting,) = buffer.pending("readings")
    assert (waiting.boot, waiting.seq) in names
    assert decode(waiting.data).seq == waiting.seq
    buffer.close()
