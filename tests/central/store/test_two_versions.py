"""From the previous schema with data in it; and two versions of the centre side by side on one database."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from central.security.roles import Role
from central.store import migrate
from central.store.base import Database
from protocols.model.alarm import AlarmEvent
from protocols.wire.handshake import Credentials
from tests.central.systems.field import LEVEL, PUMP, FieldGateway, manifest
from tests.central.systems.running import API, running_centre

PREVIOUS = "0005"
"""The tables of the version before: of whatever is later, an upgrade must bear that version beside it."""
CITY = (Path(__file__).parent / "city_0005.sql").read_text()
OCCURRENCE = "7f9f4f2e-0000-4000-8000-000000000001"


def said(name: str) -> str:
    """What the fixture's head says."""
    found = re.search(rf"^-- {name}: (\S+)$", CITY, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def bare_url(postgres_url: str) -> Iterator[str]:
    """A database without a table."""
    server = postgres_url.replace("@/citynerve?", "@/postgres?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE previous")
        yield postgres_url.replace("@/citynerve?", "@/previous?")
        connection.execute("DROP DATABASE previous WITH (FORCE)")


def fill(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(CITY.encode())


async def test_a_city_of_the_previous_schema_is_readable_and_goes_on(bare_url: str, tmp_path: Path) -> None:
    await migrate.upgrade(bare_url, PREVIOUS)
    fill(bare_url)
    with psycopg.connect(bare_url) as connection:
        # A test centre makes its own people; those of the fixture have the same names.
        connection.execute("DELETE FROM users WHERE username LIKE 'test-%'")
    async with running_centre(bare_url, tmp_path) as city:
        assert await city.centre.security.audit.first_broken() is None
        (alarm,) = (await city.get("/alarms", state="active"))["items"]
        assert (alarm["id"], alarm["state"], alarm["acked_by"]) == (OCCURRENCE, "ACKED", "test-operator")
        (case,) = (await city.get("/cases"))["items"]
        assert (case["state"], case["unit"]) == ("HANDLING", "drainage-north")
        (command,) = (await city.get("/commands", point=PUMP))["items"]
        assert command["state"] == "verified"
        points = {point["id"]: point for point in (await city.get("/points"))["items"]}
        assert points[LEVEL]["latest"]["value"] == pytest.approx(3.2)
        async with city.client(None) as client:
            token = Credentials(gateway="gw-north", token=said("gateway token"))
            gateway = FieldGateway(client, token, manifest())
            gateway.boot = said("boot")
            assert (await gateway.readings(0, [1_000_000], [0.0])).duplicate
            gateway._seq["readings"] = 3
            assert not (await gateway.readings(0, [city.clock()], [2.0])).duplicate
            gateway._seq["alarms"] = 1
            await gateway.alarm(OCCURRENCE, 2, AlarmEvent.CLR, at_us=city.clock(), value=2.0)
        assert (await city.get(f"/alarms/{OCCURRENCE}"))["cleared_at"] is not None


def test_what_the_previous_version_writes_is_taken_by_the_new_tables(database_url: str) -> None:
    fill(database_url)
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM readings").fetchone()
    assert row == (16,)


def grants(url: str, username: str) -> list[tuple[str, list[str]]]:
    with psycopg.connect(url) as connection:
        query = "SELECT role, areas FROM grants WHERE username = %s ORDER BY number"
        return connection.execute(query, (username,)).fetchall()


async def test_an_account_that_the_previous_version_makes_or_demotes_has_those_rights(
    database_url: str, tmp_path: Path
) -> None:
    make = """INSERT INTO users (username, display_name, role, password_hash, created_at)
        VALUES ('li.na', '李娜', 'admin', 'x', now())"""
    demote = "UPDATE users SET role = 'viewer' WHERE username = %s"
    async with running_centre(database_url, tmp_path) as city:
        with psycopg.connect(database_url, autocommit=True) as previous:
            previous.execute(make)
            assert grants(database_url, "li.na") == [("admin", [])]
            shown = {user["username"]: user for user in (await city.get("/users", Role.ADMIN))["items"]}
            assert [grant["role"] for grant in shown["li.na"]["grants"]] == ["admin"]
            previous.execute(demote, ("li.na",))
            assert grants(database_url, "li.na") == [("viewer", [])]
            # What this version writes there stays: a part of the city has no name in the version before.
            part = {"grants": [{"role": "operator", "areas": ["north"]}]}
            async with city.client(Role.ADMIN) as admin:
                assert (await admin.patch(f"{API}/users/li.na", json=part)).status_code == 200
            assert grants(database_url, "li.na") == [("operator", ["north"])]
            previous.execute("UPDATE users SET disabled = true WHERE username = 'li.na'")
            assert grants(database_url, "li.na") == [("operator", ["north"])]


async def test_accounts_made_beside_the_upgrade_to_grants_get_theirs(bare_url: str) -> None:
    await migrate.upgrade(bare_url, "0011")
    with psycopg.connect(bare_url, autocommit=True) as previous:
        previous.execute(
            """INSERT INTO users (username, display_name, role, password_hash, created_at) VALUES
            ('made-by-old', 'x', 'operator', 'x', now()), ('of-this-version', 'x', '', 'x', now())"""
        )
    await migrate.upgrade(bare_url)
    assert grants(bare_url, "made-by-old") == [("operator", [])]
    assert grants(bare_url, "of-this-version") == []


async def test_a_version_that_finds_newer_tables_works_on_them(database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await migrate.upgrade(database.url)


def statements(revision: str) -> str:
    """The SQL of a migration's upgrade, without its comments."""
    files = Path(migrate.SCRIPTS / "versions").glob(f"{revision}_*.py")
    module = importlib.import_module(f"central.store.migrations.versions.{next(files).stem}")
    heard = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": heard}
    )
    with Operations.context(context):
        module.upgrade()
    return re.sub(r"--[^\n]*", "", heard.getvalue())


def clauses(sql: str) -> Iterator[tuple[str, str]]:
    """(table, clause) of every ALTER TABLE."""
    for table, body in re.findall(r"\bALTER TABLE\s+(?:ONLY\s+)?(\S+)\s+([^;]*)", sql, re.IGNORECASE):
        depth, start = 0, 0
        for place, letter in enumerate(body):
            depth += (letter == "(") - (letter == ")")
            if letter == "," and depth == 0:
                yield table, body[start:place].strip()
                start = place + 1
        yield table, body[start:].strip()


def faults(sql: str) -> list[str]:
    """What in a migration the version before could not bear beside it."""
    found = re.findall(
        r"\b(?:DROP (?:TABLE|COLUMN|SCHEMA|FUNCTION)|(?<!OR )TRUNCATE|RENAME)\b[^;]*", sql, re.IGNORECASE
    )
    for table, clause in clauses(sql):
        words = clause.upper()
        dropped = re.match(r"DROP (?!CONSTRAINT|DEFAULT|NOT NULL|EXPRESSION)", words)
        retyped = re.match(r"ALTER (COLUMN )?\S+ (SET DATA )?TYPE|ALTER (COLUMN )?\S+ SET NOT NULL", words)
        must = words.startswith("ADD") and not words.startswith(("ADD CONSTRAINT", "ADD CHECK", "ADD UNIQUE"))
        must = must and "NOT NULL" in words and not re.search(r"\b(DEFAULT|GENERATED)\b", words)
        if dropped or retyped or must:
            found.append(f"ALTER TABLE {table} {clause}")
    return found


LATER = sorted(revision for revision in migrate.revisions() if revision > PREVIOUS)


@pytest.mark.parametrize("revision", LATER)
def test_a_migration_takes_nothing_from_the_version_before(revision: str) -> None:
    assert not faults(statements(revision)), (
        "the version before still runs while this is applied: add, fill, and take away one version later"
    )


@pytest.mark.parametrize(
    ("sql", "bad"),
    [
        ("ALTER TABLE a ADD b text NOT NULL DEFAULT ''", False),
        ("ALTER TABLE a ADD b text, ADD c int", False),
        (
            "ALTER TABLE a DROP CONSTRAINT ck_a, ADD CONSTRAINT ck_a CHECK (b IN (1, 2) AND c IS NOT NULL)",
            False,
        ),
        ("CREATE TABLE a (b text NOT NULL)", False),
        ("ALTER TABLE a ADD b text NOT NULL", True),
        ("ALTER TABLE a ADD b text DEFAULT '', ADD COLUMN c int NOT NULL", True),
        ("ALTER TABLE a DROP b", True),
        ("ALTER TABLE a RENAME COLUMN b TO c", True),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint", True),
        ("ALTER TABLE a ALTER b SET NOT NULL", True),
        ("DROP TABLE a", True),
    ],
)
def test_the_rule_itself(sql: str, bad: Any) -> None:
    assert bool(faults(sql)) is bad
