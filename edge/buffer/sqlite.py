"""The store-and-forward log in one SQLite file.

A batch is encoded once, here, because its number is part of its bytes; what lies in the file is what goes
over the link. `vault.py` opens and tends the file, `file.py` has the tables, `book.py` the numbering,
`orders.py` what was asked of the gateway, `policy.py` what happens without room, `rescue.py` what happens to
a damaged file, `settle.py` what happens to times recorded in doubt.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog

from edge.buffer import orders
from edge.buffer.base import Aside, Buffer, Condition, Depth, Entry, Stored
from edge.buffer.book import Doubt
from edge.buffer.budget import MAX_GAP_S, Budget, Meter, Wear, written_bytes
from edge.buffer.file import Damaged, DiskFull
from edge.buffer.forecast import Inflow, left_in_words
from edge.buffer.log import ROW, Log, Row
from edge.buffer.rescue import quarantined
from edge.buffer.settle import Correct, settle_some
from edge.buffer.vault import Vault
from edge.config.keeping import StorageEntry
from edge.timekeeping import Stamp, kernel_run
from protocols.errors import WireError
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import CommandOutcome
from protocols.model.order import Order
from protocols.wire.batch import Batch, encode, peek
from protocols.wire.channels import STREAMS, Stream
from protocols.wire.handshake import StorageStatus

Result = TypeVar("Result")
_CHUNK: Final = 64
_GATHERED_US: Final = 120 * SECOND_US
"""A batch is closed at most so long after its first reading."""


class SqliteBuffer(Buffer):
    """The log of one gateway in `folder`, which it locks for itself, kept as `keeping` says.

    stamp: tells under which clock something is recorded while the time is in doubt. meter: bytes that the
    disk has taken. kernel: the present run of the kernel, see `Log.number_under`. `quarantined` names a
    damaged file that was found at the start.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock = now_us,
        keeping: StorageEntry | None = None,
        *,
        stamp: Callable[[], Stamp | None] = lambda: None,
        meter: Meter = written_bytes,
        kernel: str | None = None,
    ) -> None:
        self._kernel = kernel_run() if kernel is None else kernel
        self._clock, self._stamp = clock, stamp
        self._gate = threading.RLock()
        self._logger = structlog.get_logger("edge.buffer")
        self._unsaved: dict[str, bytes] = {}
        self._inflow = Inflow()
        self._correct: Correct | None = None
        """How times in doubt are put right, since it is known."""
        keeping = keeping or StorageEntry()
        self._sent = Budget(keeping.uplink.bytes_per_day)
        self._wear = Wear(Budget(keeping.write_bytes_per_day), meter)
        self._vault = Vault(folder, clock, keeping, self._opened)

    @property
    def quarantined(self) -> Path | None:
        """The file that was found damaged last."""
        return self._vault.quarantined

    @property
    def boot(self) -> str:
        return self._vault.log.book.boot if self._vault.log is not None else ""

    def keep(self, keeping: StorageEntry) -> None:
        with self._gate:
            self._vault.keep(keeping)
            self._sent.limit = keeping.uplink.bytes_per_day
            self._wear.budget.limit = keeping.write_bytes_per_day

    def _urgently(self, act: Callable[[Log], Result]) -> Result:
        """Do what may take the last room, because without it something would be lost or done twice."""
        with self._gate:
            return self._vault.do(lambda log: self._vault.with_ballast(lambda: act(log), urgent=True))

    def _looked(self, find: Callable[[Log], Result], otherwise: Result) -> Result:
        """Return what is found, `otherwise` while the disk has no room for a log."""
        with self._gate:
            return self._vault.do(find) if self._vault.log is not None else otherwise

    def append(self, entries: Sequence[Entry], state: Mapping[str, bytes] | None = None) -> list[int]:
        with self._gate:
            numbers = self._vault.do(lambda log: self._append(log, entries, state or {}))
            self._vault.tend()
            return numbers

    def _append(self, log: Log, entries: Sequence[Entry], state: Mapping[str, bytes]) -> list[int]:
        urgent = all(entry.stream != "readings" for entry in entries)
        self._vault.with_ballast(lambda: log.number_under(self._kernel), urgent=urgent)
        rows = self._encoded(log, entries)
        size = sum(len(row.data) for _, row, _ in rows)
        readings = sum(len(row.data) for stream, row, _ in rows if stream == "readings")
        if readings:
            self._vault.room.make(
                log, readings, sum(row.n for stream, row, _ in rows if stream == "readings")
            )

        def write() -> list[int]:
            with self._change(log):
                for key, value in state.items():
                    log.file.put_fact(f"state:{key}", value)
                return [self._put(log, stream, row, stamp) for stream, row, stamp in rows]

        numbers = self._vault.with_ballast(write, urgent=not readings)
        if log.book.doubts and self._correct is not None and self._stamp() is None:
            # Made in doubt, stored after it had ended: put right before anybody can send it.
            self._settle(log, self._correct)
        now = self._clock()
        self._wear.note(size, now)
        self._inflow.note(readings, now)
        return numbers

    def _encoded(self, log: Log, entries: Sequence[Entry]) -> list[tuple[Stream, Row, Stamp | None]]:
        taken: Counter[Stream] = Counter()
        rows = []
        boot = log.book.boot
        now = self._stamp()
        for stream, declaration, made_us, payload, stamp in entries:
            place = log.book.streams[stream].next + taken[stream]
            taken[stream] += 1
            seq = place - log.book.era(place)[0]
            data = encode(Batch(stream, boot, seq, declaration, made_us, payload))
            rows.append((stream, Row(place, len(payload), made_us, data), stamp or now))
        return rows

    @staticmethod
    def _put(log: Log, stream: Stream, row: Row, stamp: Stamp | None) -> int:
        if not log.put(stream, row):
            raise Damaged(f"place {row.place} of {stream} is taken already")
        log.book.streams[stream].next = row.place + 1
        if stamp is not None:
            doubts = log.book.doubts
            if not doubts or (doubts[-1].kernel, doubts[-1].offset_us) != stamp:
                doubts.append(Doubt(*stamp, {}))
            first, _ = doubts[-1].places.get(stream, (row.place, 0))
            doubts[-1].places[stream] = (first, row.place)
        return row.place - log.book.era(row.place)[0]

    def pending(
        self, stream: Stream, *, newest: bool = False, limit: int = 8, exclude: Collection[int] = ()
    ) -> list[Stored]:
        def find(log: Log) -> list[Stored]:
            while True:
                rows = log.rows(stream, newest=newest, limit=limit, exclude=exclude)
                waiting = log.book.streams[stream].batches
                if limit > 0 and not rows and not exclude and waiting > 0:
                    # Their pages hang where no search by place comes; a search page by page may find them.
                    raise Damaged(f"{waiting} batches of {stream} wait, and none can be found")
                broken = [(row, reason) for row in rows if (reason := _broken(log, stream, row))]
                if not broken:
                    return [log.stored(stream, row) for row in rows]
                for row, reason in broken:
                    self._bury(log, stream, row, reason)

        return self._looked(find, [])

    def _bury(self, log: Log, stream: Stream, row: Row, reason: str) -> None:
        """Take a batch whose bytes have changed on the disk out of the queue."""
        self._logger.error("a batch is damaged on the disk", stream=stream, place=row.place, reason=reason)
        with log.change(done=True):
            self._aside(log, stream, row.place, f"damaged on the gateway's disk: {reason}")
            log.book.broken += row.n

    def recent(self, since_us: int, until_us: int) -> Iterator[Stored]:
        after: int | None = None
        while True:
            look = partial(_recent, since_us=since_us, after=after)
            found: list[tuple[int, Stored]] = self._looked(look, [])
            for made_us, stored in found:
                if made_us - _GATHERED_US > until_us:
                    return
                yield stored
            if len(found) < _CHUNK:
                return
            after = found[-1][1].place

    def acknowledge(self, stream: Stream, places: Collection[int]) -> None:
        def forget(log: Log) -> None:
            with log.change(durable=False, done=True):
                log.acknowledge(stream, places)

        self._urgently(forget)

    def set_aside(self, stream: Stream, place: int, reason: str) -> None:
        def put(log: Log) -> None:
            with log.change(done=True):
                self._aside(log, stream, place, reason)

        self._urgently(put)

    def _aside(self, log: Log, stream: Stream, place: int, reason: str) -> None:
        row = log.remove(stream, place)
        if row is not None:
            log.file.write(
                "INSERT OR REPLACE INTO aside (stream, place, n, data, reason, aside_us)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (stream, place, row.n, row.data, reason, self._clock()),
            )

    def asides(self) -> list[Aside]:
        def find(log: Log) -> list[Aside]:
            sql = (
                "SELECT stream, place, n, length(data), reason, aside_us FROM aside"
                " ORDER BY aside_us, stream, place"
            )
            return [
                Aside(stream, place - log.book.era(place)[0], *rest)
                for stream, place, *rest in log.file.read(sql, (), (str, int, int, int, str, int))
            ]

        return self._looked(find, [])

    def depth(self) -> dict[Stream, Depth]:
        return self._looked(
            lambda log: {stream: log.book.depth(stream, log.oldest_us(stream)) for stream in STREAMS},
            {stream: Depth(0, 0, 0, None) for stream in STREAMS},
        )

    def size_bytes(self) -> int:
        return self._vault.log.file.size_bytes() if self._vault.log is not None else 0

    def forecast(self) -> StorageStatus:
        with self._gate:
            now = self._clock()
            used, left, kept, thinned, dropped = 0, 0, 0, 0, 0
            if self._vault.log is not None:
                book = self._vault.log.book
                used = self._vault.log.file.size_bytes() - self._vault.do(
                    lambda log: log.file.free_pages_bytes()
                )
                left = self._vault.do(self._vault.room.left)
                kept = sum(stream.kept for stream in book.streams.values())
                thinned, dropped = book.thinned, book.dropped
            rate = self._inflow.per_s(now)
            left_s = (left + kept) / rate if rate else None
            return StorageStatus(
                used_bytes=used,
                limit_bytes=self._vault.keeping.max_bytes,
                free_bytes=left,
                left_s=left_s,
                thinned=thinned,
                dropped=dropped,
                written_today=self._wear.budget.today(now),
                sent_today=self._sent.today(now),
                why=self._why() or left_in_words(left_s)[1],
            )

    def condition(self) -> Condition:
        if self._vault.log is None or self._vault.room.short:
            return "short"
        return "damaged" if quarantined(self._vault.folder) else "good"

    def _why(self) -> str:
        if self._vault.log is None:
            return "the disk has no room to begin the log; readings wait in memory"
        if self._vault.room.short:
            return "there is little room; old readings are thinned or wait in memory"
        if kept := quarantined(self._vault.folder):
            return f"a damaged file is kept as {kept[-1].name}"
        return ""

    def rhythm_s(self) -> float:
        now = self._clock()
        gap = max(self._vault.keeping.sync_s, self._wear.budget.gap_s(now), self._sent.gap_s(now))
        return min(gap, MAX_GAP_S)

    def sent(self, count: int) -> float:
        now = self._clock()
        self._sent.note(count, now)
        return self._sent.gap_s(now)

    def settle(self, correct: Correct) -> int:
        settled = 0
        while True:
            with self._gate:
                self._correct = correct
                if self._vault.log is None:
                    return settled
                some = self._vault.do(lambda log: self._settle_some(log, correct))
            if some is None:
                return settled
            settled += some

    def _settle_some(self, log: Log, correct: Correct) -> int | None:
        return self._vault.with_ballast(lambda: settle_some(log, correct), urgent=True)

    def _settle(self, log: Log, correct: Correct) -> None:
        while self._settle_some(log, correct) is not None:
            pass

    def remember(self, declaration: str, encoded: bytes) -> None:
        with self._gate:
            self._unsaved[declaration] = encoded
            # Without room it waits in memory, and goes with the next append.
            with suppress(DiskFull):
                self._urgently(self._saved)

    def _saved(self, log: Log) -> None:
        with self._change(log):
            pass

    @contextmanager
    def _change(self, log: Log) -> Iterator[None]:
        """One transaction that takes along what is only in memory."""
        with log.change():
            self._flush(log)
            yield
        self._unsaved = {}

    def _flush(self, log: Log) -> None:
        """Write what is only in memory along with a transaction."""
        for name, encoded in self._unsaved.items():
            # One that rotted in the file is made whole again; a sound one is not written twice.
            log.file.write(
                "INSERT INTO declaration (hash, encoded) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE"
                " SET encoded = excluded.encoded WHERE encoded IS NOT excluded.encoded",
                (name, encoded),
            )
        day = log.book.day
        now = self._clock()
        day.written, day.sent = self._wear.budget.today(now), self._sent.today(now)
        day.day, day.sent_day = self._wear.budget.day, self._sent.day

    def declaration(self, declaration: str) -> bytes | None:
        with self._gate:
            if declaration in self._unsaved or self._vault.log is None:
                return self._unsaved.get(declaration)
            sql = "SELECT encoded FROM declaration WHERE hash = ?"
            rows = self._vault.do(lambda log: log.file.read(sql, (declaration,), (bytes,)))
            return rows[0][0] if rows else None

    def save_state(self, key: str, value: bytes) -> None:
        def save(log: Log) -> None:
            with log.change():
                log.file.put_fact(f"state:{key}", value)

        self._urgently(save)

    def load_state(self, key: str) -> bytes | None:
        value = self._looked(lambda log: log.file.fact(f"state:{key}"), None)
        return value if isinstance(value, bytes) else None

    def begin(self, order: Order, number: int) -> bool:
        return self._urgently(lambda log: orders.begin(log, order, number, self._clock()))

    def finish(self, outcome: CommandOutcome, declaration: str, made_us: int) -> int:
        def record(log: Log) -> int:
            log.number_under(self._kernel)
            (row,) = self._encoded(log, [Entry("outcomes", declaration, made_us, (outcome,))])
            with self._change(log):
                orders.finish(log, outcome)
                return self._put(log, *row)

        return self._urgently(record)

    def interrupted(self) -> list[Order]:
        return self._looked(orders.interrupted, [])

    def inbox_cursor(self) -> int:
        return self._looked(orders.cursor, 0)

    def close(self) -> None:
        with self._gate:
            self._vault.close()

    def _opened(self, log: Log) -> None:
        """Take up the day's figures where the last process left them."""
        day, now = log.book.day, self._clock()
        for budget, on, used in (
            (self._wear.budget, day.day, day.written),
            (self._sent, day.sent_day, day.sent),
        ):
            since = budget.today(now)
            if on == budget.day:
                budget.used = used + since


