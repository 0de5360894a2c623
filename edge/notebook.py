"""What drivers have learnt of their devices, in the state folder: one file a connection, for people too.

    <state_dir>/learnt/<connection>.json    {"device": {"holes": […], "max_registers": 60, …}, …}

Nothing in it is needed: a gateway without it learns again. So an unreadable file is an empty one.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import structlog

from edge.durable import replace_file

FOLDER = "learnt"


class Notebook:
    """The notes of one connection (`protocols.field.base.Notes`)."""

    def __init__(self, state_dir: Path, connection: str) -> None:
        self.path = state_dir / FOLDER / f"{connection}.json"
        self._known = read(self.path)
        self._writing: asyncio.Future[None] | None = None
        self._again = False
        self._log = structlog.get_logger("edge.notebook").bind(connection=connection)

    def get(self, device: str) -> dict[str, Any]:
        """Return what is noted of a device, {} for nothing."""
        return self._known.get(device, {})

    def put(self, device: str, learnt: dict[str, Any]) -> None:
        """Note it, and write the file soon; a disk that does not take it is logged, and tried next time."""
        if self._known.get(device) == learnt:
            return
        self._known = {**self._known, device: learnt}
        self._write()

    def forget(self, device: str) -> bool:
        """Forget a device; return whether there was anything. It is learnt anew when its line opens again."""
        if device not in self._known:
            return False
        self._known = {key: value for key, value in self._known.items() if key != device}
        self._write()
        return True

    def all(self) -> dict[str, dict[str, Any]]:
        """Return everything, by device."""
        return self._known

    def _write(self) -> None:
        if self._writing is not None and not self._writing.done():
            self._again = True
            return
        self._again = False
        data = json.dumps(self._known, indent=1, sort_keys=True).encode()
        self._writing = asyncio.get_running_loop().run_in_executor(None, replace_file, self.path, data)
        self._writing.add_done_callback(self._written)

    def _written(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._log.error("what was learnt of devices cannot be kept", reason=str(error))
        if self._again:
            self._write()


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the notes in a file; {} where it is missing or no notes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, dict)}


class HoleView(msgspec.Struct, frozen=True, kw_only=True):
    """Wire addresses that a device refuses; `value`: a point lies just there, else a gap between points."""

    fc: int
    address: int
    count: int
    exception: int
    value: bool


class LearntView(msgspec.Struct, frozen=True, kw_only=True):
    """What a device bears beside what its profile says; None: nothing shorter than the profile."""

    profile: str
    holes: list[HoleView]
    max_registers: int | None
    max_bits: int | None
    pause_ms: int
    learnt_us: int


def view_of(record: dict[str, Any]) -> LearntView | None:
    """Return a note as it is shown; None where it says nothing or is no such note."""
    try:
        view = msgspec.convert(record, LearntView)
    except msgspec.ValidationError:
        return None
    if not (view.holes or view.max_registers or view.max_bits or view.pause_ms):
        return None
    return view
