"""Pages of docs/ that are typed line by line in a clean folder: what a page shows is what comes.

A ```sh block is typed as it stands; one after `<!-- in the background -->` is left running. A ```text block
behind it shows lines of its output in their order, `…` for anything.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.edge.cli.conftest import PROGRAMS
from tests.ports import free_port

BLOCK = re.compile(r"(<!-- in the background -->\n)?```sh\n(.*?)```\n(?:```text\n(.*?)```)?", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One shell block with what the page shows of its output."""

    background: bool
    script: str
    shown: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches an output in which the shown lines stand in their order."""
        lines = [".*".join(re.escape(part) for part in line.split("…")) for line in self.shown]
        return re.compile(r"(?s:.*?)".join(rf"^{line}" for line in lines), re.MULTILINE)


def blocks(page: Path) -> list[Block]:
    """Return the shell blocks of a page in their order."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Block(bool(mark), script, tuple(shown.splitlines())) for mark, script, shown in found]


def environment() -> dict[str, str]:
    """Return an environment in which the programs are found."""
    return {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}


@contextmanager
def running(script: str, folder: Path, block: Block) -> Iterator[None]:
    """Leave a block running, from when it has said what the page shows."""
    log = folder / f"background-{abs(hash(script))}.log"
    with log.open("wb") as out:
        # exec: the signal at the end is for the program, not for a shell around it.
        process = subprocess.Popen(
            ["bash", "-c", f"exec {script.strip()}"], cwd=folder, env=environment(), stdout=out, stderr=out
        )
        try:
            ends = time.monotonic() + 180
            while not block.pattern.search(log.read_text()):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < ends, f"not seen: {block.shown}\nbut: {log.read_text()}"
                time.sleep(0.1)
            time.sleep(2)  # as long as it takes to open another terminal
            yield
        finally:
            process.terminate()
            assert process.wait(60) == 0, log.read_text()


def typed_through(page: Path, folder: Path, port_of_page: int) -> None:
    """Type a page; where another program has its port already, the page has another one."""
    with socket.socket() as probe:
        port = port_of_page if probe.connect_ex(("127.0.0.1", port_of_page)) else free_port()
    with ExitStack() as stack:
        for block in blocks(page):
            # Only where another program has the page's port already is it another one.
            script = block.script.replace(str(port_of_page), str(port))
            shown = Block(
                block.background, script, tuple(x.replace(str(port_of_page), str(port)) for x in block.shown)
            )
            if block.background:
                stack.enter_context(running(script, folder, shown))
                continue
            answer = subprocess.run(
                ["bash", "-euc", script], cwd=folder, env=environment(), capture_output=True, text=True,
                timeout=300, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert answer.returncode == 0, f"{script}\n{answer.stdout}\n{answer.stderr}"
            assert shown.pattern.search(answer.stdout), (
                f"{script}\nshown: {shown.shown}\ncame:\n{answer.stdout}"
            )
