"""The gateway and the centre as processes of their own, for measurements."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from tests.ports import free_port

GATEWAY = "gw-bench"
USER, PASSWORD = "bench", "bench-0123456789"


@dataclass(frozen=True, slots=True)
class Centre:
    """A running centre."""

    url: str
    folder: Path
    pid: int

    def code(self, gateway: str = GATEWAY) -> str:
        """Make a one-time code for the gateway."""
        made = self.command("gateway", "enrol-code", gateway, "--json")
        return str(json.loads(made)["enrolment_code"])

    def command(self, *arguments: str) -> str:
        """Run `citynerve ARGUMENTS` beside it; return what it prints."""
        return subprocess.run(
            [sys.executable, "-m", "central", *arguments, "--data", str(self.folder)],
            check=True, capture_output=True, text=True, env={**os.environ, "BENCH_PASSWORD": PASSWORD},
        ).stdout  # fmt: skip


@contextmanager
def signed_in(centre: Centre) -> Iterator[httpx2.Client]:
    """A client with the session of USER, who must exist."""
    with httpx2.Client(
        base_url=centre.url, trust_env=False, headers={"Origin": centre.url}, timeout=60
    ) as client:
        client.post("/api/v1/session", json={"username": USER, "password": PASSWORD}).raise_for_status()
        yield client


def enrol(file: Path, code: str = "bench") -> None:
    """Enrol the gateway of a file with a one-time code."""
    subprocess.run([sys.executable, "-m", "edge", "enrol", str(file), code], check=True, capture_output=True)


@contextmanager
def gateway_process(file: Path) -> Iterator[psutil.Process]:
    """Run the gateway of a file; its log goes beside the file."""
    with (
        (file.parent / "gateway.log").open("w") as log,
        subprocess.Popen([sys.executable, "-m", "edge", "run", str(file)], stdout=log, stderr=log) as process,
    ):
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(15)


def waiting_rows(path: Path) -> int:
    """Return the readings that wait in the log of a running gateway."""
    if not path.exists():
        return 0
    log = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return int(log.execute("SELECT total(n) FROM readings").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the gateway has made the file, and not yet its tables
    finally:
        log.close()


def last_declaration(path: Path) -> str:
    """Return the newest declaration that a log remembers."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as log:
        return str(log.execute("SELECT hash FROM declaration ORDER BY rowid DESC LIMIT 1").fetchone()[0])


@contextmanager
def bench_folder(keep: Path | None = None) -> Iterator[Path]:
    """Yield a data folder that the database's account may enter: `keep`, or one that ends with the block."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        keep.chmod(0o755)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="citynerve-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def centre_process(data: Path | None = None) -> Iterator[Centre]:
    """Run a centre on a fresh embedded database, or on the one in `data`."""
    with bench_folder(data) as folder:
        port = free_port()
        command = [sys.executable, "-m", "central", "serve", "--port", str(port), "--data", str(folder)]
        with (
            (folder / "centre.log").open("w") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            centre = Centre(f"http://127.0.0.1:{port}", folder, process.pid)
            try:
                _until_well(centre, process)
                yield centre
            finally:
                process.terminate()
                process.wait(30)


def _until_well(centre: Centre, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(f"{centre.url}/healthz", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError("the centre does not start; run `python -m central serve` by hand")


@contextmanager
def port_process(module: str) -> Iterator[int]:
    """Run a module that serves, as a process of its own, and yield the port that it prints."""
    with subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
