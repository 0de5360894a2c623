"""A log of version 0.1 is taken over in place: its names, what waits, orders, and what it knew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge.buffer.file import FILE_NAME
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.clock import now_us
from protocols.model.command import Command
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, decode, encode
from protocols.wire.channels import STREAMS
from tests.edge.buffer.contract import DECLARATION, command, entry

BOOT = "f82e3ad41fa34c1f85ae405fcbc42106"
ASKED = b'{"id":"%s","point":"p","value":1.0,"issued_us":1,"expires_us":2,"issued_by":"op","expected":null}'
TABLES = (
    *(
        f"CREATE TABLE {stream} (seq INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL,"
        " made_us INTEGER NOT NULL, data BLOB NOT NULL)"
        for stream in STREAMS
    ),
    "CREATE TABLE [aside] ([stream] TEXT, [seq] INTEGER, [n] INTEGER, [data] BLOB, [reason] TEXT,"
    " [aside_us] INTEGER, PRIMARY KEY ([stream], [seq]))",
    "CREATE TABLE [declaration] ([hash] TEXT PRIMARY KEY, [encoded] BLOB)",
    "CREATE TABLE [state] ([key] TEXT PRIMARY KEY, [value] BLOB)",
    "CREATE TABLE [command] ([id] TEXT PRIMARY KEY, [asked] BLOB, [begun_us] INTEGER, [outcome] BLOB)",
    "CREATE TABLE [meta] ([key] TEXT PRIMARY KEY, [value] TEXT)",
)
"""As sqlite-utils wrote them at commit 338270c, the last one before version 0.2."""


def batch(seq: int) -> bytes:
    readings = Readings.at(np.arange(3, dtype=np.int32), 1_000_000 + seq, np.array([1.0, 2.0, 3.0]))
    return encode(Batch("readings", BOOT, seq, DECLARATION, 5, readings))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Write batches 1 to 5, of which 1 and 2 were sent and 3 was refused; one order has no outcome."""
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.execute("PRAGMA page_size=8192")
        db.execute("PRAGMA journal_mode=WAL")
        for statement in TABLES:
            db.execute(statement)
        for seq in range(1, 6):
            db.execute("INSERT INTO readings VALUES (?, 3, 5, ?)", (seq, batch(seq)))
        db.execute("DELETE FROM readings WHERE seq <= 3")
        db.execute("INSERT INTO aside VALUES ('readings', 3, 3, ?, 'too old', 9)", (batch(3),))
        db.execute("INSERT INTO declaration VALUES (?, ?)", (DECLARATION, b"manifest"))
        db.execute("INSERT INTO state VALUES ('learnt', ?)", (b"x",))
        db.execute("INSERT INTO command VALUES ('done', ?, ?, ?)", (ASKED % b"done", now_us(), b"{}"))
        db.execute("INSERT INTO command VALUES ('begun', ?, 2, NULL)", (ASKED % b"begun",))
        db.execute("INSERT INTO meta VALUES ('boot', ?), ('inbox_cursor', '7')", (BOOT,))
    return tmp_path


def test_a_log_of_the_first_version_goes_on(old: Path) -> None:
    for _ in ("the upgrade", "a start after it"):
        buffer = SqliteBuffer(old)
        assert buffer.quarantined is None
        assert buffer.boot == BOOT
        waiting = buffer.pending("readings")
        assert [(stored.seq, stored.data) for stored in waiting] == [(4, batch(4)), (5, batch(5))]
        assert [(aside.seq, aside.reason) for aside in buffer.asides()] == [(3, "too old")]
        assert (buffer.depth()["readings"].batches, buffer.depth()["readings"].rows) == (2, 6)
        assert buffer.declaration(DECLARATION) == b"manifest"
        assert buffer.load_state("learnt") == b"x"
        assert buffer.inbox_cursor() == 7
        (order,) = buffer.interrupted()
        assert isinstance(order, Command)
        assert order.id == "begun"
        assert not buffer.begin(command("done"), 8), "it was carried out by the version before"
        assert buffer.inbox_cursor() == 8
        _cursor(buffer, 7)
        buffer.close()
    buffer = SqliteBuffer(old)
    assert buffer.append([entry(1.0)]) == [6], "a number is never given twice"
    assert decode(buffer.pending("readings", newest=True, limit=1)[0].data).seq == 6
    buffer.close()


def test_a_log_of_the_first_version_whose_batches_were_all_sent(old: Path) -> None:
    with closing(sqlite3.connect(old / FILE_NAME, isolation_level=None)) as db:
        db.execute("DELETE FROM readings")
    buffer = SqliteBuffer(old)
    assert buffer.append([entry(1.0)]) == [6]
    buffer.close()


def test_an_upgrade_that_is_cut_short_is_done_again(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edge.buffer.file.LogFile.put_fact", power_cut)
        with pytest.raises(KeyboardInterrupt):
            SqliteBuffer(old)
    test_a_log_of_the_first_version_goes_on(old)


def test_an_order_that_rotted_stops_no_start(old: Path) -> None:
    with closing(sqlite3.connect(old / FILE_NAME, isolation_level=None)) as db:
        db.execute("UPDATE command SET asked = ? WHERE id = 'begun'", (b"\xff{",))
    buffer = SqliteBuffer(old)
    assert buffer.interrupted() == []
    assert not buffer.begin(command("begun"), 9), "it is never carried out twice"
    buffer.close()


def _cursor(buffer: SqliteBuffer, number: int) -> None:
    """Set the cursor back, so that the next start finds the same."""
    log = buffer._vault.log
    assert log is not None
    with log.change():
        log.file.put_fact("inbox_cursor", str(number))
