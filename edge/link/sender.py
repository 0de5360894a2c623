"""Carries the log to the centre, urgent first, newest and oldest beside each other.

    alarms, outcomes   one after the other, in order: what happened is told as it happened
    readings, live     the newest batch, always
    readings, backlog  the oldest ones, a few at a time, while nothing urgent waits

Before anything is sent the centre is asked for its time: what was recorded in doubt of it is put right
first. The data plan and the rate of the backlog (`storage.uplink`) are kept here, by longer pauses.

A batch leaves the log only by a receipt that names it. A batch that the centre can never take is set
aside with the reason it gave; everything else is tried again for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn, TypeVar

import structlog

from edge.buffer.base import Buffer, Stored
from edge.config.keeping import UplinkEntry
from edge.link.client import CentreClient, CentreError
from edge.link.pace import Pace
from edge.link.progress import Progress
from edge.link.road import Road
from edge.timekeeping import Timekeeper
from protocols.errors import StorageError, WireError
from protocols.model.manifest import declaration_hash
from protocols.wire.batch import decode
from protocols.wire.channels import Stream

Result = TypeVar("Result")
BACKLOG_LANES: Final = 3
_KEPT: Final = frozenset({401, 403, 404, 405, 407, 408, 409, 425, 429})
"""Refusals of the gateway, the address or the moment; every other 4xx is about the batch itself."""
_DECLARED_AGAIN_S: Final = 30.0
_STORAGE_RETRY_S: Final = 1.0
_NO_ITEM: Final = 1 << 52
"""Asks the inbox for nothing: its answer brings the centre's clock at once."""
_FEW: Final = 20
"""Batches of readings that are no backlog: a second or two of them are always on their way."""
_LOOK_S: Final = 1.0
_TIME_ASKED: Final = 3
_TIME_AGAIN_S: Final = 300.0


