"""Local actions: an alarm that is raised or cleared makes the gateway write, with or without a centre.

    step of an alarm → actions that wait for it → recorded once → judged → written → tried again, or told

An action is a command like any other: limits, interlocks, read-back, an outcome for the centre, a line in
the audit trail. It gives way to local manual mode, to a person's command within its `hold_s` (unless
`force`), and to an action of a better priority whose alarm stands.

It follows the alarm's base state: shelving silences people, not pumps. Only a rule that is out of service
acts no more, because somebody works on its instrument; returning it to service starts nothing either.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

import msgspec
import structlog

from edge.alarms.view import AlarmView
from edge.commands.carrier import Commands, monotonic_us
from edge.commands.origin import Origin
from edge.config.acting import ActionEntry, WriteEntry
from edge.config.bind import Plan
from edge.expression.nodes import names
from edge.expression.parse import parse
from protocols.errors import StorageError
from protocols.model.alarm import AlarmEvent, AlarmTransition, Overlay, Rule
from protocols.model.clock import SECOND_US, Clock
from protocols.model.command import Command, CommandOutcome, Reason

_NAMES: Final = uuid.UUID("0b1a7a0e-4f0c-5c1b-8a49-7d5a3f6c2e11")
_LEAST_S: Final = 30.0
"""An action that is not tried again still waits so long for its turn on the line."""
_LOOK_S: Final = 0.2
TRIED_AGAIN: Final = frozenset(
    {
        Reason.HELD,
        Reason.INTERLOCK,
        Reason.INTERLOCK_UNKNOWN,
        Reason.EXCLUDED,
        Reason.MIN_ON,
        Reason.MIN_OFF,
        Reason.NO_CONNECTION,
        Reason.DEVICE_REFUSED,
    }
)
"""Ends after which surely nothing was written, and which pass by themselves.

