"""A command at the gateway: judged, written once, read back, told.

    known? → in time? → first time? → writable, in limits? → present value as expected? → write → read back

Every way out is an outcome with a stable reason; nothing is written twice, also after a restart.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import structlog

from edge.buffer.base import Buffer
from edge.config.bind import Plan
from edge.session import Session
from edge.shaping import Shaper, engineering, resolution, unshape
from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout, FieldError, Rejected, StorageError
from protocols.field.base import BoundPoint, Driver, Sink
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import Command, CommandOutcome, CommandState
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from protocols.wire.handshake import InboxItem

_STORAGE_RETRY_S: Final = 1.0
_FRESH_PERIODS: Final = 3


class Commands:
    """Carries out commands on the sessions of a gateway; `connections` maps a device to its session."""

    def __init__(
        self,
        plan: Plan,
        shaper: Shaper,
        sessions: Mapping[str, Session],
        buffer: Buffer,
        *,
        sink: Sink,
        clock: Clock = now_us,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._shaper = shaper
        self._sessions = {
            device.key: sessions[connection.key]
            for connection in plan.connections
            for device in connection.devices
        }
        self._buffer = buffer
        self._sink = sink
        self._clock = clock
        self._stored = stored
        self._log = structlog.get_logger("edge.commands")

    async def recover(self) -> None:
        """Report commands that were being carried out when the process ended: nobody knows."""
        for order in await asyncio.to_thread(self._buffer.interrupted):
            if not isinstance(order, Command):
                continue
            await self._finish(
                self._outcome(
                    order.id,
                    CommandState.UNKNOWN,
                    "interrupted",
                    "the gateway stopped while it carried this out; read the point to see",
                )
            )

    async def begin(self, item: InboxItem) -> bool:
        """Record that an order starts now; False where it started before, and must not be repeated."""
        while True:
            try:
                return await asyncio.to_thread(self._buffer.begin, item.order, item.number)
            except StorageError as error:
                # Without the record a restart would carry it out again: so nothing is carried out.
                self._log.error("order waits for storage", order=item.order.id, reason=str(error))
                await asyncio.sleep(_STORAGE_RETRY_S)

    async def execute(self, command: Command, offset_us: int = 0) -> CommandOutcome:
        """Carry out a begun command and store its outcome. `offset_us` is centre's clock minus ours."""
        try:
            outcome = await self._decide(command, offset_us)
        except Rejected as error:
            state = CommandState.EXPIRED if error.reason == "expired" else CommandState.REJECTED
            outcome = self._outcome(command.id, state, error.reason, str(error))
        except Exception as error:
            self._log.error("driver failed; report this with the traceback", exc_info=error)
            detail = f"the driver failed: {error!r}; read the point to see"
            outcome = self._outcome(command.id, CommandState.UNKNOWN, "driver-failed", detail)
        await self._finish(outcome)
        self._log.info(
            "command",
            command=command.id,
            point=command.point,
            value=command.value,
            state=outcome.state.value,
            reason=outcome.reason,
            by=command.issued_by,
        )
        return outcome

    async def refuse(self, order: str, reason: str, detail: str) -> None:
        """Answer an order that has begun and is not carried out."""
        await self._finish(self._outcome(order, CommandState.REJECTED, reason, detail))

    async def _decide(self, command: Command, offset_us: int) -> CommandOutcome:
        point = self._point(command.point)
        self._in_time(command, offset_us)
        raw = unshape(point.profile, command.value)
        written = False

        async def act(driver: Driver) -> float | str | None:
            nonlocal written
            self._in_time(command, offset_us)
            if command.expected is not None:
                await self._expect(driver, point, command.expected)
            written = True
            return await driver.write(session.own(point), raw)

        session = self._sessions[point.device]
        try:
            back = await session.ask(act)
        except DeviceRefused as error:
            return self._outcome(command.id, CommandState.FAILED, "device-refused", str(error))
        except DeviceTimeout as error:
            return self._outcome(command.id, CommandState.UNKNOWN, "no-answer", str(error))
        except ConnectionLost as error:
            if written:
                return self._outcome(command.id, CommandState.UNKNOWN, "connection-lost", str(error))
            return self._outcome(command.id, CommandState.FAILED, "no-connection", str(error))
        except FieldError as error:
            return self._outcome(command.id, CommandState.UNKNOWN, "bad-answer", str(error))
        return self._compared(command, point, back)

    def _compared(self, command: Command, point: BoundPoint, back: float | str | None) -> CommandOutcome:
        if back is None:
            return self._outcome(
                command.id,
                CommandState.WRITTEN,
                "not-readable",
                "the device confirmed; it cannot be read back",
            )
        profile, asked = point.profile, command.value
        self._sink(_reading(point, back, self._clock()))
        shown = back if isinstance(back, str) else engineering(profile, back)
        if isinstance(shown, str) or isinstance(asked, str):
            same = shown == asked
        else:
            same = math.isclose(shown, asked, rel_tol=1e-6, abs_tol=resolution(profile) * 0.501)
        if same:
            return self._outcome(command.id, CommandState.VERIFIED, "verified", "read back as asked", shown)
        detail = f"asked for {asked}, the device shows {shown} {profile.unit}"
        return self._outcome(command.id, CommandState.MISMATCH, "read-back-differs", detail, shown)

    def _point(self, name: str) -> BoundPoint:
        local = name.removeprefix(f"{self._plan.gateway}.")
        index = self._plan.indexes.get(local)
        if index is None:
            raise Rejected("unknown-point", f"this gateway has no point {name!r}")
        point = self._plan.points[index]
        if point.device not in self._sessions:
            raise Rejected("not-writable", f"{name!r} is the gateway's own point and cannot be written")
        return point

    def _in_time(self, command: Command, offset_us: int) -> None:
        late_us = self._clock() + offset_us - command.expires_us
        if late_us >= 0:
            raise Rejected(
                "expired", f"its time ran out {late_us / SECOND_US:.1f} s ago; nothing was written"
            )

    async def _expect(self, driver: Driver, point: BoundPoint, expected: float) -> None:
        value, quality = await self._present(driver, point)
        if quality >= Quality.BAD or math.isnan(value):
            raise Rejected("present-value-unknown", "the present value is not known; nothing was written")
        if not math.isclose(value, expected, rel_tol=1e-6, abs_tol=resolution(point.profile) * 0.501):
            raise Rejected(
                "unexpected-value",
                f"the point shows {value}, not {expected} as expected; nothing was written",
            )

    async def _present(self, driver: Driver, point: BoundPoint) -> tuple[float, int]:
        """Return the value now: read where the driver polls, else the last one if it is fresh."""
        number = self._sessions[point.device].own(point).index
        for task in driver.plan():
            rows = np.flatnonzero(task.points == number)
            if task.device == point.device and len(rows):
                readings = (await driver.read(task)).take(rows)
                value = float(readings.value[0])
                return engineering(point.profile, value), int(readings.quality[0])
        shaper, i = self._shaper, point.index
        fresh_us = _FRESH_PERIODS * self._plan.periods[point.profile.period] * SECOND_US
        if self._clock() - int(shaper.latest_us[i]) > max(fresh_us, 60 * SECOND_US):
            return math.nan, Quality.BAD_NO_COMMUNICATION
        return float(shaper.latest_value[i]), int(shaper.latest_quality[i])

    async def _finish(self, outcome: CommandOutcome) -> None:
        while True:
            try:
                await asyncio.to_thread(self._buffer.finish, outcome, self._plan.declaration, self._clock())
            except StorageError as error:
                self._log.error("outcome waits for storage", command=outcome.command, reason=str(error))
                await asyncio.sleep(_STORAGE_RETRY_S)
            else:
                self._stored()
                return

    def _outcome(
        self,
        command: str,
        state: CommandState,
        reason: str,
        detail: str,
        read_back: float | str | None = None,
    ) -> CommandOutcome:
        return CommandOutcome(
            command=command,
            state=state,
            reason=reason,
            detail=detail,
            finished_us=self._clock(),
            read_back=read_back,
        )


def _reading(point: BoundPoint, raw: float | str, time_us: int) -> Readings:
    index = np.array([point.index], np.int32)
    if isinstance(raw, str):
        return Readings.at(index, time_us, np.array([np.nan]), 0, {0: raw})
    return Readings.at(index, time_us, np.array([raw]))
