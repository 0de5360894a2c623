"""The write itself, on the line of its device, and what the device then shows."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np

from edge.commands.judge import Admitted, Judge
from edge.commands.ledger import ended
from edge.commands.origin import Origin
from edge.commands.present import Present
from edge.session import Session
from edge.shaping import engineering, resolution
from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout, FieldError, Rejected
from protocols.field.base import Answer, BoundPoint, Driver, Sink
from protocols.model.clock import Clock
from protocols.model.command import Command, CommandOutcome, CommandState, Reason
from protocols.model.device import PointProfile
from protocols.model.quality import Quality
from protocols.model.reading import Readings

_LOOKS: Final = 20
_LOOK_S: Final = (0.2, 5.0)
"""A slow actuator is looked at about twenty times while it travels, within these pauses."""

Back = float | str | None


class Written(NamedTuple):
    """What was read back at once, raw; nth counts the writes of the point, to know whether another came.

    answer: what the device confirmed in words where nothing can be read back.
    """

    back: Back
    nth: int
    answer: str = ""


class Writer:
    """Writes under the plan that is in force at that moment, also where another one was when it was asked."""

    def __init__(self, clock: Clock, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._pause = pause
        self._writes: Counter[str] = Counter()

    def adopt(self, judge: Judge, present: Present, sessions: Mapping[str, Session], sink: Sink) -> None:
        """Go on by another plan; `sessions` by device."""
        self._judge = judge
        self._present = present
        self._sessions = sessions
        self._sink = sink

    async def write(
        self,
        command: Command,
        admitted: Admitted,
        origin: Origin,
        offset_us: int,
        written: Callable[[], None],
    ) -> Written | CommandOutcome:
        """Take the line, judge once more, write; return what is read back, or how it failed.

        `written` is called just before the device gets the value. Raises Rejected where it was not sent.
        """
        name, sent = admitted.name, False
        session = self._sessions[self._judge.point(name).device]

        async def act(driver: Driver) -> Back | Answer:
            nonlocal sent
            # Looked up again: by now another plan may be in force, with other numbers and rules.
            point = self._judge.point(name)
            self._judge.turn(command, origin, offset_us)
            if command.expected is not None:
                await self._expect(driver, point, command.expected)
            sent = True
            self._writes[name] += 1
            self._present.told(name, None)
            written()
            return await driver.write(session.own(point), admitted.raw)

        def failed(state: CommandState, reason: Reason, error: FieldError) -> CommandOutcome:
            return ended(command, state, reason, str(error), self._clock())

        try:
            back = await session.ask(act)
        except DeviceRefused as error:
            self._present.forget(name)
            return failed(CommandState.FAILED, Reason.DEVICE_REFUSED, error)
        except DeviceTimeout as error:
            return failed(CommandState.UNKNOWN, Reason.NO_ANSWER, error)
        except ConnectionLost as error:
            if sent:
                return failed(CommandState.UNKNOWN, Reason.CONNECTION_LOST, error)
            return failed(CommandState.FAILED, Reason.NO_CONNECTION, error)
        except FieldError as error:
            return failed(CommandState.UNKNOWN, Reason.BAD_ANSWER, error)
        if isinstance(back, Answer):
            self._shown(admitted, None, command.value)
            return Written(None, self._writes[name], back.text)
        self._shown(admitted, back, command.value)
        return Written(back, self._writes[name])

    async def confirm(self, command: Command, admitted: Admitted, written: Written) -> CommandOutcome:
        """Compare what is read back; look again while a slow actuator travels."""
        name, profile = admitted.name, admitted.profile
        if written.back is None:
            told = f"the device confirmed: {written.answer}" if written.answer else "the device confirmed"
            return ended(
                command, CommandState.WRITTEN, Reason.NOT_READABLE,
                f"{told}; it cannot be read back", self._clock(),
            )  # fmt: skip
        shown = _shown(profile, written.back)
        travel_s, began = admitted.control.travel_s, time.monotonic()
        while not _same(profile, shown, command.value) and time.monotonic() - began < travel_s:
            await self._pause(min(max(travel_s / _LOOKS, _LOOK_S[0]), _LOOK_S[1]))
            if self._writes[name] != written.nth:
                return ended(
                    command, CommandState.WRITTEN, Reason.SUPERSEDED,
                    "written; before it was reached, another command was", self._clock(), shown,
                )  # fmt: skip
            shown = await self._look(name, shown)
        took = f" after {time.monotonic() - began:.1f} s" if travel_s else ""
        if _same(profile, shown, command.value):
            detail = f"read back as asked{took if time.monotonic() - began > _LOOK_S[0] else ''}"
            return ended(command, CommandState.VERIFIED, Reason.VERIFIED, detail, self._clock(), shown)
        detail = f"asked for {command.value}, the device shows {shown} {profile.unit}{took}"
        return ended(command, CommandState.MISMATCH, Reason.READ_BACK_DIFFERS, detail, self._clock(), shown)

    async def _look(self, name: str, before: float | str) -> float | str:
        """Read the point anew; what it showed before where the device does not say."""

        async def act(driver: Driver) -> tuple[float | str, int]:
            return await self._present.read(driver, self._judge.point(name))

        try:
            value, quality = await self._sessions[self._judge.point(name).device].ask(act)
        except (FieldError, Rejected):
            return before
        return before if quality >= Quality.BAD else value

    async def _expect(self, driver: Driver, point: BoundPoint, expected: float) -> None:
        value, quality = await self._present.read(driver, point)
        if quality >= Quality.BAD or isinstance(value, str) or math.isnan(value):
            raise Rejected(
                Reason.PRESENT_VALUE_UNKNOWN, "the present value is not known; nothing was written"
            )
        if not _same(point.profile, value, expected):
            raise Rejected(
                Reason.UNEXPECTED_VALUE,
                f"the point shows {value}, not {expected} as expected; nothing was written",
            )

    def _shown(self, admitted: Admitted, back: Back, asked: float | str) -> None:
        left = asked if back is None else _shown(admitted.profile, back)
        self._present.told(admitted.name, None if isinstance(left, str) else left)
        with suppress(Rejected):  # the point has left the configuration meanwhile
            if back is not None:
                self._sink(_reading(self._judge.point(admitted.name), back, self._clock()))


def _shown(profile: PointProfile, back: float | str) -> float | str:
    return back if isinstance(back, str) else engineering(profile, back)


def _same(profile: PointProfile, shown: float | str, asked: float | str) -> bool:
    if isinstance(shown, str) or isinstance(asked, str):
        return shown == asked
    return math.isclose(shown, asked, rel_tol=1e-6, abs_tol=resolution(profile) * 0.501)


def _reading(point: BoundPoint, raw: float | str, time_us: int) -> Readings:
    index = np.array([point.index], np.int32)
    if isinstance(raw, str):
        return Readings.at(index, time_us, np.array([np.nan]), 0, {0: raw})
    return Readings.at(index, time_us, np.array([raw]))
