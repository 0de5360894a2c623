"""A configuration as people write it, comments and all: one text, and those of the own profiles it names.

It is one document: a version, a difference, a push from the centre and its digest are always about all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edge.config.document import parse, text_of


@dataclass(frozen=True, slots=True)
class Texts:
    """The gateway file's text, and by its id the text of each own profile that is named in it."""

    file: str
    profiles: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over all texts, in hexadecimal."""
        whole = [self.file, sorted(self.profiles.items())]
        return hashlib.sha256(msgspec.msgpack.encode(whole)).hexdigest()


def gather(path: Path, instead: str | None = None) -> Texts:
    """Read the gateway file at `path` and its own profiles; `instead` is taken in place of the file's text.

    Says nothing about what is wrong in them. Raises ConfigError where the file cannot be read at all.
    """
    text = text_of(path) if instead is None else instead
    return Texts(text, {file.stem: text_of(file) for file in own_profiles(path, text) if file.is_file()})


def own_profiles(path: Path, text: str) -> Iterator[Path]:
    """Yield where the own profiles of a gateway file would lie, each once; it may be full of mistakes."""
    data = parse(path, text).data
    folder = data.get("profiles") if isinstance(data, dict) else None
    if not isinstance(folder, str):
        return
    for name in dict.fromkeys(_named(data)):
        # A name that leads out of the folder is no profile; `load` says so.
        if "/" not in name and name not in {"", ".", ".."}:
            yield path.resolve().parent / folder / f"{name}.yaml"


def _named(data: Mapping[str, Any]) -> Iterator[str]:
    for section in ("devices", "adoptions"):
        entries = data.get(section)
        for entry in entries if isinstance(entries, list) else ():
            name = entry.get("profile") if isinstance(entry, dict) else None
            if isinstance(name, str):
                yield name
