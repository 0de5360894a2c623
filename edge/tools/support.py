"""What a support bundle holds, part by part; every part is text, and all of it goes through the masker.

A part that cannot be had says why: a bundle is made when something is wrong.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

_JOURNAL_LINES: Final = "3000"
_COMMANDS: Final = {
    "journal.txt": (
        "journalctl",
        "-u",
        "citynerve-edge@*",
        "-n",
        _JOURNAL_LINES,
        "--no-pager",
        "-o",
        "short-iso",
    ),
    "clock.txt": ("timedatectl", "status", "--no-pager"),
    "addresses.txt": ("ip", "-brief", "address"),
}
_COMMAND_S: Final = 10


def versions() -> str:
    """Return Python, system and every installed package with its version."""
    lines = [f"python {sys.version}", f"system {platform.platform()}", f"machine {platform.machine()}", ""]
    lines += sorted(f"{package.metadata['Name']} {package.version}" for package in distributions())
    return "\n".join(lines) + "\n"


def system(folder: Path) -> str:
    """Return load, memory, disk and clock of this machine."""
    lines = [
        f"time       {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {time.tzname}",
        f"load       {os.getloadavg()}",
        f"processors {os.cpu_count()}",
    ]
    here = folder if folder.exists() else Path.cwd()
    disk = shutil.disk_usage(here)
    lines.append(f"disk       {here}: {disk.free / 1e9:.2f} GB free of {disk.total / 1e9:.2f} GB")
    lines += _proc("/proc/meminfo", ("MemTotal", "MemAvailable", "SwapFree")) + _proc("/proc/uptime", ("",))
    return "\n".join(lines) + "\n"


def files(folder: Path) -> str:
    """Return the files of the state folder with mode, size and time; never what is in them."""
    if not folder.is_dir():
        return f"{folder} does not exist yet\n"
    lines = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(status.st_mtime))
        lines.append(
            f"{stat.filemode(status.st_mode)} {status.st_size:>12} {moment}Z {path.relative_to(folder)}"
        )
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[str, str]]:
    """Yield (name, output) of the system's own tools where they are installed: journal, clock, addresses."""
    for name, words in _COMMANDS.items():
        program = shutil.which(words[0])
        if program is None:
            yield name, f"{words[0]} is not installed here\n"
            continue
        try:
            done = subprocess.run(
                [program, *words[1:]],
                capture_output=True,
                text=True,
                timeout=_COMMAND_S,
                check=False,
                errors="replace",
            )
            yield name, done.stdout + done.stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            yield name, f"{' '.join(words)}: {error}\n"


def _proc(path: str, words: tuple[str, ...]) -> list[str]:
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line for line in lines if line.startswith(words)]
