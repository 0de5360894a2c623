"""The seam of the store-and-forward log. Promises, tested by `tests/edge/buffer/contract.py`:

- What `append` has returned survives kill -9 and a power cut, and keeps its number for ever.
- Numbers of a stream rise by one from 1 within one `boot`; a new file has a new boot, and so has what is
  recorded after the machine has started again: its disk may have forgotten numbers. A log that was
  damaged goes on under a new boot and keeps what could be saved under the boots it was made in.
- A `place` names a batch within this log and is never given twice; (boot, stream, seq) names it for ever.
- A batch leaves the queue by `acknowledge` (the centre has committed it) or `set_aside` (the centre
  will never take it: kept beside the queue, counted, shown). Where room is short, old readings are
  thinned and at last dropped by the policy of `edge/buffer/policy.py`, counted; alarms and outcomes never.
- A disk without room is no reason not to open: `append` then raises StorageError until there is room.
- An order begins once: `begin` says False for every later call, after a restart too.
- Methods block on the disk; call them from a worker thread. One thread at a time is let in. Only
  `rhythm_s` and `sent` answer at once.

Every method may raise StorageError, which says which file and what to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge.config.keeping import StorageEntry
from edge.timekeeping import Stamp
from protocols.model.command import CommandOutcome
from protocols.model.order import Order
from protocols.wire.batch import Payload
from protocols.wire.channels import Stream
from protocols.wire.handshake import StorageStatus


class Entry(NamedTuple):
    """What is to be appended: the payload of one batch, and the declaration that explains it.

    stamp: under which clock it was made, where the time was in doubt then; else it is asked as it is stored.
    """

    stream: Stream
    declaration: str
    made_us: int
    payload: Payload
    stamp: Stamp | None = None


class Stored(NamedTuple):
    """A batch in the log. `data` is what is sent, byte for byte; `n` counts its readings or rows.

    boot and seq are its name at the centre; place is where it lies here, in the order of recording.
    """

    stream: Stream
    place: int
    seq: int
    n: int
    data: bytes
    boot: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of one stream waits. `oldest_us` is when its oldest batch was closed, or None."""

    batches: int
    rows: int
    bytes: int
    oldest_us: int | None


Condition = Literal["good", "short", "damaged"]
"""Of the log: `short` of room, or with a damaged file beside it that somebody should look at."""


class Aside(NamedTuple):
    """A batch that the centre refused for good, and the reason it gave."""

    stream: Stream
    seq: int
    n: int
    bytes: int
    reason: str
    aside_us: int


class Buffer(ABC):
    """The log of one gateway."""

    @property
    @abstractmethod
    def boot(self) -> str:
        """Identity under which batches are numbered now; empty while there is no room to begin."""

    @abstractmethod
    def append(self, entries: Sequence[Entry], state: Mapping[str, bytes] | None = None) -> list[int]:
        """Store the entries durably, all or none, in one go; return their numbers.

        `state` is kept as by `save_state` in the same transaction: what is derived from the entries
        (which alarms are open) never disagrees with them after a power cut.
        """

    @abstractmethod
    def pending(
        self, stream: Stream, *, newest: bool = False, limit: int = 8, exclude: Collection[int] = ()
    ) -> list[Stored]:
        """Return waiting batches, oldest first (or newest first), without the places in `exclude`."""

    @abstractmethod
    def keep(self, keeping: StorageEntry) -> None:
        """Keep to other limits from now on; nothing that is stored is touched by it."""

    @abstractmethod
    def recent(self, since_us: int, until_us: int) -> Iterator[Stored]:
        """Yield the batches of readings that may hold times from `since_us` to `until_us`, oldest first.

        Acknowledged ones too, as long as they are kept. The log is free for others between two of them.
        """

    @abstractmethod
    def forecast(self) -> StorageStatus:
        """Return what the log takes, and how long it lasts at this rate; cheap enough for every second."""

    @abstractmethod
    def rhythm_s(self) -> float:
        """Return the least seconds between two appends of readings, for the flash and the link."""

    @abstractmethod
    def sent(self, count: int) -> float:
        """Count bytes that went over the link; return the seconds readings now wait for the data plan."""

    @abstractmethod
    def condition(self) -> Condition:
        """Return how the log is, for the gateway's own alarm."""

    @abstractmethod
    def settle(self, correct: Callable[[Stamp], int | None]) -> int:
        """Put right the times of waiting batches that were recorded in doubt; return how many.

        `correct` returns the microseconds that times under a stamp lack, or None where nobody will ever
        know: those batches are marked. Call it when the time is sure, before anything is sent.
        """

    @abstractmethod
    def acknowledge(self, stream: Stream, places: Collection[int]) -> None:
        """Forget batches that the centre has committed. Unknown places are ignored.

        Not forced to disk: if it is lost, the batch is sent again and the centre knows it.
        """

    @abstractmethod
    def set_aside(self, stream: Stream, place: int, reason: str) -> None:
        """Take a refused batch out of the queue and keep it with its reason."""

    @abstractmethod
    def asides(self) -> list[Aside]:
        """Return what was set aside, oldest first."""

    @abstractmethod
    def depth(self) -> dict[Stream, Depth]:
        """Return what waits in each stream; cheap enough for every second."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Return the bytes that the log takes on disk."""

    @abstractmethod
    def remember(self, declaration: str, encoded: bytes) -> None:
        """Keep a declaration: a batch can outlive the configuration that explains it."""

    @abstractmethod
    def declaration(self, declaration: str) -> bytes | None:
        """Return a remembered declaration."""

    @abstractmethod
    def save_state(self, key: str, value: bytes) -> None:
        """Keep a small value (alarm states, learnt limits) under its key, durably."""

    @abstractmethod
    def load_state(self, key: str) -> bytes | None:
        """Return a kept value."""

    @abstractmethod
    def begin(self, order: Order, number: int) -> bool:
        """Record that an order is about to be carried out and move the inbox cursor to `number`.

        Return whether this is its first time; an order that has begun before is not repeated.
        """

    @abstractmethod
    def finish(self, outcome: CommandOutcome, declaration: str, made_us: int) -> int:
        """Store the outcome and append it to the stream `outcomes` in one transaction; return its number."""

    @abstractmethod
    def interrupted(self) -> list[Order]:
        """Return orders that began and have no outcome: the process died between act and record."""

    @abstractmethod
    def inbox_cursor(self) -> int:
        """Return the number of the last inbox item taken; 0 at first."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file; safe to call twice."""
