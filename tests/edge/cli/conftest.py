"""The program as a person starts it: a real process beside real simulators and a real gateway."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app

PROGRAMS = Path(sys.executable).parent


def typed(*words: object, folder: Path, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    """Run `citynerve-edge` with these words; nobody sits at its standard input."""
    return subprocess.run(
        [str(PROGRAMS / "citynerve-edge"), *(str(word) for word in words)],
        cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def asked(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Do the same in this process, which has imported everything already."""
    with chdir(folder):
        answer = CliRunner().invoke(app, [str(word) for word in words])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return subprocess.CompletedProcess(
        [str(word) for word in words], answer.exit_code, answer.stdout, answer.stderr
    )


@contextmanager
def beside(folder: Path, *words: object, until: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """Run `citynerve-edge` in the background for a block, from when `until` holds."""
    log = folder / f"{words[0]}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(PROGRAMS / "citynerve-edge"), *(str(word) for word in words)],
            cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            ends = time.monotonic() + 180
            while not until():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < ends, log.read_text()
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="package")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `sim.yaml`, whose pump is simulated and whose gateway runs."""
    folder = tmp_path_factory.mktemp("st")
    made = asked(
        "init", "gateway.yaml", "--yes", "--gateway", "gw-test",
        "--profile", "city.pump", "--device", "pump1", "--address", "192.0.2.10:502", "--identity", "1",
        folder=folder,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with ExitStack() as stack:
        simulated = folder / "sim.yaml"
        words = ("simulate", "gateway.yaml", "--out", "sim.yaml")
        stack.enter_context(beside(folder, *words, until=simulated.is_file))

        def alive() -> bool:
            return asked("health", "sim.yaml", folder=folder).returncode == 0

        stack.enter_context(beside(folder, "run", "sim.yaml", until=alive))
        yield folder
