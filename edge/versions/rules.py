"""What an apply may not change, and how the texts of a configuration get to their files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edge.config.document import Document, Path_, parse
from edge.config.texts import Texts, own_profiles
from edge.durable import sync_folder
from edge.versions.store import Source, write
from protocols.errors import ConfigError, Rejected, StorageError

MAX_TEXT: Final = 2_000_000
_AT_HOME: Final = ("updates",)
"""Sections that say whom the gateway trusts: never changed by the one who is trusted."""


def check_apply(file: Path, running: Texts, wanted: Texts, source: Source) -> None:
    """Refuse what cannot change while the gateway runs. Raises ConfigError with every such mistake."""
    document = parse(file, wanted.file)
    old, new = _mapping(parse(file, running.file).data), _mapping(document.data)
    for section, key in (("gateway", "id"), ("", "state_dir")):
        before, after = _at(old, section, key), _at(new, section, key)
        path: Path_ = (section, key) if section else (key,)
        if before != after:
            document.mistake(
                path,
                f"{key} would change from {before!r} to {after!r} while the gateway runs",
                f"{key}: {before}",
                "write it back; to change it, stop the gateway, edit the file and enrol it again",
            )
    for section in _AT_HOME if source == "centre" else ():
        if old.get(section) != new.get(section):
            document.mistake(
                (section,),
                "the centre wants to change whose software updates are trusted",
                f"`{section}:` as it is at the gateway",
                "leave the section as it is, or change it at the gateway itself",
                at_key=True,
            )
    _check_folder(document, file, new, wanted)
    if document.mistakes:
        raise ConfigError(document.mistakes)


def _check_folder(document: Document, file: Path, new: Mapping[str, Any], wanted: Texts) -> None:
    folder = new.get("profiles")
    if not wanted.profiles:
        return
    if not isinstance(folder, str):
        document.mistake(
            (), "own profiles are given, and the file names no folder for them", "`profiles:`",
            "add `profiles: profiles`",
        )  # fmt: skip
        return
    home = file.resolve().parent
    # Else whoever may push a configuration could write YAML files anywhere on the machine.
    if not (home / folder).resolve().is_relative_to(home):
        document.mistake(
            ("profiles",), f"{folder!r} is not beside the gateway file", "a folder in the gateway file's",
            "write `profiles: profiles`",
        )  # fmt: skip


def check_text(texts: Iterable[str]) -> None:
    """Refuse what no file can hold. Raises Rejected `too-large`, `not-text`."""
    size = 0
    for text in texts:
        size += len(text)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Rejected("not-text", f"the text cannot be written as UTF-8: {error}") from error
    if size > MAX_TEXT:
        raise Rejected("too-large", f"a configuration has at most {MAX_TEXT / 1e6:.0f} million characters")


def named(texts: Texts, file: Path, given: Mapping[str, str]) -> Texts:
    """Return texts with those of `given` that the file names in place of their own, by id or file name."""
    fresh = {name.removesuffix(".yaml"): text for name, text in given.items()}
    names = {path.stem for path in own_profiles(file, texts.file)}
    profiles = {**texts.profiles, **{name: text for name, text in fresh.items() if name in names}}
    # A profile that nobody names as his own any more has no file to be written to.
    if not names and fresh:
        profiles = fresh
    return Texts(texts.file, profiles)


def check_writable(file: Path) -> None:
    """Raise Rejected `file-not-writable` where the gateway file could not be replaced."""
    if not os.access(file.resolve().parent, os.W_OK) and not os.access(file, os.W_OK):
        raise Rejected(
            "file-not-writable",
            f"{file} cannot be written by the gateway, so nothing was applied; run: "
            f"chown $(id -un) {file.parent} {file}, and under systemd add ReadWritePaths={file.parent}",
        )


def publish(file: Path, texts: Texts) -> None:
    """Write the texts to their files, the profiles first. Raises StorageError."""
    for path, text in _files(file, texts):
        if not path.is_file() or path.read_bytes() != text.encode():
            _replace(path, text.encode())


def _files(file: Path, texts: Texts) -> Iterator[tuple[Path, str]]:
    for path in own_profiles(file, texts.file):
        if path.stem in texts.profiles:
            yield path, texts.profiles[path.stem]
    yield file.resolve(), texts.file


def _replace(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o640
    path.parent.mkdir(exist_ok=True)
    if os.access(path.parent, os.W_OK):
        try:
            write(path, data, mode)
        except StorageError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EBUSY:
                raise
        else:
            return
    # A file that is mounted into a container cannot be replaced, only rewritten. If that is cut short, the
    # next start finds mistakes in it and runs the last good version.
    try:
        with path.open("r+b") as old:
            old.truncate(0)
            old.write(data)
            old.flush()
            os.fsync(old.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}. Let the gateway's user write it.") from error


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, dict) else {}


def _at(data: Mapping[str, Any], section: str, key: str) -> Any:
    return (_mapping(data.get(section)) if section else data).get(key)
