"""Reads rows out of the pages of an SQLite file that SQLite itself cannot read any more.

    table leaf page   0x0D, freeblock:2, cells:2, content:2, fragments:1, pointer:2 …, cells
    cell              payload length:varint, rowid:varint, payload, [first overflow page:4]
    overflow page     next page:4, payload
    payload           header length:varint, serial type:varint …, values
    WAL               header:32, { page number:4, pages after commit:4, salts:8, checksum:8, page } …
(https://www.sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4)

A page is looked at alone, so that one that is damaged costs only itself; what a row holds is checked by
whoever knows it. Rows that had been deleted can come up again, as their page was not wiped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGE: Final = 8192
WAL_HEADER: Final = 32
FRAME_HEADER: Final = 24
FRAME: Final = FRAME_HEADER + PAGE
_FIRST_PAGE: Final = b"SQLite format 3\0"
_LEAF: Final = 0x0D
_MOST_LOCAL: Final = PAGE - 35
_LEAST_LOCAL: Final = (PAGE - 12) * 32 // 255 - 23
_MAX_PAYLOAD: Final = 64 << 20
_WIDTHS: Final = (0, 1, 2, 3, 4, 6, 8)

Value = int | str | bytes | None
Row = tuple[Value, ...]


class Pages:
    """The pages of a database file and of the WAL beside it; unreadable ones are empty.

    Positions go from the newest to the oldest: the WAL's frames backwards, then the file, at last frames
    of the WAL that are left over from an earlier round. `wal_only` leaves the file out.
    """

    def __init__(self, path: Path, *, wal_only: bool = False) -> None:
        self._main = None if wal_only else _open(path)
        self._wal = _open(path.with_name(path.name + "-wal"))
        self._in_main = -(-_size(self._main) // PAGE)
        self._frames = max(_size(self._wal) - WAL_HEADER, 0) // FRAME
        self._newest: dict[int, int] = {}
        self._present = 0
        # Frames with other salts than the first are left over from an earlier round of the WAL.
        salts = self._head(0)[8:16] if self._frames else b""
        for frame in range(self._frames):
            head = self._head(frame)
            if head[8:16] == salts:
                self._newest[int.from_bytes(head[:4])] = frame
                self._present = frame + 1

    def __len__(self) -> int:
        return self._in_main + self._frames

    def page(self, position: int) -> bytes:
        """Return the page at a position."""
        if position < self._present:
            return self._frame(self._present - 1 - position)
        if position < self._present + self._in_main:
            return self._read(self._main, (position - self._present) * PAGE, PAGE)
        return self._frame(position - self._in_main)

    def _frame(self, frame: int) -> bytes:
        return self._read(self._wal, WAL_HEADER + frame * FRAME + FRAME_HEADER, PAGE)

    def rows(self, position: int) -> Iterator[tuple[int, Row]]:
        """Yield (rowid, values) of the rows that a page holds as a leaf of a table."""
        page = self.page(position)
        start = 100 if page.startswith(_FIRST_PAGE) else 0
        if len(page) < PAGE or page[start] != _LEAF:
            return
        cells = int.from_bytes(page[start + 3 : start + 5])
        for i in range(min(cells, PAGE // 4)):
            at = int.from_bytes(page[start + 8 + 2 * i : start + 10 + 2 * i])
            try:
                yield self._cell(page, at)
            except (ValueError, IndexError):
                continue  # this cell is damaged; its neighbours need not be

    def close(self) -> None:
        """Let go of the files."""
        for file in (self._main, self._wal):
            if file is not None:
                os.close(file)
        self._main = self._wal = None

    def _head(self, frame: int) -> bytes:
        return self._read(self._wal, WAL_HEADER + frame * FRAME, FRAME_HEADER)

    def _cell(self, page: bytes, at: int) -> tuple[int, Row]:
        length, at = _varint(page, at)
        rowid, at = _varint(page, at)
        if not 0 < length <= _MAX_PAYLOAD:
            raise ValueError("no payload has this length")
        if length <= _MOST_LOCAL:
            return _signed(rowid), _record(page[at : at + length])
        local = _LEAST_LOCAL + (length - _LEAST_LOCAL) % (PAGE - 4)
        local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
        parts, lacks = [page[at : at + local]], length - local
        following = int.from_bytes(page[at + local : at + local + 4])
        while lacks > 0:
            overflow = self._numbered(following)
            if len(overflow) < PAGE:
                raise ValueError("the chain of overflow pages is broken")
            parts.append(overflow[4 : 4 + lacks])
            lacks -= len(parts[-1])
            following = int.from_bytes(overflow[:4])
        return _signed(rowid), _record(b"".join(parts))

    def _numbered(self, number: int) -> bytes:
        frame = self._newest.get(number)
        if frame is not None:
            return self._frame(frame)
        return self._read(self._main, (number - 1) * PAGE, PAGE) if 0 < number <= self._in_main else b""

    @staticmethod
    def _read(file: int | None, at: int, length: int) -> bytes:
        if file is None:
            return b""
        try:
            return os.pread(file, length, at)
        except OSError:
            return b""  # a bad sector: the other pages are still wanted


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _size(file: int | None) -> int:
    return 0 if file is None else os.fstat(file).st_size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(8):
        byte = data[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _record(payload: bytes) -> Row:
    end, at = _varint(payload, 0)
    if end > len(payload):
        raise ValueError("the header is longer than its payload")
    values: list[Value] = []
    body = end
    while at < end:
        kind, at = _varint(payload, at)
        value, body = _value(payload, kind, body)
        values.append(value)
    if body > len(payload):
        raise ValueError("the values are longer than their payload")
    return tuple(values)


def _value(payload: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind <= 6:
        width = _WIDTHS[kind]
        return int.from_bytes(payload[at : at + width], signed=True), at + width
    if kind in {8, 9}:
        return kind - 8, at
    if kind < 12:
        raise ValueError("no column of the log has this type")
    width = (kind - 12) // 2
    data = payload[at : at + width]
    return (data if kind % 2 == 0 else data.decode()), at + width
