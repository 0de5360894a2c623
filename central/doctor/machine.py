"""The machine: its clock beside the database's, processors, memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from central.doctor.finding import Finding, Patient, volume

CLOCK_S = 1.0
MEMORY_SHARE = 0.08
MEMINFO = Path("/proc/meminfo")


async def clock(patient: Patient) -> AsyncIterator[Finding]:
    """This machine and the database agree what time it is."""
    before = datetime.now(UTC)
    (theirs,) = await patient.row("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    offset = (theirs - before - (after - before) / 2).total_seconds()
    if abs(offset) > CLOCK_S:
        yield Finding(
            "machine.clock", "error", f"the database's clock is {offset:+.1f} s from this machine's",
            "deadlines, expiries and ages are wrong by as much",
            "timedatectl set-ntp true   # on both machines",
        )  # fmt: skip


async def load(patient: Patient) -> AsyncIterator[Finding]:
    """Processors are not asked for twice what they have for a quarter of an hour."""
    cores = os.cpu_count() or 1
    average = os.getloadavg()[2]
    if average > 2 * cores:
        yield Finding(
            "machine.load", "warning", f"load over 15 min is {average:.1f} on {cores} cores",
            "commits and answers come late", "top   # who it is; `make bench` says what this machine can do",
        )  # fmt: skip


async def memory(patient: Patient) -> AsyncIterator[Finding]:
    """There is memory left."""
    total, free = _memory()
    if free < MEMORY_SHARE * total:
        yield Finding(
            "machine.memory", "warning", f"{volume(free)} of {volume(total)} of memory are available",
            "the kernel ends the largest process next: PostgreSQL, or the centre",
            "ps aux --sort=-rss | head",
        )  # fmt: skip


def _memory() -> tuple[int, int]:
    """Return total and available bytes, both 0 where the kernel does not say (proc(5), `meminfo`)."""
    if not MEMINFO.exists():
        return 0, 0
    said = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
    return int(said["MemTotal"].split()[0]) * 1024, int(said["MemAvailable"].split()[0]) * 1024


LOOKS = (clock, load, memory)
