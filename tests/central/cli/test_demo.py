"""`citynerve demo`: data flow, a busy port is named, and nothing outlives it, however it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

COMMAND = [sys.executable, "-u", "-m", "central", "demo", "--no-browser", "--port"]


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def demo(port: int) -> Iterator[subprocess.Popen[str]]:
    """A demo that has printed its address, in a process group of its own."""
    with subprocess.Popen(
        [*COMMAND, str(port)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C ends everything" in line:
                break
        else:
            pytest.fail(f"the demo ended with {process.wait()} before it was ready")
        yield process
        process.kill()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return every process below the demo."""
    return psutil.Process(process.pid).children(recursive=True)


def left(processes: list[psutil.Process], seconds: float = 60.0) -> list[list[str]]:
    """Wait, and return the command lines of those that still run."""
    deadline = time.monotonic() + seconds
    while True:
        running = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not running or time.monotonic() > deadline:
            return [p.cmdline() for p in running]
        time.sleep(0.1)


def test_a_busy_port_is_named_with_the_way_out(port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        refused = subprocess.run([*COMMAND, str(port)], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert f"127.0.0.1:{port}: the port is in use" in refused.stderr
    assert f"--port {port + 1}" in refused.stderr


@pytest.mark.faults
def test_a_killed_demo_leaves_no_process_and_a_second_one_starts_and_flows(
    demo: subprocess.Popen[str], port: int
) -> None:
    processes = family(demo)
    assert len(processes) > 5
    demo.send_signal(signal.SIGKILL)
    demo.wait()
    assert left(processes) == []
    second = subprocess.run([*COMMAND, str(port), "--for", "10"], capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("points have a good reading") >= 3
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
