"""Readings are archived, thinned, dropped and put back, and what is left is exactly what should be."""

from __future__ import annotations

import asyncio
import math
import stat
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from central.cli import app
from central.config import RETENTION_DAYS, ROLLUP_DAYS, Config
from central.store.backup.take import KEEPING_LOCK
from central.store.base import Database
from central.store.history import History
from central.store.keeping.archive import Archive
from central.store.keeping.choices import Choices
from central.store.keeping.classes import Limits
from central.store.keeping.keeper import Done, Keeper
from central.store.rollups import Roller
from protocols.errors import ConfigError, Rejected
from protocols.model.quality import Quality
from tests.central.store.test_readings import put, seed

DAY_US = 86_400_000_000
OLD = date(2024, 3, 1)
OLD_US = 1_709_251_200_000_000
LIMITS = Limits({"critical": 1000, "standard": 100, "diagnostic": 10}, {"1m": 2000, "1h": 0, "1d": 0})


def day(after: int) -> date:
    """So many days after the old day."""
    return OLD + timedelta(after)


class Kept:
    """A database with one old day: points of the classes standard, diagnostic, critical, and text."""

    def __init__(self, database: Database, series: list[int], folder: Path) -> None:
        self.database = database
        self.series = series
        self.archive = Archive(folder / "archive")

    async def roll(self) -> None:
        await Roller(self.database, lambda: OLD_US + 40 * DAY_US).roll()

    async def run(self, today: date, *, archive: bool = True, dry: bool = False) -> list[Done]:
        keeper = Keeper(self.database.url, LIMITS, self.archive if archive else None)
        return await asyncio.to_thread(keeper.run, today, dry=dry)

    async def rows(self) -> list[tuple[Any, ...]]:
        async with self.database.pool.connection() as connection:
            query = "SELECT series, time, value, quality, text FROM readings ORDER BY 1, 2"
            return list(await (await connection.execute(query)).fetchall())


@pytest.fixture
async def kept(database: Database, tmp_path: Path) -> Kept:
    series = await seed(database, 3)
    choices = Choices(database)
    await choices.set_point("g.d.p2", "diagnostic")
    await choices.set_point("g.d.p3", "critical")
    rows = [(number, OLD_US + n * 1_000_000, float(n) / 3, 0) for number in series for n in range(120)]
    rows += [(series[1], OLD_US + 200_000_000, math.nan, int(Quality.BAD))]
    rows += [(series[1], OLD_US + 201_000_000, math.inf, 0), (series[1], OLD_US + 202_000_000, math.nan, 0)]
    made = Kept(database, series, tmp_path)
    last = len(rows) - 1
    await put(database, rows, {last: '门已开, "open"\nsecond line', last - 2: ""})
    return made


async def test_nothing_goes_that_is_not_rolled_up(kept: Kept) -> None:
    before = await kept.rows()
    (waits,) = await kept.run(day(50))
    assert (waits.step.kind, waits.outcome) == ("thin", "not-rolled-up")
    assert await kept.rows() == before


async def test_a_class_goes_and_comes_back_bit_by_bit(kept: Kept) -> None:
    await kept.roll()
    before = await kept.rows()
    assert [item.outcome for item in await kept.run(day(50), dry=True)] == [""]
    assert await kept.rows() == before
    (done,) = await kept.run(day(50))
    assert (done.step.classes, done.outcome, done.rows, done.archived) == (("diagnostic",), "done", 123, 123)
    assert [row for row in before if row[0] != kept.series[1]] == await kept.rows()
    assert await kept.run(day(51)) == []

    path = kept.archive.folder / "2024" / "03" / "01-diagnostic.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = pq.read_table(path)
    assert set(table["point"].to_pylist()) == {"g.d.p2"}
    assert table["text"].to_pylist().count(None) == 121
    with psycopg.connect(kept.database.url, autocommit=True) as connection:
        assert [v.state for v in kept.archive.verify(kept.archive.entries(connection))] == ["whole"]
        assert kept.archive.restore(connection, OLD) == (123, 0)
    assert await kept.rows() == before
    # It stays for a month, then goes again without a second copy of the same file.
    assert [item.outcome for item in await kept.run(day(50))] == ["restored"]
    async with kept.database.pool.connection() as connection:
        await connection.execute("UPDATE kept_days SET restored_at = '2024-03-01'")
    (again,) = await kept.run(day(50))
    assert again.outcome == "done"
    assert [file.name for file in path.parent.glob("*.parquet")] == ["01-diagnostic.parquet"]


async def test_a_day_goes_when_all_its_classes_are_past_and_trends_stay(kept: Kept) -> None:
    await kept.roll()
    history = History(kept.database)
    hour = 3600 * 1_000_000
    before = await history.rolled(kept.series[0], "1h", OLD_US, OLD_US + hour)
    (done,) = await kept.run(day(1002))
    assert (done.step.kind, done.outcome, done.rows, done.archived) == ("drop", "done", 363, 363)
    assert await kept.rows() == []
    assert await kept.run(day(1003)) == []
    assert await history.rolled(kept.series[0], "1h", OLD_US, OLD_US + hour) == before
    # A reading that comes two years late makes its partition anew, and does not undo what was summed.
    await put(kept.database, [(kept.series[0], OLD_US + 500_000, 9.0, 0)])
    await kept.roll()
    assert await history.rolled(kept.series[0], "1h", OLD_US, OLD_US + hour) == before
    (late,) = await kept.run(day(1004))
    assert (late.outcome, late.archived) == ("done", 1)
    with psycopg.connect(kept.database.url, autocommit=True) as connection:
        assert len(kept.archive.entries(connection)) == 4
        assert kept.archive.restore(connection, OLD) == (364, 0)


