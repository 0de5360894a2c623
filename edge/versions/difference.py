"""What is different between two configurations: for people line by line, for lists device by device."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge.config.document import parse
from edge.config.texts import Texts

_EVERYBODY = ("periods", "profiles")
"""Sections that concern each device."""


class Devices(msgspec.Struct, frozen=True):
    """Devices by key: a changed one has other settings, another line, or another profile text."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """unified: as `diff -u` writes it, empty where nothing differs."""

    unified: str
    devices: Devices


def difference(old: Texts, new: Texts, file: str) -> Difference:
    """Compare two configurations of the gateway file named `file`; either may be full of mistakes."""
    before, after = _devices(old), _devices(new)
    both = before.keys() & after.keys()
    return Difference(
        "".join(_unified(old, new, file)),
        Devices(
            added=tuple(key for key in after if key not in before),
            removed=tuple(key for key in before if key not in after),
            changed=tuple(key for key in after if key in both and before[key] != after[key]),
            unchanged=tuple(key for key in after if key in both and before[key] == after[key]),
        ),
    )


def _unified(old: Texts, new: Texts, file: str) -> Iterator[str]:
    yield from _lines(old.file, new.file, file)
    for name in sorted(old.profiles.keys() | new.profiles.keys()):
        yield from _lines(old.profiles.get(name, ""), new.profiles.get(name, ""), f"profile {name}")


def _lines(old: str, new: str, name: str) -> Iterator[str]:
    if old == new:
        return
    for line in difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    ):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _devices(texts: Texts) -> dict[str, Any]:
    """Return each device's key with all that decides how it is read and judged."""
    data = parse(Path("gateway.yaml"), texts.file).data
    if not isinstance(data, dict):
        return {}
    lines = {line["key"]: line for line in _entries(data, "connections")}
    common = [data.get(section) for section in _EVERYBODY]
    return {
        device["key"]: [
            device,
            lines.get(str(device.get("connection"))),
            texts.profiles.get(str(device.get("profile"))),
            common,
        ]
        for device in _entries(data, "devices")
    }


def _entries(data: Mapping[str, Any], section: str) -> Iterator[dict[str, Any]]:
    found = data.get(section)
    for entry in found if isinstance(found, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("key"), str):
            yield entry
