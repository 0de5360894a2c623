"""What is written down of a command: that it began, how it ended, and who had it done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from edge.audit import Audit
from edge.buffer.base import Buffer
from protocols.errors import StorageError
from protocols.model.clock import Clock
from protocols.model.command import Command, CommandOutcome, CommandState
from protocols.wire.handshake import InboxItem

_STORAGE_RETRY_S: Final = 1.0


class Ledger:
    """Records in the log and in the audit trail. What must be written waits for the disk, however long.

    `declaration` tells the one in force; `stored` is called when an outcome waits to be sent.
    """

    def __init__(
        self,
        buffer: Buffer,
        audit: Audit,
        clock: Clock,
        *,
        declaration: Callable[[], str],
        stored: Callable[[], None],
    ) -> None:
        self.buffer = buffer
        self._audit = audit
        self._clock = clock
        self._declaration = declaration
        self._stored = stored
        self._first = ThreadPoolExecutor(1, "begin")
        self._log = structlog.get_logger("edge.commands")

    async def begin(self, item: InboxItem) -> bool:
        """Record that an order starts now; False where it started before, and must not be repeated."""
        while True:
            try:
                return await asyncio.to_thread(self.buffer.begin, item.order, item.number)
            except StorageError as error:
                # Without the record a restart would carry it out again: so nothing is carried out.
                self._log.error("order waits for storage", order=item.order.id, reason=str(error))
                await asyncio.sleep(_STORAGE_RETRY_S)

    async def begin_here(self, command: Command) -> bool:
        """The same for a command of this gateway; it has no number. Raises StorageError at once.

        It has a thread of its own: what waits to be done never queues behind what has been done.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._first, self.buffer.begin, command, 0)

    def close(self) -> None:
        """Let go of the thread; nothing begins afterwards."""
        self._first.shutdown(wait=False)

    async def finish(self, outcome: CommandOutcome) -> None:
        """Keep an outcome and queue it for the centre."""
        while True:
            try:
                await asyncio.to_thread(self.buffer.finish, outcome, self._declaration(), self._clock())
            except StorageError as error:
                self._log.error("outcome waits for storage", command=outcome.command, reason=str(error))
                await asyncio.sleep(_STORAGE_RETRY_S)
            else:
                self._stored()
                return

    async def note(self, actor: str, what: str, subject: str, detail: str) -> None:
        """Write into the audit trail."""
        while True:
            try:
                await asyncio.to_thread(self._audit.note, actor, what, subject, detail)
            except StorageError as error:
                self._log.error("audit waits for storage", actor=actor, what=what, reason=str(error))
                await asyncio.sleep(_STORAGE_RETRY_S)
            else:
                return


def ended(
    command: Command,
    state: CommandState,
    reason: str,
    detail: str,
    at_us: int,
    read_back: float | str | None = None,
) -> CommandOutcome:
    """Return the outcome of a command, with what was commanded and by whom."""
    return CommandOutcome(
        command=command.id,
        state=state,
        reason=reason,
        detail=detail,
        finished_us=at_us,
        read_back=read_back,
        point=command.point,
        value=command.value,
        issued_by=command.issued_by,
        issued_us=command.issued_us,
    )
