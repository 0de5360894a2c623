"""The doctor finds each illness that is made here, names what mends it, and nothing where nothing is."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner

from central.cli import app
from central.config import Config
from central.doctor import keeping, machine
from central.doctor.examine import FAMILIES, examine, visit
from central.doctor.finding import Finding, Patient, span, volume
from central.store.base import Database

PASSWORD = "linjiang-demo"


@pytest.fixture
async def patient(database: Database, tmp_path: Path) -> Patient:
    """A fresh centre with one administrator, who has a second factor, and a fresh backup."""
    config = Config(data_dir=tmp_path, database_url=database.url, secure=True)
    found = Patient(config, database, datetime.now(UTC), demo_password=PASSWORD)
    await tell(
        found,
        "INSERT INTO users (username, display_name, role, password_hash, created_at)"
        " VALUES ('chief', 'Chief', 'admin', 'x', now());"
        "INSERT INTO second_factors (username, secret, enrolled_at, confirmed_at)"
        " VALUES ('chief', 'x', now(), now());"
        "INSERT INTO backups (taken_at, finished_at, file, bytes, rows, revision, actor)"
        " VALUES (now(), now(), '/elsewhere/a.cnbackup', 1, 1, '0010', 'cli')",
    )
    return found


async def tell(patient: Patient, sql: str) -> None:
    async with patient.database.pool.connection() as connection:
        await connection.execute(sql.encode())


async def codes(patient: Patient) -> dict[str, Finding]:
    """What is found, but for what this machine under test may have itself."""
    found = await examine(patient)
    ours = {"machine.load", "machine.memory", "disk.free", "database.settings"}
    return {finding.code: finding for finding in found if finding.code not in ours}


async def test_a_well_centre_has_nothing(patient: Patient) -> None:
    assert await codes(patient) == {}


async def test_the_servers_settings_are_read(patient: Patient) -> None:
    # The tests' own server runs with fsync off, which no centre may.
    (found,) = [finding for finding in await examine(patient) if finding.code == "database.settings"]
    assert (found.weight, found.what) == ("error", "PostgreSQL runs with fsync = off")
    assert "ALTER SYSTEM SET fsync = on" in found.repair


ILL = {
    "database.older": "UPDATE alembic_version SET version_num = '0005'",
    "database.newer": "UPDATE alembic_version SET version_num = '9999'",
    "database.index": "CREATE TABLE t (n int); CREATE INDEX ix_t ON t (n);"
    " UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_t'::regclass",
    "partitions.future": "CREATE TABLE readings_20990101 PARTITION OF readings"
    " FOR VALUES FROM ('2099-01-01T00:00:00Z') TO ('2099-01-02T00:00:00Z')",
    "partitions.old": "INSERT INTO readings VALUES (1, '1970-01-02', 1, 0, NULL)",
    "backup.none": "DELETE FROM backups",
    "backup.age": "UPDATE backups SET taken_at = now() - interval '3 days'",
    "archive.damaged": "INSERT INTO archived_days"
    " VALUES ('2024-03-01', 'standard', 'no.parquet', 1, 1, 'x', now())",
    "rollups.behind": "INSERT INTO rollup_dirty SELECT 'g', now() - n * interval '1 minute'"
    " FROM generate_series(1, 50) n",
    "outbox.expiry": "{gateway}; INSERT INTO commands (id, gateway, number, device, point, value, unit,"
    " state, issued_at, issued_by, expires_at, reason, detail)"
    " VALUES ('c', 'g', 1, 'd', 'p', '1', '', 'pending',"
    " now() - interval '1 hour', 'x', now() - interval '1 hour', '', '')",
    "outbox.orders": "{gateway}; INSERT INTO orders (id, gateway, number, kind, subject, body, state,"
    " issued_at, issued_by, expires_at, answer_by, reason, detail)"
    " VALUES ('o', 'g', 1, 'config', '', '{{}}', 'pending',"
    " now() - interval '2 hours', 'x', now() + interval '1 day', now() + interval '1 day', '', '')",
    "jobs.late": "{jobs}; INSERT INTO jobs (kind, key, lane, next_at, made_at)"
    " VALUES ('delivery', 'd', 'mail', now() - interval '1 hour', now())",
    "jobs.dead": "{jobs}; INSERT INTO jobs (kind, key, lane, state, next_at, made_at)"
    " VALUES ('delivery', 'd', 'mail', 'dead', now(), now())",
    "gateways.silent": "{gateway}; UPDATE gateways SET last_seen = now() - interval '2 days'",
    "gateways.clock": "{gateway}; UPDATE gateways SET clock_offset_ms = 9000",
    "gateways.token": "{gateway}; UPDATE gateways SET token_at = now() - interval '1 year'",
    "accounts.none": "UPDATE users SET disabled = true",
    "accounts.factor": "DELETE FROM second_factors",
    "tokens.endless": "INSERT INTO api_tokens (id, digest, name, username, role, created_at)"
    " VALUES ('t', 'x', 'wall', 'chief', 'viewer', now())",
    "restore.gap": "INSERT INTO restores (restored_at, taken_at, file, revision, actor)"
    " VALUES (now(), now() - interval '1 day', 'f', '0010', 'x');"
    " INSERT INTO restored_marks SELECT max(id), 'g', 'b', 'readings', 10 FROM restores;"
    " INSERT INTO ingest_marks VALUES ('g', 'b', 'readings', '{{[1,11),[15,16)}}')",
}
"""How each illness is made. A gateway that is well otherwise is `{gateway}`."""
JOBS = (
    "CREATE TABLE IF NOT EXISTS jobs (id bigint GENERATED ALWAYS AS IDENTITY, kind text, key text, lane text,"
    " state text NOT NULL DEFAULT 'waiting', attempts integer NOT NULL DEFAULT 0,"
    " holder text NOT NULL DEFAULT '', next_at timestamptz, made_at timestamptz, error text DEFAULT '')"
)
"""As migration 0009 makes it; of it only what is used here."""
GATEWAY = (
    "INSERT INTO gateways (id, name_zh, name_en, state, created_at, last_seen, token_at)"
    " VALUES ('g', '网关', 'G', 'active', now(), now(), now())"
)


@pytest.mark.parametrize("code", ILL)
async def test_each_illness_is_found_alone(patient: Patient, code: str) -> None:
    await tell(patient, ILL[code].format(gateway=GATEWAY, jobs=JOBS))
    found = await codes(patient)
    assert list(found) == [code], found
    finding = found[code]
    assert finding.what
    assert finding.why
    assert finding.repair


async def test_gaps_are_counted(patient: Patient) -> None:
    await tell(patient, ILL["restore.gap"].format())
    (finding,) = (await codes(patient)).values()
    assert finding.what.startswith("4 batches of 1 gateways")
    assert "readings 11 to 14" in finding.what


async def test_the_password_of_the_demo_is_found_by_trying_it(patient: Patient) -> None:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    async with patient.database.pool.connection() as connection:
        for name, password in (("operator", PASSWORD), ("viewer", "another one")):
            await connection.execute(
                "INSERT INTO users (username, display_name, role, password_hash, created_at)"
                " VALUES (%s, %s, 'viewer', %s, now())",
                (name, name, quick.hash(password)),
            )
    (finding,) = (await codes(patient)).values()
    assert (finding.code, finding.weight) == ("accounts.demo", "error")
    assert finding.what.startswith("operator has")


async def test_plain_http_beyond_this_machine_is_an_error(patient: Patient) -> None:
    open_ = replace(patient, config=replace(patient.config, host="192.0.2.1", secure=False))
    assert (await codes(open_))["network.open"].weight == "error"
    laptop = replace(patient, config=replace(patient.config, secure=False))
    assert (await codes(laptop))["network.cookies"].weight == "warning"


async def test_a_full_disk_and_an_open_file_are_found(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LITTLE", 1.01)
    assert "disk.free" in {finding.code for finding in await examine(patient)}
    secret = tmp_path / "url"
    secret.write_text("postgresql://…")
    secret.chmod(0o644)
    monkeypatch.setenv("CITYNERVE_DATABASE_URL_FILE", str(secret))
    assert (await codes(patient))["files.mode"].repair == f"chmod o-rwx {secret}"
    backup = tmp_path / "b.cnbackup"
    backup.touch(0o640)
    await tell(patient, f"UPDATE backups SET file = '{backup}'")  # noqa: S608
    assert "backup.mode" in await codes(patient)


async def test_a_machine_out_of_breath_is_found(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MEMORY_SHARE", 2.0)
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 10_000.0))
    found = {finding.code for finding in await examine(patient)}
    assert {"machine.load", "machine.memory"} <= found


async def test_what_cannot_be_looked_at_is_said(patient: Patient) -> None:
    await tell(patient, "DROP TABLE rollup_dirty")
    finding = (await codes(patient))["queues.unknown"]
    assert "rollups could not be looked at" in finding.what


async def test_a_database_that_does_not_answer_is_the_one_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.store.base.POOL_WAIT_S", 0.2)
    dead = Config(data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:9/none")
    (finding,) = await visit(dead)
    assert (finding.code, finding.weight) == ("database.unreachable", "error")


async def test_at_the_command_line(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYNERVE_DATABASE_URL", patient.database.url)
    monkeypatch.setenv("CITYNERVE_DATA", str(patient.config.data_dir))
    done = await asyncio.to_thread(CliRunner().invoke, app, ["doctor"])
    assert done.exit_code == 2
    assert "ERROR    PostgreSQL runs with fsync = off" in done.output
    said = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", "--json"])
    assert {"code", "weight", "what", "why", "repair"} == set(json.loads(said.output)[0])


def test_words() -> None:
    assert [span(n) for n in (40, 150, 7200, 200_000)] == ["40 s", "2 min", "2 h", "2 d"]
    assert [volume(n) for n in (2_000, 3e6, 1.5e9, 2e12)] == ["2 kB", "3.0 MB", "1.5 GB", "2.0 TB"]
    assert all(FAMILIES.values())
