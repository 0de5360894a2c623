"""Which versions of the software lie beside the installed one, which runs, and which is on trial.

    software/state.json       the one truth; replaced whole, so that a power cut leaves the old or the new
    software/versions/1.2.3/  an unpacked wheel; the version "" is the installation itself, and always there

    steady ──begin──► trial ──confirm──► steady, told good
                        └────back─────► steady with the version before, told why

Reads and writes wait for the disk.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import msgspec

from edge.durable import replace_file
from protocols.errors import Rejected

FOLDER: Final = "software"
MAX_STARTS: Final = 3
"""A version on trial that ended so often before it was well is taken back."""
RESTART: Final = 75
"""Exit code of a gateway that wants to be started again (EX_TEMPFAIL of sysexits.h)."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A version that must prove itself within `seconds` of a start.

    order names the Update; devices were well before, and must be again. starts counts the beginnings.
    """

    version: str
    order: str
    devices: tuple[str, ...]
    seconds: float
    starts: int = 0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial, until the centre has been told."""

    version: str
    order: str
    good: bool
    why: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The shelf at one moment; an empty version is the installation."""

    current: str = ""
    previous: str = ""
    trial: Trial | None = None
    ended: Ended | None = None


class Shelf:
    """The folder of versions in a gateway's state folder."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self._file = self.folder / "state.json"

    def place(self, version: str) -> Path:
        """Return where a version lies or would lie."""
        return self.folder / "versions" / version

    def read(self) -> State:
        """Return the state. One that is damaged, or whose version is gone, is the installation's."""
        try:
            state = msgspec.json.decode(self._file.read_bytes(), type=State)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return State()
        if state.current and not self.place(state.current).is_dir():
            return State(ended=state.ended)
        return state

    def begin(self, trial: Trial) -> State:
        """Put a version on trial; it is what the next start runs. Raises Rejected `update-busy`, OSError."""
        state = self.read()
        if state.trial is not None or state.ended is not None:
            busy = state.trial.version if state.trial else state.ended.version if state.ended else ""
            raise Rejected("update-busy", f"the update to {busy} has not ended yet; wait for its result")
        return self._write(State(current=trial.version, previous=state.current, trial=trial))

    def started(self) -> State:
        """Count a start; a version on trial that has had enough of them is taken back here."""
        state = self.read()
        if state.trial is None:
            return state
        if state.trial.starts >= MAX_STARTS:
            return self.back(f"it ended {MAX_STARTS} times before it was well")
        trial = msgspec.structs.replace(state.trial, starts=state.trial.starts + 1)
        return self._write(msgspec.structs.replace(state, trial=trial))

    def confirm(self) -> State:
        """Keep the version that is on trial, and the one before it; forget the others."""
        state = self.read()
        if state.trial is None:
            return state
        ended = Ended(version=state.trial.version, order=state.trial.order, good=True)
        kept = self._write(msgspec.structs.replace(state, trial=None, ended=ended))
        self._tidy(kept)
        return kept

    def back(self, why: str) -> State:
        """Take back the version that is on trial: the next start runs the one before."""
        state = self.read()
        if state.trial is None:
            return state
        ended = Ended(version=state.trial.version, order=state.trial.order, good=False, why=why)
        return self._write(State(current=state.previous, ended=ended))

    def told(self) -> State:
        """Note that the result of the last trial is on its way to the centre."""
        state = self._write(msgspec.structs.replace(self.read(), ended=None))
        self._tidy(state)
        return state

    def _tidy(self, state: State) -> None:
        versions = self.folder / "versions"
        for place in versions.iterdir() if versions.is_dir() else ():
            if place.name not in {state.current, state.previous}:
                shutil.rmtree(place, ignore_errors=True)

    def _write(self, state: State) -> State:
        replace_file(self._file, msgspec.json.encode(state))
        return state
