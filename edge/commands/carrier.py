"""Commands of one gateway: those of the centre, of people beside it, and of its own actions.

    begun (recorded) → admitted → its turn: judged again, written, read back → outcome (recorded), audit

Every way out is an outcome with a stable reason (`protocols.model.command.Reason`); nothing is written
twice, also after a restart. Once begun, a command goes to its end also when whoever asked for it is gone.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

import structlog

from edge.audit import Audit
from edge.buffer.base import Buffer
from edge.commands.control import Controls
from edge.commands.judge import Judge
from edge.commands.ledger import Ledger, ended
from edge.commands.manual import figures, hold, readings
from edge.commands.memory import ManualHold, Memory
from edge.commands.origin import CENTRE, LOCAL, Origin
from edge.commands.present import Present
from edge.commands.selection import Selections
from edge.commands.writing import Writer
from edge.config.bind import Plan
from edge.session import Session
from edge.shaping import Shaper
from protocols.errors import Rejected, StorageError
from protocols.field.base import Sink
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import Command, CommandOutcome, CommandState, Reason
from protocols.wire.handshake import InboxItem

Result = TypeVar("Result")
MEMORY: Final = "control"
"""Key of what is remembered in the buffer's state."""
LOCAL_EXPIRY_S: Final = 30.0
WATCH_S: Final = 0.5
"""How often it is looked which points run; minimum times are true to this."""
_END_S: Final = 3.0
_ANSWER_S: Final = 2.0


def monotonic_us() -> int:
    """Return a clock that never steps, in microseconds."""
    return time.monotonic_ns() // 1000


