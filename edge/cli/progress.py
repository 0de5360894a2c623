"""A bar for what takes long: one line on a terminal's standard error, nothing where nobody watches."""

from __future__ import annotations

import sys
from typing import TextIO

from edge.cli.words import plain
from protocols.field.scanning import Progress

_WIDTH = 24


class Bar:
    """`show` draws over the line before; `clear` leaves the terminal as it was."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._drawn = 0
        self._live = self._stream.isatty()

    def show(self, progress: Progress) -> None:
        """Draw how far it is."""
        if not self._live:
            return
        if progress.total:
            full = min(_WIDTH, round(_WIDTH * progress.done / progress.total))
            bar = f"[{'#' * full}{'.' * (_WIDTH - full)}] {round(100 * progress.done / progress.total):3d} %"
        else:
            bar = f"[{progress.done} found]"
        line = plain(f"{bar} {progress.doing}")[:100]
        self._stream.write("\r" + line.ljust(self._drawn))
        self._stream.flush()
        self._drawn = len(line)

    def clear(self) -> None:
        """Wipe the bar, before something else is printed and at the end."""
        if self._live and self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._stream.flush()
            self._drawn = 0
