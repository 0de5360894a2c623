"""`citynerve-edge page`, and the password that enrolment asks for."""

from __future__ import annotations

import asyncio
import errno
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.audit import verify
from edge.cli import app
from edge.console.password import Password
from tests.edge.centre import CODE, FakeCentre
from tests.edge.console.page import PASSWORD, doors
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file

runner = CliRunner()


async def command(*arguments: object, env: dict[str, str] | None = None, said: str = "") -> tuple[int, str]:
    """Run a command in a thread, beside the servers of this test; return its exit code and all its words."""
    words = [str(argument) for argument in arguments]
    answer = await asyncio.to_thread(runner.invoke, app, words, input=said, env=env)
    return answer.exit_code, answer.output


async def test_a_state_folder_of_somebody_else_is_named_with_the_way_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(state_dir: Path, given: str) -> Path:  # root, who runs some tests, may write everywhere
        raise PermissionError(errno.EACCES, "Permission denied", str(state_dir / "page.json"))

    monkeypatch.setattr("edge.cli.page.keep_password", closed)
    code, said = await command("page", "password", gateway_file(tmp_path, 502), said=f"{PASSWORD}\n")
    assert code == 1
    assert "page.json: Permission denied" in said
    assert "sudo -u citynerve-edge" in said


async def test_the_password_comes_from_a_variable_or_a_pipe_and_is_in_the_audit(tmp_path: Path) -> None:
    file, state = gateway_file(tmp_path, 502), tmp_path / "state"
    code, said = await command("page", "password", file, "--password-env", "P", env={"P": PASSWORD})
    assert code == 0, said
    assert PASSWORD not in said
    assert Password(state).matches(PASSWORD)
    assert stat.S_IMODE((state / "page.json").stat().st_mode) == 0o600
    code, said = await command("page", "password", file, said="another river\n")
    assert code == 0, said
    assert Password(state).matches("another river")
    trail = (state / "audit.jsonl").read_text(encoding="utf-8")
    assert trail.count('"page-password"') == 2
    assert "river" not in trail
    assert verify(state / "audit.jsonl").tampering == ()


@pytest.mark.parametrize("given", ["", "short", "\n"])
async def test_a_password_that_is_none_changes_nothing(tmp_path: Path, given: str) -> None:
    file = gateway_file(tmp_path, 502)
    code, said = await command("page", "password", file, said=given)
    assert code == 1
    assert "8 to 256 characters" in said
    code, said = await command("page", "password", file, "--password-env", "NOBODY_SET_THIS")
    assert (code, "NOBODY_SET_THIS" in said) == (1, True)
    assert not (tmp_path / "state" / "page.json").exists()


async def test_enrolment_sets_the_password(tmp_path: Path) -> None:
    async with FakeCentre() as centre:
        file = gateway_file(tmp_path, 502, centre.url)
        code, said = await command("enrol", file, CODE, "--page-password-env", "P", env={"P": "short"})
        assert (code, "8 to 256" in said) == (1, True), "and the one-time code is not spent"
        code, said = await command("enrol", file, CODE, "--page-password-env", "P", env={"P": PASSWORD})
        assert code == 0, said
    assert "lets nobody in" not in said
    assert Password(tmp_path / "state").matches(PASSWORD)


async def test_enrolment_without_a_terminal_says_how_to_set_the_password(tmp_path: Path) -> None:
    async with FakeCentre() as centre:
        file = gateway_file(tmp_path, 502, centre.url, page={})
        code, said = await command("enrol", file, CODE)
    assert code == 0, said
    assert f"citynerve-edge page password {file}" in said
    assert not (tmp_path / "state" / "page.json").exists()


async def test_the_url_is_that_of_the_running_gateway(tmp_path: Path) -> None:
    async with ModbusField() as field:
        async with doors(tmp_path, field.port) as opened:
            code, said = await command("page", "url", tmp_path / "gateway.yaml")
            assert (code, said.strip()) == (0, opened.url + "/")
        code, said = await command("page", "url", tmp_path / "gateway.yaml")
    assert code == 1
    assert "is not running" in said
