"""Backup, wipe, restore: the same city; and what a restored centre tells its gateways."""

from __future__ import annotations

import asyncio
import getpass
import json
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest
from typer.testing import CliRunner

from central.cli import app
from central.security.audit import AuditTrail
from central.security.roles import Role
from central.store import migrate
from central.store.backup import aftercare
from central.store.backup.bundle import Bundle, Manifest
from central.store.backup.restore import restore
from central.store.backup.take import record, take
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import now_us
from protocols.model.snapshot import Snapshot
from protocols.wire.handshake import Credentials
from tests.central.doctor.test_doctor import JOBS
from tests.central.systems.field import LEVEL, PUMP, FieldGateway, manifest
from tests.central.systems.running import API, Running, running_centre
from tests.conftest import opened

OCCURRENCE = "7f9f4f2e-0000-4000-8000-000000000001"
PICTURE = b"\xff\xd8\xff\xe0 a pump in the rain"
CHANGED = {
    "gateways",
    "commands",
    "orders",
    "enrolment_codes",
    "restores",
    "restored_marks",
    "audit",
    "backups",
    "alarm_tells",
    "wall_screens",
}
"""Tables that a restore itself writes to; of them the digests differ, and the test says how."""


@dataclass
class Story:
    """A city in its backup, the server's URL, and its gateway's side of the link."""

    url: str
    file: Path
    manifest: Manifest
    token: str
    boot: str
    last_seq: int
    inbox: int


@pytest.fixture(scope="module")
def story(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A centre with readings of two days, an alarm and its picture, a command and a wall's link that wait."""
    folder = tmp_path_factory.mktemp("backup")
    with fresh(postgres_url, "backup_story") as url:
        asyncio.run(migrate.upgrade(url))
        yield asyncio.run(_lived(url, folder))


class fresh:  # noqa: N801 - a context manager that reads as a verb
    """An empty database of the session's server."""

    def __init__(self, postgres_url: str, name: str) -> None:
        self._server = postgres_url.replace("@/citynerve?", "@/postgres?")
        self._url = postgres_url.replace("@/citynerve?", f"@/{name}?")
        self._name = name

    def __enter__(self) -> str:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self._name}".encode())
        return self._url

    def __exit__(self, *_: object) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {self._name} WITH (FORCE)".encode())


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """A database without a table."""
    with fresh(postgres_url, "backup_empty") as url:
        yield url


async def _lived(url: str, folder: Path) -> Story:
    async with running_centre(url, folder) as city, city.gateway() as gateway:
        start = city.clock()
        day = 86_400_000_000
        await gateway.readings(0, [start - day + n * 1_000_000 for n in range(100)], [1.0] * 100)
        await gateway.readings(0, [start + n * 1_000_000 for n in range(-100, 0)], [2.5] * 100)
        await gateway.readings(4, [start], [float("nan")], text={0: "自检 passed"})
        await gateway.alarm(OCCURRENCE, 1, AlarmEvent.ACT, at_us=start, value=3.3)
        await city.post(f"/alarms/{OCCURRENCE}/acknowledge", {"comment": "已看到"})
        await city.centre.outbox.send(PUMP, 1.0, issued_by="test-operator")
        await city.centre.gateways.new_code("gw-later", "admin")
        await city.post("/wall-screens", {"name": "Hall"}, Role.ADMIN, 201)
        shot = Snapshot(
            camera="pump1",
            taken_us=start,
            cause="alarm",
            moment="at",
            occurrences=(OCCURRENCE,),
            data=PICTURE,
        )
        assert (await gateway.picture(shot, 1)).status_code == 200
        working = asyncio.Event()
        working.set()
        writing = asyncio.create_task(_meanwhile(gateway, start, working))
        file, held = await asyncio.to_thread(take, url, folder)
        working.clear()
        await writing
        record(url, file, held, "cli:test")
        # What comes now is after the backup: acknowledged, deleted at the gateway, and not in the file.
        for n in range(3):
            await gateway.readings(1, [start + n], [4.0])
        seen = max(item.number for item in await gateway.inbox())
        return Story(url, file, held, gateway.token, gateway.boot, gateway._seq["readings"], seen)


async def _meanwhile(gateway: FieldGateway, start: int, working: asyncio.Event) -> None:
    """The centre works while it is kept."""
    number = 0
    while working.is_set():
        number += 1
        await gateway.readings(1, [start - 1000 - number], [0.5])


def digests(held: Manifest) -> dict[str, tuple[int, str]]:
    return {table.name: (table.rows, table.sha256) for table in held.tables}


