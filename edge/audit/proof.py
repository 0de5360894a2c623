"""Is the audit trail whole? Finds lines that were altered, removed, moved or cut off.

Without a remembered head a trail that was rewritten from some line to its end looks whole; with one (the
centre keeps the last that the gateway told) it does not, as far back as that head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edge.audit.trail import FILE_NAME, KEPT_FILES, AuditEntry, parsed, rotated
from protocols.model.chain import START

Kind = Literal["altered", "removed", "moved", "cut-off", "rewritten"]
REPAIR: Final = "Keep a copy of the files, and ask who had access to the gateway at that time."


@dataclass(frozen=True, slots=True)
class Tampering:
    """One place where the trail does not fit; `line` is 1-based, 0 where it is about the whole trail."""

    kind: Kind
    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.kind}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What `verify` found. torn: the last line was cut short by a power cut, which is no tampering.

    first and last are numbers of entries, 0 where there is none; older ones than `first` were rotated away.
    """

    entries: int
    first: int
    last: int
    head: str
    torn: bool
    tampering: tuple[Tampering, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    file: str
    number: int
    entry: AuditEntry


def verify(path: Path, remembered: tuple[int, str] | None = None) -> Proof:
    """Check a trail: its folder (all files of it), or a single file.

    `remembered` is a head (number, seal) that somebody else kept: the trail must still contain it.
    """
    files = [*rotated(path), path / FILE_NAME] if path.is_dir() else [path]
    lines: list[_Line] = []
    found: list[Tampering] = []
    torn = False
    for file in files:
        if not file.exists():
            continue
        raw = file.read_bytes().split(b"\n")
        tail = raw.pop()
        for number, line in enumerate(raw, 1):
            entry = parsed(line)
            if entry is None:
                found.append(Tampering("altered", file.name, number, "this line is no entry"))
            else:
                lines.append(_Line(file.name, number, entry))
        entry = parsed(tail) if tail else None
        if entry is not None:
            lines.append(_Line(file.name, len(raw) + 1, entry))
        elif tail and file == files[-1]:
            torn = True
        elif tail:
            found.append(Tampering("altered", file.name, len(raw) + 1, "this line is no entry"))
    found += _seals(lines)
    found += _order(lines, whole=path.is_dir() and len(files) <= KEPT_FILES)
    found += _heads(lines, remembered)
    newest = max((line.entry for line in lines), key=lambda entry: entry.n, default=None)
    return Proof(
        entries=len(lines),
        first=min((line.entry.n for line in lines), default=0),
        last=newest.n if newest else 0,
        head=newest.hash if newest else "",
        torn=torn,
        tampering=tuple(found),
    )


def _seals(lines: Sequence[_Line]) -> list[Tampering]:
    """Check that each entry has the seal of what it says, and names the seal of the one before it."""
    found: list[Tampering] = []
    hashes = {line.entry.n: line.entry.hash for line in lines} | {0: START.hex()}
    for line in lines:
        entry = line.entry
        if entry.sealed().hex() != entry.hash:
            problem = f"entry {entry.n} does not have the seal of what it says"
            found.append(Tampering("altered", line.file, line.number, problem))
        elif hashes.get(entry.n - 1, entry.prev) != entry.prev:
            problem = f"entry {entry.n} does not follow the entry {entry.n - 1} that is here"
            found.append(Tampering("altered", line.file, line.number, problem))
    return found


def _order(lines: Sequence[_Line], *, whole: bool) -> list[Tampering]:
    """Check that the numbers rise by one. `whole`: no file can have been rotated away yet."""
    found: list[Tampering] = []
    here = {line.entry.n for line in lines}
    before = 0 if whole else min(here, default=1) - 1
    highest = before
    for line in lines:
        n = line.entry.n
        missing = [m for m in range(highest + 1, n) if m not in here]
        if missing:
            gone = f"{missing[0]}" if len(missing) == 1 else f"{missing[0]} to {missing[-1]}"
            problem = f"before entry {n}, {len(missing)} are missing: {gone}"
            found.append(Tampering("removed", line.file, line.number, problem))
        if n <= highest:
            problem = f"entry {n} comes after entry {highest}"
            found.append(Tampering("moved", line.file, line.number, problem))
        highest = max(highest, n)
    return found


def _heads(lines: Sequence[_Line], remembered: tuple[int, str] | None) -> list[Tampering]:
    """Check the trail against a head that was kept elsewhere."""
    if remembered is None or not remembered[0]:
        return []
    count, digest = remembered
    last = max((line.entry.n for line in lines), default=0)
    if last < count:
        problem = f"the trail ends at entry {last}, and had {count} when its head was remembered"
        return [Tampering("cut-off", FILE_NAME, 0, problem)]
    for line in lines:
        if line.entry.n == count and line.entry.hash != digest:
            problem = (
                f"entry {count} is not the one whose seal was remembered; it and others were written anew"
            )
            return [Tampering("rewritten", line.file, line.number, problem)]
    return []