class Sender:
    """Sends what waits in the buffer; `wake` it after each append."""

    def __init__(
        self,
        buffer: Buffer,
        centre: CentreClient,
        road: Road,
        declaration: str,
        timekeeper: Timekeeper | None = None,
        uplink: UplinkEntry | None = None,
    ) -> None:
        self.sent = 0
        self.progress = Progress()
        self.duplicates = 0
        self.set_aside = 0
        self._buffer = buffer
        self._centre = centre
        self._road = road
        self._declaration = declaration
        self._timekeeper = timekeeper
        self._timely = asyncio.Event()
        self._pace = Pace(buffer.sent, None if uplink is None else uplink.backlog_per_s)
        self._to_announce = asyncio.Event()
        self._to_announce.set()
        self._more = asyncio.Event()
        self._calm = asyncio.Event()
        self._travelling: set[int] = set()
        self._received: dict[Stream, list[int]] = {}
        self._to_forget = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._declaring = asyncio.Lock()
        self._declared_s: dict[str, float] = {}
        self._log = structlog.get_logger("edge.link")

    def wake(self) -> None:
        """Say that there is something new in the log."""
        # A fresh event for those who look from now on: nobody can clear what another still waits for.
        told, self._more = self._more, asyncio.Event()
        told.set()

    async def quiet(self) -> None:
        """Return when alarms, outcomes and the readings of before are sent: pictures may then go."""
        await self._timely.wait()
        while True:
            await self._calm.wait()
            waiting = (await self._disk(self._buffer.depth))["readings"].batches
            if waiting <= _FEW:
                return
            await asyncio.sleep(_LOOK_S)

    def announce(self, declaration: str) -> None:
        """Say that another declaration, which the buffer remembers, is now the present one."""
        self._declaration = declaration
        self._to_announce.set()

    def limit(self, uplink: UplinkEntry) -> None:
        """Keep to another rate of the backlog from now on."""
        self._pace.backlog_per_s = uplink.backlog_per_s

    async def run(self) -> NoReturn:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forget(), name="send:forget")
            group.create_task(self._ask_time(), name="send:time")
            group.create_task(self._announce(), name="send:announce")
            group.create_task(self._urgent(), name="send:urgent")
            group.create_task(self._live(), name="send:live")
            for lane in range(BACKLOG_LANES):
                group.create_task(self._backlog(), name=f"send:backlog-{lane}")
        raise AssertionError("the lanes of the sender never end")

    async def _announce(self) -> NoReturn:
        """Show the present configuration at the centre before there is a reading to explain."""
        while True:
            await self._to_announce.wait()
            self._to_announce.clear()
            if not await self._declare(self._declaration):
                self._to_announce.set()

    async def _ask_time(self) -> None:
        """Hear the centre's clock again and again; after the first time it may be sent."""
        timekeeper = self._timekeeper
        if timekeeper is None:
            self._timely.set()
            return
        while True:
            if timekeeper.synced:
                await self._settle(timekeeper)
            for _ in range(_TIME_ASKED):
                await self._road.clear()
                before_us = timekeeper.now_us()
                try:
                    inbox = await self._centre.inbox(_NO_ITEM, 0)
                except CentreError as error:
                    self._road.failed(error)
                    if error.status and timekeeper.plausible:
                        self._timely.set()  # it answers, only not this: no reason to keep readings back
                    continue
                rtt_us = timekeeper.now_us() - before_us
                timekeeper.note_centre(inbox.server_us - before_us - rtt_us // 2, rtt_us)
            if timekeeper.synced:
                await self._settle(timekeeper)
                await asyncio.sleep(_TIME_AGAIN_S)

    async def _settle(self, timekeeper: Timekeeper) -> None:
        settled = await self._disk(self._buffer.settle, timekeeper.correction)
        if settled:
            self._log.warning("times recorded in doubt are put right", batches=settled)
        self._timely.set()

    async def _urgent(self) -> NoReturn:
        await self._timely.wait()
        while True:
            more = self._more
            waiting = await self._pending("alarms") or await self._pending("outcomes")
            if waiting is None:
                self._calm.set()
                await more.wait()
                continue
            self._calm.clear()
            self._pace.went(len(waiting.data), 0, backlog=False)
            if await self._deliver(waiting):
                await self._disk(self._buffer.acknowledge, waiting.stream, [waiting.place])

    async def _live(self) -> NoReturn:
        await self._timely.wait()
        while True:
            await self._pace.wait(backlog=False)
            await self._one_reading(newest=True)

    async def _backlog(self) -> NoReturn:
        await self._timely.wait()
        while True:
            await self._calm.wait()
            await self._pace.wait(backlog=True)
            await self._one_reading(newest=False)

    async def _one_reading(self, *, newest: bool) -> None:
        await self._road.clear()
        more = self._more
        async with self._claiming:
            batch = await self._pending("readings", newest=newest)
            if batch is not None:
                self._travelling.add(batch.place)
        if batch is None:
            await more.wait()
            return
        self._pace.went(len(batch.data), batch.n, backlog=not newest)
        if await self._deliver(batch):
            self.progress.note(batch.n)
            self._received.setdefault(batch.stream, []).append(batch.place)
            self._to_forget.set()
        else:
            self._travelling.discard(batch.place)

    async def _forget(self) -> NoReturn:
        """Delete what has been received; what comes meanwhile goes together in the next transaction."""
        while True:
            await self._to_forget.wait()
            self._to_forget.clear()
            received, self._received = self._received, {}
            for stream, places in received.items():
                await self._disk(self._buffer.acknowledge, stream, places)
                self._travelling.difference_update(places)

    async def _deliver(self, stored: Stored) -> bool:
        """Try one batch once; return whether the centre has it. False where it stays, or is set aside."""
        await self._road.clear()
        try:
            receipt = await self._centre.send(stored.data)
        except CentreError as error:
            await self._refused(stored, error)
            return False
        if (receipt.stream, receipt.seq) != (stored.stream, stored.seq):
            self._road.failed(
                CentreError(
                    0, "wrong-receipt", f"asked for {stored.stream} {stored.seq}, received {receipt.seq}"
                )
            )
            return False
        self._road.passed()
        self.sent += 1
        self.duplicates += receipt.duplicate
        return True

    async def _refused(self, stored: Stored, error: CentreError) -> None:
        if error.status == 409 and error.code == "declare-first":
            await self._explain(stored, error)
        elif 400 <= error.status < 500 and error.status not in _KEPT:
            await self._put_aside(stored, str(error))
        else:
            self._road.failed(error)

    async def _explain(self, stored: Stored, error: CentreError) -> None:
        """Declare what a batch refers to; it is then sent again."""
        try:
            name = decode(stored.data).declaration
        except WireError as unreadable:
            await self._put_aside(stored, f"cannot be read here either: {unreadable}")
            return
        if await self._manifest(name) is None:
            await self._put_aside(stored, f"its declaration {name} is not in the buffer any more, or damaged")
            return
        now = asyncio.get_running_loop().time()
        if now - self._declared_s.get(name, -_DECLARED_AGAIN_S) < _DECLARED_AGAIN_S:
            self._road.failed(error)  # it took the declaration and forgot it: no hot loop
        elif await self._declare(name):
            self._declared_s[name] = now

    async def _manifest(self, name: str) -> bytes | None:
        """Return a declaration as it was made; one that rotted on the disk would block the whole road."""
        manifest = await self._disk(self._buffer.declaration, name)
        return manifest if manifest is not None and declaration_hash(manifest) == name else None

    async def _declare(self, name: str) -> bool:
        async with self._declaring:
            await self._road.clear()
            manifest = await self._manifest(name)
            if manifest is None:
                return True
            try:
                await self._centre.declare(name, manifest)
            except CentreError as error:
                # Without the declaration no batch can be taken: all wait, and the reason is shown.
                self._road.failed(error)
                return False
            self._road.passed()
            return True

    async def _put_aside(self, stored: Stored, reason: str) -> None:
        self._log.error("batch is set aside", stream=stored.stream, seq=stored.seq, reason=reason)
        await self._disk(self._buffer.set_aside, stored.stream, stored.place, reason)
        self.set_aside += 1

    async def _pending(self, stream: Stream, *, newest: bool = False) -> Stored | None:
        exclude = frozenset(self._travelling) if stream == "readings" else frozenset()
        ask = partial(self._buffer.pending, stream, newest=newest, limit=1, exclude=exclude)
        found = await self._disk(ask)
        return found[0] if found else None

    async def _disk(self, act: Callable[..., Result], *arguments: object) -> Result:
        """Do something with the buffer, again and again until the disk lets it be done."""
        while True:
            try:
                return await asyncio.to_thread(act, *arguments)
            except StorageError as error:
                self._log.error("buffer cannot be used", reason=str(error))
                await asyncio.sleep(_STORAGE_RETRY_S)