async def test_without_an_archive_it_just_goes(kept: Kept) -> None:
    await kept.roll()
    (done,) = await kept.run(day(1002), archive=False)
    assert (done.outcome, done.rows) == ("done", 363)
    assert not kept.archive.folder.exists()


async def test_a_changed_or_missing_file_is_found_and_not_put_back(kept: Kept) -> None:
    await kept.roll()
    await kept.run(day(1002))
    files = sorted(kept.archive.folder.rglob("*.parquet"))
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"x")
    files[1].unlink()
    with psycopg.connect(kept.database.url, autocommit=True) as connection:
        states = [v.state for v in kept.archive.verify(kept.archive.entries(connection))]
        assert states == ["changed", "missing", "whole"]
        with pytest.raises(Rejected, match="is changed"):
            kept.archive.restore(connection, OLD)
        with pytest.raises(Rejected, match="not in the archive"):
            kept.archive.restore(connection, day(1))
    assert await kept.rows() == []


async def test_it_gives_way_to_a_backup_and_to_whoever_reads(kept: Kept) -> None:
    await kept.roll()
    with psycopg.connect(kept.database.url) as backup:
        backup.execute("SELECT pg_advisory_lock_shared(%s)", (KEEPING_LOCK,))
        assert await kept.run(day(1002)) == []
    with psycopg.connect(kept.database.url) as reader:
        reader.execute("SELECT count(*) FROM readings")
        (busy,) = await kept.run(day(1002))
        assert busy.outcome == "busy"
    (done,) = await kept.run(day(1002))
    assert done.outcome == "done"


async def test_rollups_go_when_their_own_days_are_over(kept: Kept) -> None:
    await kept.roll()
    await kept.run(day(2002))
    async with kept.database.pool.connection() as connection:
        counts = "SELECT (SELECT count(*) FROM rollup_1m), (SELECT count(*) FROM rollup_1h)"
        row = await (await connection.execute(counts)).fetchone()
    assert row == (0, 3)


async def test_at_the_command_line(kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    await kept.roll()
    monkeypatch.setenv("CITYNERVE_DATABASE_URL", kept.database.url)
    monkeypatch.setenv("CITYNERVE_DATA", str(tmp_path))
    monkeypatch.setenv("CITYNERVE_ARCHIVE", "1")

    async def run(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, list(words))
        return done.exit_code, done.output

    assert "1 points of pump" in (await run("retention", "show"))[1]
    assert await run("retention", "set", "critical", "--kind", "pump") == (
        0, "Points of pump are critical, where they have no class of their own.\n",
    )  # fmt: skip
    assert (await run("retention", "set", "none", "--point", "g.d.p2"))[1] == "g.d.p2 is critical.\n"
    assert (await run("retention", "set", "gold", "--kind", "pump"))[0] == 2
    assert (await run("retention", "run", "--dry-run"))[1] == "Nothing is due.\n"
    await run("retention", "set", "diagnostic", "--point", "g.d.p2")
    assert "thin  diagnostic: done, 123 rows" in (await run("retention", "run"))[1]
    assert "123 rows" in (await run("archive", "list"))[1]
    assert await run("archive", "verify") == (0, "1 of 1 files are whole.\n")
    assert "123 readings of 2024-03-01 are back" in (await run("archive", "restore", "2024-03-01"))[1]


def test_settings_that_lose_more_than_they_say_are_refused() -> None:
    config = Config.from_env({"CITYNERVE_RETENTION": "critical=9000"})
    assert config.retention_days == {**RETENTION_DAYS, "critical": 9000}
    assert config.rollup_days == {**ROLLUP_DAYS, "1m": 9000}
    assert replace(config, archive=True).archive
    for name, text in (
        ("CITYNERVE_RETENTION", "standard=0"),
        ("CITYNERVE_RETENTION", "gold=1"),
        ("CITYNERVE_RETENTION_ROLLUPS", "1m=30"),
        ("CITYNERVE_RETENTION_ROLLUPS", "5m=30"),
    ):
        with pytest.raises(ConfigError, match=name):
            Config.from_env({name: text})


async def test_a_stop_does_not_wait_for_it(kept: Kept) -> None:
    await kept.roll()
    keeper = Keeper(kept.database.url, LIMITS, kept.archive)
    with psycopg.connect(kept.database.url) as reader:
        reader.execute("SELECT count(*) FROM readings")
        running = asyncio.create_task(asyncio.to_thread(keeper.run, day(1002)))
        await asyncio.sleep(0.5)  # it waits for the reader's lock now
        await asyncio.to_thread(keeper.stop)
        assert await asyncio.wait_for(running, 2.0) == []
    assert len(await kept.rows()) == 363
