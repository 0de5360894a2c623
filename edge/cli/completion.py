"""`citynerve-edge completion`: the script with which a shell completes this program's words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

PROGRAM: Final = "citynerve-edge"
VARIABLE: Final = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
"""In the environment where the script asks for words."""


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the completion script of a shell, to be sourced or installed.

    bash: put the line of the example into ~/.bashrc. zsh: write it to a file _citynerve-edge on your fpath.
    fish: write it to ~/.config/fish/completions/citynerve-edge.fish.

    Example: source <(citynerve-edge completion bash)
    """
    typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value))
