"""A damaged log goes on in a new file: what is whole is carried over, the damaged file is kept beside it.

The new file begins a new boot, because the highest numbers of the old one may be among what was lost; a
batch that is found keeps the name it had, so the centre takes it once, whether it knows it already or not.
Small things (alarm states, orders that have begun, declarations) are carried over at once, batches little
by little while the gateway works. A WAL whose end cannot be read is treated alike, without a new file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from edge.buffer.book import Book, Done, read_book, read_done
from edge.buffer.file import FILE_NAME, LogFile
from edge.buffer.log import Log, Row
from edge.buffer.places import Places
from edge.buffer.salvage import Found, Salvage, Small
from protocols.model.clock import SECOND_US
from protocols.wire.channels import STREAMS

KEPT_FILES: Final = 3
"""Damaged files that stay for whoever wants to look at them."""
_log = structlog.get_logger("edge.buffer")


def quarantine(path: Path, now_us: int, *, copy_wal: bool = False) -> Path:
    """Move a damaged file and its WAL aside, or copy only the WAL; return the new name."""
    stamp, aside = now_us // SECOND_US, path
    while aside == path or aside.exists() or _wal(aside).exists():
        aside = path.with_name(f"{FILE_NAME}.damaged-{stamp}")
        stamp += 1
    if copy_wal:
        try:
            shutil.copyfile(_wal(path), _wal(aside))
        except OSError as error:
            _wal(aside).unlink(missing_ok=True)
            _log.warning("the damaged end of the log could not be kept", reason=str(error))
        return aside
    if path.exists():
        path.rename(aside)
    if _wal(path).exists():
        _wal(path).rename(_wal(aside))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return aside


def quarantined(folder: Path) -> list[Path]:
    """Return the damaged files that are kept, oldest first; a WAL that was copied counts as one."""
    names = {path.name.removesuffix("-wal") for path in folder.glob(f"{FILE_NAME}.damaged-*")}
    return [folder / name for name in sorted(names)]


def discard(path: Path) -> None:
    """Delete a damaged file and its WAL."""
    path.unlink(missing_ok=True)
    _wal(path).unlink(missing_ok=True)


def carry_over(
    aside: Path, book: Book | None, done: Done | None, reopen: Callable[[], LogFile], reason: str
) -> Log:
    """Begin a new file after `aside`, with its small things; batches follow by `carry_some`.

    book and done are what the process knew in memory, or None where it has just started.
    """
    _log.error("the log is damaged; it goes on in a new file", kept_as=str(aside), reason=reason)
    salvage = Salvage(aside)
    try:
        small = salvage.small()
    finally:
        salvage.close()
    if book is None:
        fact = small.facts.get("book")
        book = read_book(fact.value if fact else None)
    if done is None:
        fact = small.facts.get("done")
        done = read_done(fact.value if fact else None)
    if book is None or done is None:
        # Without its book nobody knows which batches the done places were: what is new would lie in them.
        book, done = book or Book(), {stream: Places() for stream in STREAMS}
    for kept in book.streams.values():
        kept.batches = kept.rows = kept.size = kept.kept = 0
    book.begin(uuid4().hex, done)
    if book.salvages and not (aside.parent / book.salvages[-1][0]).exists():
        book.salvages.pop()
    book.salvages.append((aside.name, 0))
    log = Log(reopen(), (book, done))
    log.file.raise_revision(max((fact.rev for fact in small.facts.values()), default=0))
    # One transaction: a power cut before it leaves a file without a book, and all this is done again.
    with log.change(done=True):
        _absorb(log, small)
    return log


def carry_tail(log: Log, wal: Salvage) -> int:
    """Bring back what was committed in a WAL whose end SQLite does not read; return the batches found."""
    small = wal.small()
    found = [batch for _ in iter(lambda: wal.done, True) for batch in wal.step()]
    fact = small.facts.get("done")
    newer = read_done(fact.value if fact else None) or {}
    carried = 0
    with log.change(done=True):
        log.book.begin(uuid4().hex, newer)
        for stream, places in newer.items():
            for first, last in places.ranges():
                _acknowledge(log, stream, first, last)
        _absorb(log, small)
        carried = sum(_take(log, batch) for batch in found)
    return carried


def carry_some(log: Log, salvage: Salvage) -> int:
    """Carry the batches of the next pages over, in one transaction; return how many were new."""
    name = salvage.path.name
    before = salvage.position
    try:
        with log.change():
            carried = sum(_take(log, batch) for batch in salvage.step())
            rest = [entry for entry in log.book.salvages if entry[0] != name]
            log.book.salvages = rest if salvage.done else [(name, salvage.position), *rest]
    except BaseException:
        salvage.position = before
        raise
    return carried


def _take(log: Log, found: Found) -> bool:
    head = found.head
    place = log.book.place(head.boot, head.seq)
    if found.reason:
        sql = (
            "INSERT OR IGNORE INTO aside (stream, place, n, data, reason, aside_us) VALUES (?, ?, ?, ?, ?, ?)"
        )
        log.file.write(sql, (head.stream, place, head.n, found.data, found.reason, found.aside_us))
        log.done[head.stream].add(place, place)
        return False
    if place in log.done[head.stream]:
        return False
    return log.put(head.stream, Row(place, head.n, head.made_us, found.data))


def _acknowledge(log: Log, stream: str, first: int, last: int) -> None:
    for known in STREAMS:
        if known == stream:
            for low, high in list(log.done[known].gaps(first, last)):
                for row in log.rows(known, low=low, high=high, limit=high - low + 1):
                    log.book.went(known, row.n, len(row.data), stays=True)
            log.done[known].add(first, last)


def _absorb(log: Log, small: Small) -> None:
    for key, fact in small.facts.items():
        if key in {"book", "done"}:
            continue
        (known,) = log.file.read("SELECT coalesce(max(rev), -1) FROM fact WHERE key = ?", (key,))[0]
        if known < fact.rev:
            log.file.put_fact(key, fact.value)
    for name, encoded in small.declarations.items():
        log.file.write("INSERT OR IGNORE INTO declaration (hash, encoded) VALUES (?, ?)", (name, encoded))
    for name, (asked, begun_us, outcome) in small.orders.items():
        sql = "INSERT OR IGNORE INTO command (id, asked, begun_us, outcome) VALUES (?, ?, ?, ?)"
        log.file.write(sql, (name, asked, begun_us, outcome))


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
