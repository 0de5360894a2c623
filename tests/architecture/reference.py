"""Writes docs/commands.md from the commands and the paths in docs/api.md from the API: `make docs`."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from central.app import create_app
from central.config import Config

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "docs" / "commands.md"
API = ROOT / "docs" / "api.md"
PATHS = "<!-- From here on written by `make docs` from the API itself. -->\n"
PROGRAMS = {"citynerve": "central.cli", "citynerve-edge": "edge.cli", "citynerve-sim": "sim_devices.cli"}
COMMON = {"--help", "--install-completion", "--show-completion"}
HEAD = """\
# Commands

Written by `make docs` from the commands themselves. Every one also answers `--help`.
"""


def programs() -> Iterator[tuple[str, Any]]:
    """Each program's name with its click command."""
    for name, module in PROGRAMS.items():
        yield name, typer.main.get_command(importlib.import_module(module).app)


def commands() -> Iterator[tuple[str, Any]]:
    """Every visible command, as it is typed (`citynerve-edge point read`), with its click command."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        # Asked by attribute, not by class: typer brings a click of its own.
        if hasattr(command, "commands"):
            for verb, inner in command.commands.items():
                yield from walk(f"{name} {verb}", inner)
        elif not command.hidden:
            yield name, command

    for program, command in programs():
        yield from walk(program, command)


def render_commands() -> str:
    """The whole of docs/commands.md."""
    parts = [HEAD]
    for program, command in programs():
        parts.append(f"## {program}\n")
        parts += [paragraphs(command.help)]
        for name, inner in commands():
            if name.split()[0] == program:
                parts.append(section(name, inner))
    return "\n".join(parts)


def section(name: str, command: Any) -> str:
    """One command: how it is typed, what it does, its arguments and options."""
    visible = [p for p in command.params if not getattr(p, "hidden", False) and not COMMON & set(p.opts)]
    arguments = [p for p in visible if p.param_type_name == "argument"]
    options = [p for p in visible if p.param_type_name == "option"]
    typed = " ".join([name, *(spelled(p) for p in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [f"### `{typed}`\n", paragraphs(command.help)]
    lines += [f"- `{spelled(p)}` {described(p)}" for p in arguments if described(p)]
    lines += [f"- `{', '.join([*p.opts, *p.secondary_opts])}` {described(p)}" for p in options]
    return "\n".join(lines).rstrip() + "\n"


def spelled(argument: Any) -> str:
    """FILE, or [FOLDER] where it may be left out."""
    name = str(argument.metavar or argument.name.upper()).strip("[]{}")
    return name if argument.required else f"[{name}]"


def described(parameter: Any) -> str:
    """The parameter's help, with its default where that says something on every machine."""
    help_text = " ".join((parameter.help or "").split())
    default = parameter.default
    if isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
        return f"{help_text} Default: `{default}`."
    return help_text


def paragraphs(help_text: str | None) -> str:
    """Help as Markdown paragraphs; an example becomes code."""
    out = []
    for paragraph in textwrap.dedent(help_text or "").strip().replace("\b", "").split("\n\n"):
        text = " ".join(paragraph.split())
        if text.startswith("Example:"):
            text = f"```sh\n{text.removeprefix('Example:').strip()}\n```"
        out.append(text + "\n")
    return "\n".join(out)


def render_api() -> str:
    """docs/api.md: what people wrote, then every path by the room that answers it."""
    document = create_app(Config(data_dir=Path())).openapi()
    rooms: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            queries = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
            says = " ".join(operation.get("description", "").split())
            asked = f" Query: {', '.join(f'`{name}`' for name in queries)}." if queries else ""
            line = f"- `{method.upper()} {path.removeprefix('/api/v1')}` {says}{asked}"
            rooms.setdefault(operation["tags"][0], []).append(line)
    written = API.read_text(encoding="utf-8").partition(PATHS)[0]
    return written + PATHS + "".join(f"\n### {room}\n\n" + "\n".join(rooms[room]) + "\n" for room in rooms)


if __name__ == "__main__":
    COMMANDS.write_text(render_commands(), encoding="utf-8")
    API.write_text(render_api(), encoding="utf-8")