def test_the_file_is_private_and_its_digests_hold(story: Story) -> None:
    assert stat.S_IMODE(story.file.stat().st_mode) == 0o600
    kept = Bundle(story.file)
    kept.check()
    assert kept.manifest == story.manifest
    assert kept.manifest.revision == migrate.head()
    rows = {table.name: table.rows for table in kept.manifest.tables}
    assert (rows["alarms"], rows["commands"], rows["sessions"]) == (1, 1, 0)
    assert sum(n for name, n in rows.items() if name.startswith("readings_2")) > 200
    assert [path for path in story.file.parent.iterdir() if path.suffix == ".part"] == []


def test_wipe_and_restore_give_the_same_city(story: Story, empty_url: str, tmp_path: Path) -> None:
    _, after = restore(empty_url, story.file, actor="cli:test")
    assert (after.commands_ended, after.codes_ended, after.gateways) == (1, 2, 2)
    _, again = take(empty_url, tmp_path)
    before, now = digests(story.manifest), digests(again)
    assert before.keys() == now.keys()
    assert {name for name in before if before[name] != now[name]} <= CHANGED
    for name in CHANGED - {"restores", "restored_marks", "backups", "alarm_tells"}:
        assert before[name][0] == now[name][0], name
    assert now["alarm_tells"][0] == 0, "what nobody was told of is not told long after"
    assert again.sequences.keys() >= story.manifest.sequences.keys()
    assert all(again.sequences[name] >= last for name, last in story.manifest.sequences.items())
    with psycopg.connect(empty_url) as connection:
        # What guarded the old rows guards the new ones.
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute("DELETE FROM audit")
        connection.rollback()
        keys = connection.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone()
    with psycopg.connect(story.url) as connection:
        assert keys == connection.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone()


async def test_the_chain_verifies_and_a_gateway_goes_on(story: Story, empty_url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(restore, empty_url, story.file)
    async with opened(empty_url) as database:
        assert await AuditTrail(database, now_us).first_broken() is None
    # A test centre makes its people when it starts.
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("DELETE FROM users")
        before = connection.execute("SELECT count(*) FROM readings").fetchone()
    async with running_centre(empty_url, tmp_path) as city, city.client(None) as client:
        gateway = _same(client, story)
        # It sends what it still has: one batch from before the backup, one that is new.
        gateway._seq["readings"] = 0
        start = city.clock()
        assert (await gateway.readings(0, [1_000_000], [1.0])).duplicate
        gateway._seq["readings"] = story.last_seq
        assert not (await gateway.readings(0, [start + 5_000_000], [2.0])).duplicate
        (latest,) = [p for p in (await city.get("/points", limit=50))["items"] if p["id"] == LEVEL]
        assert latest["latest"]["value"] == 2.0
        await _commands_are_fetched(city, gateway, story)
        await _pictures_are_there(city, gateway)
    with psycopg.connect(empty_url) as connection:
        after = connection.execute("SELECT count(*) FROM readings").fetchone()
        assert before is not None
        assert after is not None
        assert after[0] == before[0] + 1
        # The three batches that were acknowledged after the backup are named, not passed over.
        (gap,) = aftercare.gaps(connection)
        assert (gap.gateway, gap.stream, gap.last) == ("gw-north", "readings", story.last_seq)
        assert gap.last - gap.first + 1 >= 3


async def _commands_are_fetched(city: Running, gateway: FieldGateway, story: Story) -> None:
    """The old command has ended; a new one has a number that this gateway has not seen."""
    assert await gateway.inbox(story.inbox) == ()
    sent = await city.centre.outbox.send(PUMP, 0.0, issued_by="test-operator")
    (item,) = await gateway.inbox(story.inbox)
    assert item.order.id == sent.id


async def _pictures_are_there(city: Running, gateway: FieldGateway) -> None:
    """The alarm's evidence is served as it came, is known when it comes again, and new ones follow it."""
    (seen,) = (await city.get(f"/alarms/{OCCURRENCE}/evidence"))["items"]
    (first,) = seen["snapshots"]
    async with city.client() as client:
        answer = await client.get(f"{API}/snapshots/{first['id']}/image")
        assert (answer.status_code, answer.content) == (200, PICTURE)
    again = Snapshot(camera="pump1", taken_us=city.clock(), cause="wall", moment="", data=PICTURE)
    assert (await gateway.picture(again, 1)).json()["duplicate"]
    assert not (await gateway.picture(again, 2)).json()["duplicate"]
    (newer, older) = await city.centre.snapshots.of_camera("gw-north.pump1", None, 9)
    assert newer.id > older.id == int(first["id"])


def _same(client: httpx2.AsyncClient, story: Story) -> FieldGateway:
    made = FieldGateway(client, Credentials(gateway="gw-north", token=story.token), manifest())
    made.boot = story.boot
    return made


def test_a_database_with_something_in_it_is_not_touched(story: Story) -> None:
    held = digests(take(story.url, story.file.parent / "a.cnbackup")[1])
    with pytest.raises(Rejected, match=r"not empty .*--replace"):
        restore(story.url, story.file)
    assert digests(take(story.url, story.file.parent / "b.cnbackup")[1]) == held


def test_replace_throws_away_what_was_there(story: Story, empty_url: str) -> None:
    restore(empty_url, story.file)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("INSERT INTO units VALUES ('x', '甲', 'X', 'crew')")
    restore(empty_url, story.file, replace=True)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT 1 FROM units WHERE id = 'x'").fetchone() is None


def test_nobody_else_may_be_on_it(story: Story, empty_url: str) -> None:
    with psycopg.connect(empty_url), pytest.raises(Rejected, match="stop every centre"):
        restore(empty_url, story.file)


def test_a_database_of_somebody_else_is_refused(story: Story, empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE books (id int)")
    with pytest.raises(Rejected, match="not CityNerve's"):
        restore(empty_url, story.file, replace=True)


def _rewritten(story: Story, path: Path, member: str, content: bytes) -> Path:
    with zipfile.ZipFile(story.file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))
    return path


def test_a_damaged_file_is_found_before_anything_is_changed(
    story: Story, empty_url: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(story.file) as archive:
        other = archive.read("tables/audit.copy.zst")
    bad = _rewritten(story, tmp_path / "bad.cnbackup", "tables/alarms.copy.zst", other)
    with pytest.raises(Rejected, match=r"table alarms .* SHA-256 differs"):
        restore(empty_url, bad)
    cut = tmp_path / "cut.cnbackup"
    shutil.copy(story.file, cut)
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size - 200)
    with pytest.raises(Rejected, match="cut off"):
        restore(empty_url, cut)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("revision", '"9999"', "knows revisions up to"), ("format", "2", "knows format 1")],
)
def test_a_newer_backup_is_refused_in_a_sentence(
    story: Story, empty_url: str, tmp_path: Path, field: str, value: str, sentence: str
) -> None:
    text = zipfile.ZipFile(story.file).read("manifest.json").decode()
    was = f'"{field}": "{migrate.head()}"' if field == "revision" else '"format": 1'
    newer = _rewritten(
        story, tmp_path / "n.cnbackup", "manifest.json", text.replace(was, f'"{field}": {value}').encode()
    )
    with pytest.raises(Rejected, match=sentence):
        restore(empty_url, newer)