class Commands:
    """Carries out commands; `run` watches what runs. Times as in `Memory`.

    Built once for a gateway; `adopt` gives it another plan. Selections, holds and local manual mode are
    kept by the names of points and devices, and go on under it.
    """

    def __init__(
        self,
        plan: Plan,
        shaper: Shaper,
        sessions: Mapping[str, Session],
        buffer: Buffer,
        *,
        sink: Sink,
        audit: Audit,
        clock: Clock = now_us,
        monotonic: Clock = monotonic_us,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._sink = sink
        self._plan = plan
        self._ledger = Ledger(buffer, audit, clock, declaration=lambda: self._plan.declaration, stored=stored)
        self._memory = Memory(buffer.load_state(MEMORY), clock(), monotonic())
        self._selections = Selections()
        self._told: dict[str, tuple[float | None, int]] = {}
        self._writer = Writer(clock)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._running: set[asyncio.Task[Any]] = set()
        self._log = structlog.get_logger("edge.commands")
        self._take(plan, shaper, sessions)

    def adopt(self, plan: Plan, shaper: Shaper, sessions: Mapping[str, Session], sink: Sink) -> None:
        """Go on under another plan; what is under way is judged and written by it."""
        self._sink = sink
        self._take(plan, shaper, sessions)

    def _take(self, plan: Plan, shaper: Shaper, sessions: Mapping[str, Session]) -> None:
        by_device = {
            device.key: sessions[connection.key]
            for connection in plan.connections
            for device in connection.devices
        }
        self._plan = plan
        self._controls = Controls(plan)
        self._present = Present(plan, shaper, by_device, self._clock, self._told)
        self._judge = Judge(
            plan,
            self._controls,
            self._present,
            self._memory,
            self._selections,
            clock=self._clock,
            monotonic=self._monotonic,
        )
        self._writer.adopt(self._judge, self._present, by_device, self._sink)

    # ---- local manual mode ----

    @property
    def held(self) -> frozenset[str]:
        """Devices in local manual mode; `*` stands for the whole gateway."""
        return frozenset(self._memory.manual)

    async def manual(self, device: str, on: bool, actor: str, reason: str = "") -> None:
        """Take a device (`*`: the whole gateway) into local manual mode, or give it back.

        Kept over a restart, and told to the points at once. Raises Rejected (`unknown-device`), and
        StorageError where the disk does not keep it: the mode is then as it was.
        """
        before = dict(self._memory.manual)
        hold(self._memory, self._plan, device, on, ManualHold(actor, reason, self._clock()))
        try:
            await self._remember()
        except StorageError:
            self._memory.manual.clear()
            self._memory.manual.update(before)
            raise
        self._sink(readings(self._memory, self._plan, self._clock()))
        self._log.warning("local manual mode", device=device, on=on, by=actor, reason=reason)
        await self._soon(self._ledger.note(actor, "manual-on" if on else "manual-off", device, reason))

    def figures(self) -> dict[str, float]:
        """Return the gateway's own points about local manual mode, for its health."""
        return figures(self._memory, self._plan)

    # ---- orders ----

    async def recover(self) -> None:
        """Report commands that were being carried out when the process ended: nobody knows."""
        for order in await asyncio.to_thread(self._ledger.buffer.interrupted):
            if isinstance(order, Command):
                detail = "the gateway stopped while it carried this out; read the point to see"
                await self._end(order, CommandState.UNKNOWN, Reason.INTERRUPTED, detail)

    async def begin(self, item: InboxItem) -> bool:
        """Record that an order starts now; False where it started before, and must not be repeated."""
        return await self._ledger.begin(item)

    async def execute(self, command: Command, offset_us: int = 0) -> CommandOutcome:
        """Carry out a begun command of the centre; `offset_us` is centre's clock minus ours."""

        async def work() -> CommandOutcome:
            outcome = await self.attempt(command, CENTRE, offset_us)
            await self.conclude(command, outcome, f"centre:{command.issued_by}")
            return outcome

        return await self.keep(work())

    async def local(
        self, point: str, value: float | str, actor: str, expected: float | None = None
    ) -> CommandOutcome:
        """Carry out a write of a person at the gateway: `actor` is `page:…` or `local:…`.

        It needs no selection and passes local manual mode, and nothing else. Raises StorageError where
        it cannot be recorded: nothing was written then.
        """
        command = self.compose(str(uuid.uuid4()), point, value, actor, LOCAL_EXPIRY_S, expected)

        async def work() -> CommandOutcome:
            await self._ledger.begin_here(command)
            outcome = await self.attempt(command, LOCAL)
            await self._soon(self.conclude(command, outcome, actor))
            return outcome

        return await self.keep(work())

    def compose(
        self,
        name: str,
        point: str,
        value: float | str,
        by: str,
        lasts_s: float,
        expected: float | None = None,
    ) -> Command:
        """Return a command of this gateway; `name` is its id."""
        now = self._clock()
        return Command(
            id=name,
            point=self._judge.name(point),
            value=value,
            issued_us=now,
            expires_us=now + round(lasts_s * SECOND_US),
            issued_by=by,
            expected=expected,
        )

    async def begin_here(self, command: Command) -> bool:
        """Record that a command of this gateway starts; False where it started before.

        Raises StorageError at once where it cannot be recorded.
        """
        return await self._ledger.begin_here(command)

    async def attempt(self, command: Command, origin: Origin, offset_us: int = 0) -> CommandOutcome:
        """Judge and write a begun command once; return how that ended, and record nothing."""
        try:
            return await self._decide(command, origin, offset_us)
        except Rejected as error:
            state = CommandState.EXPIRED if error.reason == Reason.EXPIRED else CommandState.REJECTED
            return ended(command, state, error.reason, str(error), self._clock())
        except Exception as error:
            self._log.error("driver failed; report this with the traceback", exc_info=error)
            detail = f"the driver failed: {error!r}; read the point to see"
            return ended(command, CommandState.UNKNOWN, Reason.DRIVER_FAILED, detail, self._clock())

    async def conclude(self, command: Command, outcome: CommandOutcome, actor: str) -> None:
        """Record how a command ended, for the centre and in the audit trail."""
        await self._ledger.finish(outcome)
        self._log.info(
            "command",
            command=command.id,
            point=command.point,
            value=command.value,
            step=command.step,
            state=outcome.state.value,
            reason=outcome.reason,
            by=actor,
        )
        said = f"{command.step} {command.value} → {outcome.state}, {outcome.reason}: {outcome.detail}"
        await self._ledger.note(actor, "command", command.point, said)

    async def refuse(self, order: str, reason: str, detail: str) -> None:
        """Answer an order that has begun and is not carried out."""
        await self.answer(order, CommandState.REJECTED, reason, detail)

    async def answer(self, order: str, state: CommandState, reason: str, detail: str) -> None:
        """Answer an order that has begun and is no command: a configuration, an update, …"""
        await self._ledger.finish(
            CommandOutcome(
                command=order,
                state=state,
                reason=reason,
                detail=detail,
                finished_us=self._clock(),
            )
        )

    # ---- at work ----

    async def keep(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do work to its end even where the caller is cancelled: what is written must be told."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def run(self) -> NoReturn:
        """Watch what runs until cancelled; then give commands under way a moment to end."""
        try:
            while True:
                if self._watch():
                    await self._try_remember()
                await asyncio.sleep(WATCH_S)
        finally:
            if self._running:
                await asyncio.wait(self._running, timeout=_END_S)
            for task in self._running:
                task.cancel()
            self._ledger.close()

    async def _soon(self, record: Coroutine[Any, Any, None]) -> None:
        """Wait for a record, but not for a disk that does not take it: a person wants an answer."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.keep(record), _ANSWER_S)

    def _watch(self) -> bool:
        present = {name: self._present.number(name) for name in self._controls.timed()}
        return self._memory.saw(present, self._monotonic())

    async def _decide(self, command: Command, origin: Origin, offset_us: int) -> CommandOutcome:
        admitted = self._judge.admit(command, origin, offset_us)
        if command.step == "select":
            self._judge.select(admitted, command)
            detail = f"selected for {admitted.control.select_us / SECOND_US:g} s; nothing was written yet"
            return ended(command, CommandState.SELECTED, Reason.SELECTED, detail, self._clock())

        def written() -> None:
            self._selections.drop(admitted.name)
            if origin.kind != "action":
                self._memory.commanded[admitted.name] = self._monotonic()

        async with self._turns[admitted.control.group]:
            back = await self._writer.write(command, admitted, origin, offset_us, written)
            self._watch()
        if origin.kind != "action" or admitted.control.guard.timed:
            await self._try_remember()
        if isinstance(back, CommandOutcome):
            return back
        return await self._writer.confirm(command, admitted, back)

    async def _end(self, order: Command, state: CommandState, reason: Reason, detail: str) -> None:
        await self.conclude(order, ended(order, state, reason, detail, self._clock()), "gateway")

    async def _remember(self) -> None:
        kept = self._memory.kept(self._clock(), self._monotonic())
        await asyncio.to_thread(self._ledger.buffer.save_state, MEMORY, kept)

    async def _try_remember(self) -> None:
        """The disk may refuse it: then a restart forgets it, and min times begin anew, which is safe."""
        try:
            await self._remember()
        except StorageError as error:
            self._log.error("what runs since when is not kept", reason=str(error))
