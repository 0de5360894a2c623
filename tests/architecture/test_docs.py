"""An undocumented command or setting is a failing test, and so is a documented one that is not there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from edge.config.models import GatewayFile
from protocols.field.registry import driver_class, protocols
from protocols.model.device import profile_model
from tests.architecture.reference import API, COMMANDS, PROGRAMS, ROOT, commands, render_api, render_commands

DOCS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BOTH_LANGUAGES = {"zh", "en"}


def text(*names: str) -> str:
    return "\n".join((ROOT / name).read_text() for name in names)


def shell_lines() -> list[tuple[str, str]]:
    """(file, line) of every command in the shell blocks and inline code of the documents."""
    lines = []
    for file in DOCS:
        body = file.read_text()
        blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", body, re.DOTALL)
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", body, flags=re.DOTALL))
        for line in [*"\n".join(blocks).splitlines(), *inline]:
            lines.append((file.name, re.sub(r"^(\$ |sudo (-u \S+ )?|[A-Z_]+=\S+ )+", "", line.strip())))
    return lines


def test_the_command_reference_is_fresh() -> None:
    assert COMMANDS.read_text() == render_commands(), "a command changed; run: make docs"


def test_the_list_of_paths_is_fresh() -> None:
    assert API.read_text() == render_api(), "the API changed; run: make docs"


def test_every_command_and_option_says_what_it_does() -> None:
    silent = [name for name, command in commands() if not command.help]
    silent += [
        f"{name} {parameter.opts[0]}"
        for name, command in commands()
        for parameter in command.params
        if parameter.param_type_name == "option" and not (parameter.help or parameter.hidden)
    ]
    assert not silent


def test_every_environment_variable_is_documented() -> None:
    documented = text("docs/configuration.md")
    sources = [*ROOT.glob("[cepfs]*/**/*.py"), ROOT / "hatch_build.py", ROOT / "tests/e2e/browser.py"]
    named = {name for file in sources for name in re.findall(r"CITYNERVE_[A-Z_]*[A-Z]", file.read_text())}
    missing = sorted(name for name in named if f"`{name}`" not in documented)
    assert not missing, f"docs/configuration.md does not tell of: {', '.join(missing)}"


def test_no_environment_variable_is_invented() -> None:
    sources = [*ROOT.glob("[cepfs]*/**/*.py"), ROOT / "hatch_build.py", *ROOT.glob("tests/e2e/*.py")]
    known = {name for file in sources for name in re.findall(r"CITYNERVE_[A-Z_]*[A-Z]", file.read_text())}
    named = {name for file in DOCS for name in re.findall(r"CITYNERVE_[A-Z_]*[A-Z]", file.read_text())}
    assert named <= known


def fields(model: type[BaseModel]) -> Iterator[str]:
    """Every key that a file of this model may have, down to the leaves."""

    def models(annotation: Any) -> Iterator[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        for inner in get_args(annotation):
            yield from models(inner)

    for name, field in model.model_fields.items():
        yield name
        for inner in models(field.annotation):
            yield from fields(inner)


def drivers_settings() -> Iterator[str]:
    for protocol in protocols():
        driver = driver_class(protocol)
        yield from fields(driver.Settings)
        yield from fields(driver.Params)


def profile_keys() -> Iterator[str]:
    for protocol in protocols():
        yield from fields(profile_model(protocol))


@pytest.mark.parametrize("keys", [fields(GatewayFile), profile_keys()], ids=["GatewayFile", "Profile"])
def test_every_key_of_a_persons_file_is_documented(keys: Iterator[str]) -> None:
    documented = text("docs/configuration.md")
    missing = sorted({name for name in keys if f"`{name}`" not in documented} - BOTH_LANGUAGES)
    assert not missing, f"docs/configuration.md does not tell of: {', '.join(missing)}"


def test_every_setting_of_a_driver_is_documented() -> None:
    documented = text("docs/configuration.md")
    missing = sorted({name for name in drivers_settings() if f"`{name}`" not in documented})
    assert not missing, f"docs/configuration.md does not tell of: {', '.join(missing)}"


def test_documented_commands_exist() -> None:
    leaves = {name for name, _ in commands()}
    branches = {" ".join(name.split()[:depth]) for name in leaves for depth in (1, 2, 3)}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    def exists(line: str) -> bool:
        program, *words = line.split()
        verbs = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z][a-z-]*", word), words))
        if program == "make":
            return set(verbs) <= targets
        name = program
        for verb in verbs:
            if name in leaves:
                break
            name = f"{name} {verb}"
        return name in branches

    ours = [(file, line) for file, line in shell_lines() if line.split()[:1] and line.split()[0] in PROGRAMS]
    ours += [(file, line) for file, line in shell_lines() if line.startswith("make ")]
    assert not [f"{file}: {line}" for file, line in ours if not exists(line)]


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", file.read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    broken = [link for link in local if not (file.parent / link).exists()]
    assert not broken


def test_architecture_names_only_files_that_are_there() -> None:
    body = text("ARCHITECTURE.md")
    houses = "protocols|edge|central|sim_devices|firmware_configs|deploy|tests"
    paths = set(re.findall(rf"`((?:{houses})/[\w./*-]*)`", body))
    missing = sorted(path for path in paths if not list(ROOT.glob(path.rstrip("/"))))
    assert not missing, f"ARCHITECTURE.md names what is not there: {', '.join(missing)}"
