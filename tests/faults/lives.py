"""Many lives of one gateway, each a real process: forked from one that has already imported everything.

Starting Python and importing takes a second; two hundred kills would take minutes of nothing but that.
`python -m tests.faults.lives` is the ancestor: it reads one life per line, forks it, answers its pid,
and when it has ended how it did. A life's world can be bent: a clock that runs faster or is stepped, and a
name service that forgets; both are read from a file, so that a test changes them while the gateway runs.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_TIMES: Final = struct.Struct("<qdqd")
"""Wall clock at the origin (µs), monotonic at the origin (s), steps since (µs), how fast time runs."""
NO_NAME: Final = "names-are-gone"


class BentTime:
    """A wall clock and a monotonic clock that processes share by a file, and that a test may bend.

    `wall` jumps by `step`; `monotonic` never does. Both run `rate` times as fast as real time.
    """

    def __init__(self, path: Path, *, rate: float = 1.0, start_us: int | None = None) -> None:
        if not path.exists():
            begin = time.time_ns() // 1000 if start_us is None else start_us
            path.write_bytes(_TIMES.pack(begin, time.monotonic(), 0, rate))
        self.path = path
        with path.open("r+b") as file:
            self._file = mmap.mmap(file.fileno(), _TIMES.size)

    def wall(self) -> int:
        """Return the wall clock in microseconds."""
        begin, origin, stepped, rate = _TIMES.unpack_from(self._file)
        return int(begin + stepped + (time.monotonic() - origin) * rate * 1e6)

    def monotonic(self) -> float:
        """Return seconds that only ever rise."""
        _, origin, _, rate = _TIMES.unpack_from(self._file)
        since: float = (time.monotonic() - origin) * rate
        return float(origin) + since

    def uptime(self) -> int:
        """Return microseconds since the kernel started, as such a machine would count them."""
        return round(self.monotonic() * 1e6)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        begin, origin, stepped, rate = _TIMES.unpack_from(self._file)
        _TIMES.pack_into(self._file, 0, begin, origin, stepped + round(seconds * 1e6), rate)


class Life:
    """One running gateway. Ends by `kill` or `stop`; `status` is then what waitpid said."""

    def __init__(self, pid: int, ended: Callable[[], int]) -> None:
        self.pid = pid
        self.status: int | None = None
        self._ended = ended

    def kill(self) -> None:
        """kill -9, and wait for it."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """SIGTERM, and wait: it writes what it has in hand, and must say that all is well."""
        os.kill(self.pid, signal.SIGTERM)
        status = self.wait()
        assert status == 0, f"the gateway ended with {status}"

    def wait(self) -> int:
        """Wait until it has ended; return the status that waitpid gave."""
        if self.status is None:
            self.status = self._ended()
        return self.status


class Ancestor:
    """The process that lives are forked from; `with` it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.lives"],
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
        self._process.wait(30)
        self._process.stdout.close()

    def live(self, file: Path, *, bent: BentTime | None = None, names: Path | None = None) -> Life:
        """Start the gateway of `file`; its log goes beside it.

        names: while a file of this path exists, no host name can be resolved.
        """
        order = {"file": str(file), "bent": bent and str(bent.path), "names": names and str(names)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Life(int(self._answer()), lambda: int(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the ancestor of all gateways died"
        return line.strip()


@contextmanager
def ended(life: Life) -> Iterator[Life]:
    """Kill a life at the end of a block that failed, so that no process outlives its test."""
    try:
        yield life
    except BaseException:
        if life.status is None:
            life.kill()
        raise


def _ancestor() -> None:
    from edge import app  # noqa: PLC0415 - the test process imports this file without the gateway

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if not pid:
            _live(app, order)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def _live(app: Any, order: dict[str, Any]) -> None:
    file = Path(order["file"])
    log = os.open(file.parent / "gateway.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from edge.cli.terminal import logs  # noqa: PLC0415

    logs()
    code = 1
    try:
        if order["names"]:
            _forgetful_names(Path(order["names"]))
        gateway = app.Gateway(file, *_clocks(order["bent"]))
        asyncio.run(gateway.run())
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


def _clocks(bent: str | None) -> tuple[Callable[[], int], ...]:
    if bent is None:
        return ()
    time = BentTime(Path(bent))
    return time.wall, time.uptime


def _forgetful_names(gone: Path) -> None:
    """Make every name unknown while `gone` exists, and this machine's own otherwise."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in {"centre.test", b"centre.test"}:
            if gone.exists():
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            host = "127.0.0.1"
        return resolve(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


if __name__ == "__main__":
    _ancestor()
