"""Every command explains itself with an example that can be typed as it stands, and shells complete it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.reference import commands, programs
from tests.edge.cli.conftest import PROGRAMS, typed

OURS = {
    name: command for name, command in commands() if name.split()[0] in {"citynerve-edge", "citynerve-sim"}
}
EXAMPLE = re.compile(r"Example: (citynerve-\w+ .*|source .*)")


def examples(command: Any) -> list[str]:
    return EXAMPLE.findall(command.help or "")


@pytest.mark.parametrize("name", OURS)
def test_every_command_has_an_example_that_parses(name: str) -> None:
    found = examples(OURS[name])
    assert found, f"{name} --help has no Example"
    for line in found:
        for part in re.findall(r"(citynerve-\w+ [^&|()]*)", line):
            _parse(part.strip())


def _parse(line: str) -> None:
    """Let the program itself read the words, without doing anything."""
    program, *words = shlex.split(line)
    command = dict(programs())[program]
    context = None
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    context = command.make_context(line, words, resilient_parsing=False)
    assert context.params


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes(tmp_path: Path) -> None:
    script = typed("completion", "bash", folder=tmp_path).stdout
    (tmp_path / "completion.sh").write_text(script)
    ask = """
        source completion.sh
        complete -p citynerve-edge >/dev/null || exit 9
        COMP_WORDS=(citynerve-edge {words}); COMP_CWORD={at}
        _citynerve_edge_completion citynerve-edge
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    def completed(*words: str) -> set[str]:
        line = ask.format(words=" ".join(words) or "''", at=max(len(words), 1))
        environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        answer = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return set(answer.stdout.split())

    assert completed("he") == {"health"}
    assert completed("point", "w") == {"watch", "write"}
    assert "--units" in completed("scan", "modbus", "--u")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(shell: str, tmp_path: Path) -> None:
    script = typed("completion", shell, folder=tmp_path).stdout
    assert f"complete_{shell}" in script
    assert "citynerve-edge" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_an_unknown_shell_is_refused(tmp_path: Path) -> None:
    answer = typed("completion", "tcsh", folder=tmp_path)
    assert answer.returncode == 2