def _broken(log: Log, stream: Stream, row: Row) -> str:
    """Return why a batch is not what was written, or nothing. Raises Damaged for one under a wrong name."""
    try:
        head = peek(row.data)
    except WireError as error:
        return str(error)
    base, boot = log.book.era(row.place)
    if (head.stream, head.boot, head.seq, head.n) != (stream, boot, row.place - base, row.n):
        raise Damaged(f"place {row.place} of {stream} holds batch {head.seq} of {head.stream} {head.boot}")
    return ""


def _recent(log: Log, since_us: int, after: int | None) -> list[tuple[int, Stored]]:
    low = _first_since(log, since_us) if after is None else after + 1
    sql = "SELECT place, n, made_us, data FROM readings WHERE place >= ? ORDER BY place LIMIT ?"
    rows = [Row(*row) for row in log.file.read(sql, (low, _CHUNK), ROW)]
    return [(row.made_us, log.stored("readings", row)) for row in rows]


def _first_since(log: Log, since_us: int) -> int:
    """Return the first place whose batch was closed at `since_us` or later, by bisection over the places."""
    ends = log.file.read("SELECT min(place), max(place) FROM readings")[0]
    if ends[0] is None:
        return 0
    low, high = ends[0], ends[1] + 1
    while low < high:
        middle = (low + high) // 2
        sql = "SELECT place, made_us FROM readings WHERE place > ? ORDER BY place LIMIT 1"
        rows = log.file.read(sql, (middle - 1,), (int, int))
        if not rows:
            raise Damaged(f"the readings after place {middle - 1} cannot be found")
        place, made_us = rows[0]
        if made_us >= since_us:
            high = middle
        else:
            low = place + 1
    return int(low)
