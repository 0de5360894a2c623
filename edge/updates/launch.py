"""Starts the gateway, and outlives every version of it: `python -m edge.updates.launch FILE`.

This process is always the installed software, never an update, so that there is always a way back. It
starts the version that the shelf names; takes one back that is on trial and dies or hangs; and ends with
the gateway's own exit code where there is no trial, because starting again is the supervisor's work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import yaml

from edge.updates.shelf import RESTART, Shelf, State

LAUNCHED: Final = "CITYNERVE_LAUNCHED"
"""Tells a gateway that somebody outside can take it back."""
GRACE_S: Final = 60.0
"""So long after the end of its trial a version that says nothing is ended from outside."""
_LOOK_S: Final = 0.2
_PAUSE_S: Final = 1.0


class Launcher:
    """Runs one gateway file. grace_s: see GRACE_S."""

    def __init__(self, file: Path, shelf: Shelf, grace_s: float = GRACE_S) -> None:
        self._file = file
        self._shelf = shelf
        self._grace_s = grace_s
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = False

    def run(self) -> int:
        """Run until the gateway ends for good; return its exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        while True:
            state = self._shelf.started()
            code = self._once(state)
            if self._ending:
                return 0 if code == RESTART else code
            if code == RESTART:
                continue
            after = self._shelf.read()
            if after.trial is None and after.current == state.current:
                return code
            _say(f"the version on trial ended with {code}")
            time.sleep(_PAUSE_S)

    def _once(self, state: State) -> int:
        command = [sys.executable, "-P", "-m", "edge", "run", str(self._file)]
        _say(f"starts {state.current or 'the installed version'}{' on trial' if state.trial else ''}")
        with subprocess.Popen(command, env=environment(self._shelf, state.current)) as child:
            self._child = child
            if self._ending:
                child.terminate()
            if state.trial is not None:
                self._watch(child, state.trial.seconds + self._grace_s)
            return child.wait()

    def _watch(self, child: subprocess.Popen[bytes], seconds: float) -> None:
        """Wait until the trial is over one way or the other; end a version that hangs."""
        until = time.monotonic() + seconds
        while child.poll() is None and self._shelf.read().trial is not None:
            if time.monotonic() > until:
                self._shelf.back("it neither proved well nor ended in its time")
                child.kill()
                return
            time.sleep(_LOOK_S)

    def _end(self, number: int, _: FrameType | None) -> None:
        self._ending = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)


def environment(shelf: Shelf, version: str) -> dict[str, str]:
    """Return the environment of a version: its folder first; what it needs is the installation's."""
    names = {**os.environ, LAUNCHED: "1"}
    if version:
        rest = names.get("PYTHONPATH")
        names["PYTHONPATH"] = os.pathsep.join([str(shelf.place(version)), *([rest] if rest else [])])
    return names


def state_dir_of(file: Path) -> Path:
    """Return the state folder that a gateway file names; a broken file's, as it was when it ran last."""
    try:
        named = yaml.safe_load(file.read_text(encoding="utf-8"))["state_dir"]
        return file.resolve().parent / str(named)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        # Heavy to import, and needed only here.
        from edge.versions.start import find_state_dir  # noqa: PLC0415

        found = find_state_dir(file)
        if found is None:
            sys.exit(f"citynerve-edge: {file} names no state_dir; run: citynerve-edge check {file}")
        return found


def _say(words: str) -> None:
    sys.stderr.write(f"citynerve-edge launcher: {words}\n")


def main(arguments: Sequence[str]) -> int:
    """Launch the gateway file that is the only argument."""
    if len(arguments) != 1:
        sys.exit("usage: citynerve-edge launch FILE")
    file = Path(arguments[0])
    return Launcher(file, Shelf(state_dir_of(file))).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
