"""A command line whose commands are imported when they are called.

A technician waits for the words of one command, not for the packages of all of them: `--help` of the
program reads every command, anything else only its own.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, MutableMapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperGroup


class Commands(MutableMapping[str, Any]):
    """Commands by name, made on demand. places: `package.module:attribute` of a function or a Typer."""

    def __init__(self, places: dict[str, str], **look: Any) -> None:
        self._places = places
        self._look = look
        self._made = cache(self._make)

    def __getitem__(self, name: str) -> Any:
        if name not in self._places:
            raise KeyError(name)
        return self._made(name)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError(f"{name}: a command is named with its place, so that it need not be imported")

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def _make(self, name: str) -> Any:
        module, _, attribute = self._places[name].partition(":")
        found = getattr(_imported(module), attribute)
        alone = typer.Typer(**self._look)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name)
        else:
            alone.command(name)(found)
            alone.callback()(_nothing)  # without one, typer makes the only command the whole program
        group = typer.main.get_group(alone)
        return group.commands[name]


def _imported(name: str) -> ModuleType:
    """Import a command's module without the garbage collector, and hide from it what stays for good.

    It would look at every new class again and again, for a fifth of what starting the centre takes, and
    later, at each of its rounds in a gateway that runs for years, at all the packages once more.
    """
    if name in sys.modules or not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _nothing() -> None:
    """Do nothing: the group's own body."""


def program(name: str, about: str, places: dict[str, str], **look: Any) -> typer.Typer:
    """Return a program of commands by their places. about: its help; look: what typer.Typer takes of style.

    Raises ImportError or AttributeError, when a command is called, for a place where there is none.
    """

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = Commands(dict(places), **look)

    app = typer.Typer(name=name, help=about, cls=Group, no_args_is_help=True, **look)
    app.callback(help=about)(_nothing)
    return app
