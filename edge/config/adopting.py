"""`adoptions:` of the gateway file: under which rule a device that nobody has declared is taken in.

    a device speaks ─→ its name out of the topic ─→ denied? allowed? a place left? ─→ adopted.json ─→ the plan

The rule says what such a device is; `adopted.json` in the state folder says only which ones there are. So a
rule that is changed changes all its devices, and one that is removed takes them away.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from pydantic import Field

from edge.durable import replace_file
from protocols.field.base import Watch
from protocols.field.filling import DEVICE
from protocols.model.device import Key, Profile, Text
from protocols.model.strict import Strict

FILE: Final = "adopted.json"
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SPACES: Final = str.maketrans(dict.fromkeys(" .:", "-"))


class AdoptionEntry(Strict):
    """A rule: devices that speak on `topic` of a connection are of this model, and join by themselves."""

    key: Key
    connection: Key
    site: Key
    profile: str
    topic: str = Field(min_length=1, description="where they speak, with {device} at their name's place")
    allow: tuple[str, ...] = Field(
        default=("*",), min_length=1, description="names that may join; * and ? stand for any letters"
    )
    deny: tuple[str, ...] = Field(default=(), description="names that may not, with * and ? too")
    most: Annotated[int, Field(ge=1, le=1000)] = Field(default=50, description="most devices of this rule")
    name: Text | None = Field(default=None, description="their names, with {device}; else the name itself")
    enabled: bool = Field(default=True, description="false: nobody new; those that are in stay")

    def refuses(self, name: str) -> str | None:
        """Return why a name may not join: `denied`, `not-allowed`, `name`; None where it may."""
        if any(fnmatchcase(name, pattern) for pattern in self.deny):
            return "denied"
        if not any(fnmatchcase(name, pattern) for pattern in self.allow):
            return "not-allowed"
        return None if key_of(name) else "name"

    def device(self, name: str) -> dict[str, Any]:
        """Return the entry that a person would write for such a device under `devices:`."""
        shown = self.name or Text(zh=name, en=name)
        return {
            "key": key_of(name),
            "site": self.site,
            "name": {"zh": shown.zh.replace(DEVICE, name), "en": shown.en.replace(DEVICE, name)},
            "connection": self.connection,
            "profile": self.profile,
            "params": {"device": name},
        }

    def watch(self, profile: Profile) -> Watch:
        """Return what its connection has to listen for."""
        return Watch(self.key, self.topic, profile)


def key_of(name: str) -> str | None:
    """Return the key of a device by its name in topics; None for a name that makes none.

    Small letters, and `-` for a dot, a colon or a space: `AA:BB:0C` is `aa-bb-0c`.
    """
    key = name.lower().translate(_SPACES)
    return key if _KEY.fullmatch(key) else None


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """A device that has joined: by which rule, its name in topics, when (UTC)."""

    rule: str
    name: str
    adopted_us: int


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """What `adopted.json` holds, oldest first.

    forgotten: (rule, name) of devices that a person has taken out; what a broker retains of them is no
    sign of life.
    """

    devices: tuple[Adopted, ...] = ()
    forgotten: tuple[tuple[str, str], ...] = ()


def read_book(state_dir: Path) -> Book:
    """Return who has joined so far; nobody where the file is missing or damaged: they join again."""
    try:
        return msgspec.json.decode((state_dir / FILE).read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Book()


def write_book(state_dir: Path, book: Book) -> None:
    """Keep it over restarts and power cuts. Raises OSError."""
    replace_file(state_dir / FILE, msgspec.json.format(msgspec.json.encode(book), indent=1))


def members(
    rules: Sequence[AdoptionEntry], state_dir: Path, taken: Collection[str]
) -> dict[str, tuple[AdoptionEntry, Adopted]]:
    """Return who is in, by key, oldest first: as the rules are now, under keys that nobody else has."""
    if not rules:
        return {}
    by_key = {rule.key: rule for rule in rules}
    found: dict[str, tuple[AdoptionEntry, Adopted]] = {}
    count = dict.fromkeys(by_key, 0)
    for one in read_book(state_dir).devices:
        rule, key = by_key.get(one.rule), key_of(one.name)
        if rule is None or key is None or key in taken or key in found or rule.refuses(one.name) is not None:
            continue
        if count[rule.key] < rule.most:
            count[rule.key] += 1
            found[key] = rule, one
    return found