def test_there_is_nothing_to_keep_of_an_empty_database(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="nothing to keep"):
        take(empty_url, tmp_path)


def test_a_full_disk_leaves_no_half_file(story: Story) -> None:
    with pytest.raises(Rejected, match="cannot be written"):
        take(story.url, Path("/dev/full/x.cnbackup"))


def test_at_the_command_line(
    story: Story, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.output

    monkeypatch.setenv("CITYNERVE_DATABASE_URL", story.url)
    assert run("backup", str(tmp_path / "no" / "x"))[0] == 1
    for _ in range(2):
        code, said = run("backup", str(tmp_path / "one.cnbackup"))
    assert (code, "is there already" in said) == (1, True)
    old = tmp_path / "citynerve-20200101T000000Z.cnbackup"
    old.touch()
    code, said = run("backup", str(tmp_path), "--keep", "1", "--json")
    assert code == 0
    assert not old.exists()
    file = json.loads(said.splitlines()[-1])["file"]
    assert run("restore", file, "--check")[1].startswith(f"{file} is whole")
    code, said = run("restore", file)
    assert (code, "not empty" in said) == (1, True)
    with psycopg.connect(story.url) as connection:
        rows = connection.execute("SELECT file FROM backups ORDER BY id").fetchall()
        assert rows[-1] == (file,)
        query = "SELECT actor, operation FROM audit ORDER BY number DESC LIMIT 1"
        assert connection.execute(query).fetchone() == (f"cli:{getpass.getuser()}", "backup")
    monkeypatch.setenv("CITYNERVE_DATABASE_URL", empty_url)
    code, said = run("restore", file)
    assert code == 0, said
    assert "Everybody signs in again" in said


async def test_what_waited_to_be_told_is_given_up(database: Database, story: Story) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(JOBS.encode())
        connection.execute(
            "INSERT INTO jobs (kind, key, lane, next_at, made_at)"
            " VALUES ('delivery', 'd', 'mail', now(), now())"
        )
        aftercare.tend(connection, story.manifest, "f", "cli:test")
        row = connection.execute("SELECT state, error FROM jobs").fetchone()
    assert row == ("dead", "the centre was restored from a backup")
