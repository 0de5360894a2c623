"""`citynerve-edge config` beside a gateway that runs, and beside one that does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until
from tests.edge.test_config_change import changed, well
from tests.forks import Forks


class Typed:
    """The command line as another process, while this one is the gateway."""

    def __init__(self, edge: Forks) -> None:
        self._edge = edge

    async def __call__(self, verb: str, file: Path, *words: object) -> CompletedProcess[str]:
        return await asyncio.to_thread(self._edge.call, "config", verb, file, *words, folder=file.parent)


@pytest.fixture(scope="module")
def typed() -> Iterator[Typed]:
    """`citynerve-edge config`, as often as it is wanted."""
    with Forks("edge.cli:main", "edge.cli.config") as edge:
        yield Typed(edge)


def shown(result: CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


async def test_a_technician_changes_keeps_and_takes_back(typed: Typed, tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        first = path.read_text(encoding="utf-8")
        async with running(path) as gateway:
            await until(lambda: well(gateway) == {"pump1"})
            assert shown(await typed("show", path, "--json"))["state"] == "same"
            path.write_text(changed(path, batch={"seconds": 0.1}), encoding="utf-8")
            difference = await typed("diff", path)
            assert "+  seconds: 0.1" in difference.stdout
            version = shown(await typed("apply", path, "--note", "slower", "--probation", "600", "--json"))
            field.silent.add(1)  # so that it stays on probation, however slow this machine is
            assert (version["number"], version["state"], version["note"]) == (2, "probation", "slower")
            assert version["actor"].startswith("local:")
            assert "on probation" in (await typed("show", path)).stdout
            refused = await typed("apply", path)
            assert refused.returncode == 1
            assert "is on probation" in refused.stderr
            assert "version 2: running" in (await typed("confirm", path)).stdout
            field.silent.clear()
            assert (await typed("confirm", path)).returncode == 1
            other = tmp_path / "other.yaml"
            other.write_text(first.replace("level", "level", 1) + "wrong: 1\n", encoding="utf-8")
            wrong = await typed("apply", path, "--from", other)
            assert wrong.returncode == 2
            assert "'wrong' is not a setting" in wrong.stderr
            back = shown(await typed("rollback", path, 1, "--json"))
            assert (back["number"], back["source"]) == (3, "rollback")
            assert path.read_text(encoding="utf-8") == first
            assert "nothing is different" in (await typed("diff", path, 1, "running")).stdout
            lines = (await typed("versions", path)).stdout.splitlines()
            assert [line.split()[0] for line in lines] == ["3", "2", "1"]
            assert lines[2].split()[1] == "good"
            unknown = await typed("rollback", path, 9)
            assert unknown.returncode == 1


async def test_beside_a_gateway_that_does_not_run(typed: Typed, tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020)
    never = await typed("show", path)
    assert never.returncode == 1
    assert "has not run yet" in never.stderr
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        first = path.read_text(encoding="utf-8")
        async with running(path) as gateway:
            await until(lambda: well(gateway) == {"pump1"})
        path.write_text(changed(path, batch={"seconds": 0.1}), encoding="utf-8")
        edited = await typed("show", path)
        assert edited.returncode == 1
        assert "the next start takes it up" in edited.stdout
        assert "+  seconds: 0.1" in (await typed("diff", path)).stdout
        assert [v["number"] for v in shown(await typed("versions", path, "--json"))] == [1]
        apply = await typed("apply", path)
        assert apply.returncode == 1
        assert "is not running" in apply.stderr
        back = await typed("rollback", path, 1)
        assert back.returncode == 0
        assert path.read_text(encoding="utf-8") == first
        async with running(path) as gateway:
            path.write_text("gateway: [", encoding="utf-8")
            assert shown(await typed("versions", path, "--json"))[0]["state"] == "running", "a broken file"
