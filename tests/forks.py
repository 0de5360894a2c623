"""A program called many times, each time in a process of its own, without importing it each time.

`with Forks("edge.cli:main", "edge.app") as edge` starts one Python that imports the function and the other
modules, and from then on forks: a call costs milliseconds, where starting Python costs a second.
`python -m tests.forks PLACE MODULE…` is that Python: one call per line of JSON in, its pid and its end out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self


class Forks:
    """Calls of `package.module:function`, one after the other; the function finds its words in sys.argv."""

    def __init__(self, place: str, *modules: str) -> None:
        self._words = (place, *modules)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", *self._words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self._answer() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def begin(self, *words: object, folder: Path, out: str = os.devnull, err: str = os.devnull) -> int:
        """Start a call in that folder, nobody at its standard input; return its pid. `ended` must follow."""
        order = {"words": [str(word) for word in words], "folder": str(folder), "out": out, "err": err}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def ended(self) -> int:
        """Wait for the call to end; return its exit code, or the signal that ended it, negative."""
        return int(self._answer())

    def call(self, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
        """Call, wait, and return what it said."""
        with tempfile.TemporaryDirectory(prefix="citynerve-forks-") as said:
            out, err = Path(said, "out"), Path(said, "err")
            order = [str(word) for word in words]
            self.begin(*order, folder=folder, out=str(out), err=str(err))
            code = self.ended()
            return subprocess.CompletedProcess(order, code, out.read_text("utf-8"), err.read_text("utf-8"))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self._words[0]}: the process that forks it died"
        return line.strip()


def _serve(place: str, *modules: str) -> None:
    for name in modules:
        import_module(name)
    name, _, attribute = place.partition(":")
    function = getattr(import_module(name), attribute)
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            os.chdir(order["folder"])
            for number, path, how in (
                (0, os.devnull, os.O_RDONLY),
                (1, order["out"], os.O_WRONLY | os.O_CREAT),
                (2, order["err"], os.O_WRONLY | os.O_CREAT),
            ):
                os.dup2(os.open(path, how, 0o600), number)
            sys.argv = [place, *order["words"]]
            code = 1
            try:
                function()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _serve(*sys.argv[1:])
