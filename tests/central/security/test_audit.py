"""The audit trail tells what changed, and shows every way of tampering with it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from central.cli import app
from central.security.audit import AuditTrail, Deed, Head
from central.security.audit_filter import AuditFilter
from central.security.changes import difference
from central.security.roles import Role
from central.store.base import Database
from tests.central.systems.running import API, Hand, running_centre


def deed(number: int, **more: Any) -> Deed:
    return Deed("wang", "session", "ackAlarm", "POST", f"/api/v1/alarms/{number}", 200, "10.0.0.1", **more)


@pytest.fixture
async def trail(database: Database) -> AuditTrail:
    trail = AuditTrail(database, Hand())
    for number in range(5):
        await trail.write(deed(number, changes=({"what": "x", "before": None, "after": {"n": number}},)))
    return trail


async def tamper(database: Database, *statements: str) -> None:
    async with database.session() as session:
        await session.execute(text("ALTER TABLE audit DISABLE TRIGGER append_only"))
        for statement in statements:
            await session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "reason", "number"),
    [
        ("UPDATE audit SET status = 500 WHERE number = 3", "altered", 3),
        ("UPDATE audit SET changes = replace(changes, '2', '7') WHERE number = 3", "altered", 3),
        ("UPDATE audit SET changes = NULL WHERE number = 3", "altered", 3),
        ("DELETE FROM audit WHERE number = 3", "removed-before", 4),
        ("DELETE FROM audit WHERE number = 1", "removed-before", 2),
        ("DELETE FROM audit WHERE number >= 4", "cut-off", 3),
        ("DELETE FROM audit", "cut-off", 0),
    ],
)
async def test_tampering_shows_where(
    database: Database, trail: AuditTrail, statement: str, reason: str, number: int
) -> None:
    assert (await trail.prove()).reason is None
    await tamper(database, statement)
    found = await trail.prove()
    assert (found.reason, found.number) == (reason, number)


async def test_a_head_kept_elsewhere_shows_a_past_written_anew(database: Database, trail: AuditTrail) -> None:
    head = Head.parse((await trail.prove()).head.text)
    await trail.write(deed(6))
    assert (await trail.prove(head)).reason is None
    # Somebody who owns the database cuts the tail off, and the head beside it fits again.
    await tamper(
        database,
        "DELETE FROM audit WHERE number >= 4",
        "UPDATE audit_head SET entries = 3, hash = (SELECT hash FROM audit WHERE number = 3)",
    )
    assert (await trail.prove()).reason is None
    assert (await trail.prove(head)).reason == "cut-off"
    for number in range(3):
        await trail.write(deed(number))
    assert (await trail.prove()).reason is None
    assert (await trail.prove(head)).reason == "another-past"


async def test_entries_written_together_follow_one_another(trail: AuditTrail) -> None:
    await asyncio.gather(*(trail.write(deed(number)) for number in range(8)))
    found = await trail.prove()
    assert (found.reason, found.head.entries) == (None, 13)


async def test_the_filter_finds_what_was_changed(trail: AuditTrail) -> None:
    await trail.write(deed(7, changes=({"what": "user 100%", "before": None, "after": {}},)))
    assert [item.number for item in (await trail.list(AuditFilter(what="user 100%"))).items] == [6]
    assert (await trail.list(AuditFilter(what="1000"))).items == []
    assert len((await trail.list(AuditFilter(what="确认", alike=("ackAlarm",)))).items) == 6
    assert (await trail.list(AuditFilter(refused=True))).items == []
    assert len((await trail.list(AuditFilter(actor="wang"))).items) == 6


def test_only_what_differs_is_kept_and_no_secret() -> None:
    before = {"name": "a", "role": "viewer", "password": "old", "nested": {"api_key": "k"}}
    after = {"name": "a", "role": "admin", "password": "new", "nested": {"api_key": "l"}}
    change = difference("user x", before, after)
    assert change is not None
    assert change["before"]["role"] == "viewer"
    assert "name" not in change["after"]
    assert "old" not in json.dumps(change)
    assert "new" not in json.dumps(change)
    assert '"l"' not in json.dumps(change)
    assert difference("x", before, before) is None
    long = difference("x", None, {"text": "z" * 100_000})
    assert len(json.dumps(long)) < 200


def test_the_command_line_verifies_and_exports(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def write() -> None:
        database = Database(database_url)
        await database.open()
        for number in range(2):
            await AuditTrail(database, Hand()).write(deed(number))
        await database.close()

    asyncio.run(write())
    monkeypatch.setenv("CITYNERVE_DATABASE_URL", database_url)
    runner = CliRunner()
    whole = runner.invoke(app, ["audit", "verify", "--json"])
    assert whole.exit_code == 0, whole.output
    assert json.loads(whole.stdout)["entries"] == 2
    lines = runner.invoke(app, ["audit", "export"]).stdout.splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["/api/v1/alarms/0", "/api/v1/alarms/1"]
    table = list(
        csv.DictReader(io.StringIO(runner.invoke(app, ["audit", "export", "--format", "csv"]).stdout))
    )
    assert [row["actor"] for row in table] == ["wang", "wang"]
    assert runner.invoke(app, ["audit", "export", "--from", "2099-01-01"]).stdout == ""
    asyncio.run(_delete(database_url))
    broken = runner.invoke(app, ["audit", "verify"])
    assert broken.exit_code == 1
    assert "cut off" in broken.stderr


async def _delete(url: str) -> None:
    database = Database(url)
    await database.open()
    await tamper(database, "DELETE FROM audit WHERE number = 2")
    await database.close()


async def test_changes_of_accounts_are_told_before_and_after(database_url: str, tmp_path: Path) -> None:
    async with running_centre(database_url, tmp_path) as city, city.client(Role.ADMIN) as admin:
        body = {"username": "li.na", "display_name": "李娜", "password": "a-lantern-on-the-river"}
        await admin.post(f"{API}/users", json={**body, "grants": [{"role": "viewer"}]})
        change = {
            "grants": [{"role": "operator", "areas": ["gulou"]}],
            "password": "two-lanterns-on-the-river",
        }
        assert (await admin.patch(f"{API}/users/li.na", json=change)).status_code == 200
        refused = await admin.patch(f"{API}/users/test-admin", json={"disabled": True})
        assert refused.status_code == 409
        answer = await admin.get(f"{API}/audit")
        last, changed, made = answer.json()["items"]
        assert "lantern" not in answer.text
        assert last["changes"] is None
        assert made["changes"][0]["before"] is None
        assert changed["changes"][0]["what"] == "user li.na"
        assert changed["changes"][0]["before"]["grants"] == [
            {"role": "viewer", "areas": [], "departments": []}
        ]
        assert changed["changes"][0]["after"]["grants"][0]["areas"] == ["gulou"]
        assert changed["changes"][0]["after"]["password"] == "(not kept)"
        proof = (await admin.get(f"{API}/audit/proof")).json()
        assert (proof["whole"], proof["entries"]) == (True, 3)