Not local manual mode: when a technician gives a device back, nothing starts by surprise. Not a silence
after a write: nobody knows what it did, and a pulse given twice is another command.
"""


class _Due(NamedTuple):
    """An action that has to be done: for which occurrence, and which of its activations."""

    action: ActionEntry
    occurrence: str
    nth: int


class Actions:
    """The actions of one gateway. Give `on_steps` to `Pipeline.watch` with `points`, and `run` it.

    `fresh` tells the source time of the last reading of `device.point`, UTC.
    """

    def __init__(
        self,
        plan: Plan,
        commands: Commands,
        fresh: Callable[[str], int],
        *,
        clock: Clock,
        monotonic: Clock = monotonic_us,
    ) -> None:
        self._commands = commands
        self._fresh = fresh
        self._clock = clock
        self._monotonic = monotonic
        self._due: deque[_Due] = deque()
        self._old: list[tuple[_Due, str]] = []
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._active: dict[str, tuple[str, int]] = {}
        """Rules whose condition holds → (occurrence, which of its activations)."""
        self._log = structlog.get_logger("edge.actions")
        self.adopt(plan)

    def adopt(self, plan: Plan) -> None:
        """Go by another plan; whoever watches alarms for us has to do so anew, with its `points`."""
        self._gateway = plan.gateway
        self._by_alarm: dict[str, list[ActionEntry]] = defaultdict(list)
        for action in plan.loaded.entry.actions:
            self._by_alarm[action.when.alarm].append(action)
        watched = {name for rule in plan.rules if rule.id in self._by_alarm for name in inputs(rule)}
        self.points = tuple(plan.indexes[name] for name in watched)
        """Points whose readings may start an action: they are judged without waiting."""

    def on_steps(self, steps: Sequence[AlarmTransition]) -> None:
        """Take steps of alarms as they are judged; never blocks and never raises."""
        for step in steps:
            if step.event is AlarmEvent.ACT:
                occurrence, nth = self._active.get(step.rule, ("", 0))
                self._active[step.rule] = step.occurrence, nth if occurrence != step.occurrence else nth + 1
            elif step.event is not AlarmEvent.CLR:
                continue
            occurrence, nth = self._active.get(step.rule, (step.occurrence, 0))
            if step.event is AlarmEvent.CLR:
                self._active.pop(step.rule, None)
            on = "raise" if step.event is AlarmEvent.ACT else "clear"
            for action in self._by_alarm.get(step.rule, ()):
                if action.when.on == on and Overlay.OOSRV not in step.overlays:
                    self._due.append(_Due(action, occurrence, nth))
                    self._wake.set()

    def resume(self, alarms: Sequence[AlarmView]) -> None:
        """Take up the alarms that stood when the process ended.

        What was begun for them is not done again. What was not, because the end came between the alarm
        and its action, is done when a new reading has shown that the alarm still stands.
        """
        for alarm in alarms:
            if not alarm.active:
                continue
            self._active[alarm.rule] = alarm.occurrence, alarm.reactivations
            for action in self._by_alarm.get(alarm.rule, ()):
                if action.when.on == "raise" and Overlay.OOSRV not in alarm.overlays:
                    due = _Due(action, alarm.occurrence, alarm.reactivations)
                    self._old.append((due, alarm.point))

    async def run(self) -> NoReturn:
        """Do what is due until cancelled; actions do not wait for one another."""
        try:
            async with asyncio.TaskGroup() as group:
                for due, point in self._old:
                    group.create_task(self._confirmed(due, point), name=f"action:{due.action.key}")
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    while self._due:
                        due = self._due.popleft()
                        group.create_task(self._do(due), name=f"action:{due.action.key}")
        finally:
            self._ending.set()
        raise AssertionError("actions never end")

    async def _confirmed(self, due: _Due, point: str) -> None:
        began = self._clock()
        while self._stands(due):
            if self._fresh(point) >= began:
                await self._do(due)
                return
            await asyncio.sleep(_LOOK_S)

    async def _do(self, due: _Due) -> None:
        for i, write in enumerate(due.action.do):
            await self._write(due, i, write)

    async def _write(self, due: _Due, i: int, write: WriteEntry) -> None:
        """Write one value of an action, once for each activation of its alarm, and tell how it ended."""
        action, by = due.action, f"action:{due.action.key}"
        name = f"{self._gateway}/{action.key}/{action.when.on}/{due.occurrence}/{due.nth}/{i}"
        command = self._commands.compose(
            str(uuid.uuid5(_NAMES, name)), write.point, write.value, by, action.retry_for_s + _LEAST_S
        )
        try:
            if not await self._commands.begin_here(command):
                return
        except StorageError as error:
            # What protects is not held back by a full disk; its record follows when there is room.
            self._log.error("action goes on without its record", action=action.key, reason=str(error))
        await self._commands.keep(self._carried(due, command, by))

    async def _carried(self, due: _Due, command: Command, by: str) -> None:
        await self._commands.conclude(command, await self._tried(due, command), by)

    async def _tried(self, due: _Due, command: Command) -> CommandOutcome:
        action, began, attempts = due.action, self._monotonic(), 0
        origin = Origin(
            "action",
            hold_us=round(action.hold_s * SECOND_US),
            force=action.force,
            outranked=lambda point: self._above(action, point),
        )
        while True:
            outcome = await self._commands.attempt(command, origin)
            attempts += 1
            spent_s = (self._monotonic() - began) / SECOND_US
            if (
                outcome.reason not in TRIED_AGAIN
                or spent_s + action.retry_s > action.retry_for_s
                or not self._stands(due)
            ):
                break
            if attempts == 1:
                self._log.warning(
                    "action is tried again", action=action.key, point=command.point, reason=outcome.reason
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), action.retry_s)
            if self._ending.is_set() or not self._stands(due):
                break
        if attempts > 1:
            tried = f"{outcome.detail}; tried {attempts} times in {spent_s:.0f} s"
            outcome = msgspec.structs.replace(outcome, detail=tried)
        return outcome

    def _stands(self, due: _Due) -> bool:
        """Whether what started the action is still so: its activation goes on, or is still over.

        An action that another configuration does not have, or has otherwise, stands no more.
        """
        if due.action not in self._by_alarm.get(due.action.when.alarm, ()):
            return False
        now = self._active.get(due.action.when.alarm)
        if due.action.when.on == "raise":
            return now == (due.occurrence, due.nth)
        return now is None

    def _above(self, action: ActionEntry, point: str) -> str | None:
        """Return the key of an action that stands above this one on a point."""
        for rule in self._active:
            for other in self._by_alarm.get(rule, ()):
                if (
                    other.when.on == "raise"
                    and other.priority < action.priority
                    and any(write.point == point for write in other.do)
                ):
                    return other.key
        return None


def inputs(rule: Rule) -> frozenset[str]:
    """Return the points that a rule judges, by `device.point`."""
    found = {rule.point}
    if rule.reference:
        found.add(rule.reference)
    if rule.expression:
        found |= set(names(parse(rule.expression)))
    return frozenset(found)
