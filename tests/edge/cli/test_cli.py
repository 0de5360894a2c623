"""The command line as people and scripts use it: its words and its exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from typer.testing import CliRunner

from edge.buffer.base import Entry
from edge.buffer.sqlite import SqliteBuffer
from edge.cli import app
from edge.opening import open_plan
from protocols.model.reading import Readings
from tests.edge.centre import CODE, FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file

runner = CliRunner()


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """`run` sends the logs of the process to its own standard error, which ends with the test."""
    yield
    structlog.reset_defaults()


async def command(*arguments: object) -> tuple[int, str, str]:
    """Run a command in a thread, beside the servers of this test; return exit code, output, errors."""
    answer = await asyncio.to_thread(runner.invoke, app, [str(argument) for argument in arguments])
    return answer.exit_code, answer.stdout, answer.stderr


def test_check_shows_the_plan(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020, units=2)
    answer = runner.invoke(app, ["check", str(path), "--json"])
    assert answer.exit_code == 0
    plan = json.loads(answer.stdout)["plan"]
    (line,) = plan["connections"]
    assert line["devices"][0] == {
        "device": "pump1",
        "profile": "test.pump",
        "points": 3,
        "requests_per_cycle": {"fast": 1, "slow": 1},
        "rules": 2,
    }
    assert line["requests_per_second"] == 50
    words = runner.invoke(app, ["check", str(path)]).stdout
    assert "pump2" in words
    assert "1 fast, 1 slow" in words


def test_check_lists_every_mistake(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020, colour="red", state_dir=5)
    answer = runner.invoke(app, ["check", str(path)])
    assert answer.exit_code == 2
    assert "[colour]" in answer.stderr
    assert "[state_dir]" in answer.stderr
    assert "2 mistakes" in answer.stderr
    found = json.loads(runner.invoke(app, ["check", str(path), "--json"]).stdout)
    assert {mistake["path"] for mistake in found["mistakes"]} == {"colour", "state_dir"}
    assert runner.invoke(app, ["run", str(path)]).exit_code == 2


def test_queue_shows_what_waits(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020)
    empty = runner.invoke(app, ["queue", str(path)])
    assert empty.exit_code == 1
    assert "does not exist yet" in empty.stderr
    plan = open_plan(path)
    buffer = SqliteBuffer(tmp_path / "state")
    readings = Readings.bad(np.array([0, 1], np.int32), 1_780_000_000_000_000, 0)
    buffer.append([Entry("readings", plan.declaration, 1_780_000_000_000_000, readings)] * 3)
    buffer.set_aside("readings", 2, "400 corrupt: cannot be read")
    # The gateway still holds its log: looking takes no lock.
    answer = runner.invoke(app, ["queue", str(path), "--json"])
    words = runner.invoke(app, ["queue", str(path)]).stdout
    buffer.close()
    seen = json.loads(answer.stdout)
    assert (seen["streams"]["readings"]["batches"], seen["streams"]["readings"]["rows"]) == (2, 4)
    assert seen["set_aside"][0]["reason"] == "400 corrupt: cannot be read"
    assert "400 corrupt" in words


async def test_point_read_and_write(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        field.set(1, 0, 1234)
        code, out, err = await command("point", "read", path, "pump1.level", "--json")
        assert (code, err) == (0, "")
        answer = json.loads(out)
        assert (answer["value"], answer["unit"], answer["quality"]) == (12.34, "m", "Good")
        code, out, _ = await command("point", "write", path, "pump1.speed", "12.5")
        assert (code, field.get(1, 1)) == (0, 125)
        assert "reads back 12.5" in out
        code, _, err = await command("point", "write", path, "pump1.speed", "-5")
        assert code == 1
        assert "limits" in err
        code, _, err = await command("point", "read", path, "pump1.levle")
        assert code == 1
        assert "did you mean 'pump1.level'?" in err
        field.silent.add(1)
        code, out, _ = await command("point", "read", path, "pump1.level")
        assert code == 1
        assert "BadTimeout" in out


async def test_watch_without_a_gateway_keeps_one_connection(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        field.set(1, 0, 1234)
        words = ("point", "watch", path, "pump1.level", "--for", "1", "--every", "0.1", "--json")
        code, out, err = await command(*words)
        assert (code, err) == (0, "")
        seen = [json.loads(line) for line in out.splitlines()]
        assert {value["value"] for value in seen} == {12.34}
        assert 2 <= len(seen) <= 11
        assert field.requests[1] in (len(seen), len(seen) + 1)
    code, _, err = await command("point", "watch", path, "pump1.level", "--for", "1")
    assert code == 1
    assert "cannot be reached" in err


async def test_enrol(tmp_path: Path) -> None:
    async with FakeCentre() as centre:
        path = gateway_file(tmp_path, 5020, centre.url)
        code, _, err = await command("enrol", path, "WRONG")
        assert code == 1
        assert "code-spent" in err
        code, out, _ = await command("enrol", path, CODE)
        assert code == 0
        assert centre.token not in out
    assert (tmp_path / "state" / "credentials.json").exists()


def test_schema_is_written(tmp_path: Path) -> None:
    assert runner.invoke(app, ["schema", str(tmp_path)]).exit_code == 0
    assert json.loads((tmp_path / "gateway.json").read_text(encoding="utf-8"))["title"]
