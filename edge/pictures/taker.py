"""Takes pictures: for the wall in each camera's rhythm, as evidence at alarms, and when the centre asks.

wall     what polling has fetched anyway: the camera is asked for nothing more
alarm    `before`: the newest that polling had; `at`: a fresh one; alarms that come together share them
order    a fresh one, of whoever waits for it
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

import structlog
from msgspec.structs import replace

from edge.buffer.media import MediaShelf
from edge.config.bind import Plan
from edge.pictures.fit import fit
from edge.pictures.places import look
from edge.session import Session
from protocols.errors import ConnectionLost, FieldError, Rejected, StorageError
from protocols.field.base import Driver, Shot
from protocols.model.alarm import AlarmEvent, AlarmTransition
from protocols.model.clock import SECOND_US, Clock
from protocols.model.command import CommandState
from protocols.model.order import TakePicture
from protocols.model.snapshot import MAX_OCCURRENCES, Moment, Snapshot
from protocols.wire.handshake import PicturesStatus

TURN_S: Final = 1.0
APART_S: Final = 5.0
"""Between two turns of evidence of one camera: what is raised meanwhile shares the next picture."""
BEFORE_US: Final = 600 * SECOND_US
"""An older picture says nothing about what was before an alarm."""
MOST_WAITING: Final = 500
"""Alarms of one camera that wait for evidence; in a storm the later ones go without."""


class Pictures:
    """The picture taker of one gateway; `adopt` it to each plan, `watch` the pipeline with `on_steps`."""

    def __init__(self, plan: Plan, sessions: Mapping[str, Session], shelf: MediaShelf, clock: Clock) -> None:
        self.shelf = shelf
        self.kept: Callable[[], None] = lambda: None
        """Is told that a picture waits."""
        self._clock = clock
        self._last_us: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._pending: dict[str, list[str]] = {}
        self._rest: dict[str, float] = {}
        self._raised = asyncio.Event()
        self._why: dict[str, str] = {}
        self._log = structlog.get_logger("edge.pictures")
        self.adopt(plan, sessions)

    def adopt(self, plan: Plan, sessions: Mapping[str, Session]) -> None:
        """Work for another plan."""
        self._sessions = sessions
        asked = plan.loaded.entry.pictures
        self._view = look(plan)
        self._max_bytes = 0 if asked is None else asked.max_bytes
        for memory in (self._last_us, self._due, self._pending, self._rest, self._why):
            for camera in [camera for camera in memory if camera not in self._view.lines]:
                del memory[camera]

    def status(self) -> PicturesStatus | None:
        """Return what waits; None where this gateway takes no pictures."""
        if not self._view.lines:
            return None
        return replace(self.shelf.status(), alarms=self._view.least, near_m=self._view.near_m)

    def on_steps(self, steps: Sequence[AlarmTransition]) -> None:
        """Note alarms that are raised and want evidence; never blocks and never raises."""
        for step in steps:
            raised = step.event is AlarmEvent.ACT and step.number == 1 and not step.overlays
            if not raised or step.rule not in self._view.wanted:
                continue
            for camera in self._view.witnesses.get(step.point.rpartition(".")[0], ()):
                waiting = self._pending.setdefault(camera, [])
                if len(waiting) < MOST_WAITING:
                    waiting.append(step.occurrence)
                    self._raised.set()

    async def run(self) -> NoReturn:
        """Take pictures until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wall(), name="pictures:wall")
            group.create_task(self._evidence(), name="pictures:evidence")
        raise AssertionError("pictures are taken for ever")

    async def obey(self, order: TakePicture, offset_us: int) -> tuple[CommandState, str, str]:
        """Take the picture that the centre asks for; return what became of it, why, and in words."""
        if self._clock() + offset_us >= order.expires_us:
            return CommandState.EXPIRED, "expired", "its time was over"
        if order.camera not in self._view.lines:
            return (
                CommandState.REJECTED,
                "no-camera",
                f"there is no camera {order.camera!r} that gives pictures",
            )
        try:
            shot = await self._shoot(order.camera)
            await self._keep(
                Snapshot(
                    camera=order.camera, taken_us=shot.taken_us, cause="order", data=shot.data, order=order.id
                )
            )
        except Rejected as error:
            return CommandState.FAILED, error.reason, str(error)
        except FieldError as error:
            return CommandState.FAILED, "no-picture", str(error)
        except StorageError as error:
            return CommandState.FAILED, "storage", str(error)
        return CommandState.VERIFIED, "", f"taken, {len(shot.data)} bytes"

    # ---- the wall ----

    async def _wall(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TURN_S)
            if self.shelf.status().waiting:
                await asyncio.to_thread(self.shelf.tend)
            now = loop.time()
            for camera, every_s in list(self._view.every_s.items()):
                if now >= self._due.get(camera, 0.0) and await self._show(camera):
                    self._due[camera] = now + every_s

    async def _show(self, camera: str) -> bool:
        """Keep the newest picture of a camera for the wall; False where there is no newer one."""
        try:
            shot = await self._last(camera)
            if shot is None or shot.taken_us <= self._last_us.get(camera, -1):
                return False
            self._last_us[camera] = shot.taken_us
            await self._keep(Snapshot(camera=camera, taken_us=shot.taken_us, cause="wall", data=shot.data))
        except (FieldError, Rejected, StorageError) as error:
            self._tell(camera, str(error))
            return not isinstance(error, ConnectionLost)
        self._why.pop(camera, None)
        return True

    # ---- evidence ----

    async def _evidence(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        while True:
            await self._raised.wait()
            self._raised.clear()
            while self._pending:
                now = loop.time()
                ready = [camera for camera in self._pending if now >= self._rest.get(camera, 0.0)]
                await asyncio.gather(*(self._witness(camera, self._pending.pop(camera)) for camera in ready))
                for camera in ready:
                    self._rest[camera] = loop.time() + APART_S
                if self._pending:
                    await asyncio.sleep(min(TURN_S, APART_S))

    async def _witness(self, camera: str, occurrences: Sequence[str]) -> None:
        """Take evidence of alarms: what was seen before, and what is seen now."""
        parts = [occurrences[i : i + MAX_OCCURRENCES] for i in range(0, len(occurrences), MAX_OCCURRENCES)]
        try:
            before = await self._last(camera)
            if before is not None and self._clock() - before.taken_us <= BEFORE_US:
                await self._prove(camera, before, "before", parts)
            await self._prove(camera, await self._shoot(camera), "at", parts)
        except (FieldError, Rejected, StorageError) as error:
            self._tell(camera, f"no evidence of {len(occurrences)} alarms: {error}")

    async def _prove(self, camera: str, shot: Shot, moment: Moment, parts: Sequence[Sequence[str]]) -> None:
        for part in parts:
            await self._keep(
                Snapshot(
                    camera=camera,
                    taken_us=shot.taken_us,
                    cause="alarm",
                    moment=moment,
                    occurrences=tuple(part),
                    data=shot.data,
                )
            )

    # ---- a camera ----

    async def _shoot(self, camera: str) -> Shot:
        return await self._session(camera).ask(lambda driver: driver.shoot(camera))

    async def _last(self, camera: str) -> Shot | None:
        async def last(driver: Driver) -> Shot | None:
            return driver.last_shot(camera)

        return await self._session(camera).ask(last)

    def _session(self, camera: str) -> Session:
        session = self._sessions.get(self._view.lines.get(camera, ""))
        if session is None:
            raise Rejected("no-camera", f"camera {camera!r} is no longer there")
        return session

    async def _keep(self, snapshot: Snapshot) -> None:
        data = await asyncio.to_thread(fit, snapshot.data, self._max_bytes)
        if data is not snapshot.data:
            snapshot = replace(snapshot, data=data)
        await asyncio.to_thread(self.shelf.put, snapshot)
        self.kept()

    def _tell(self, camera: str, why: str) -> None:
        if self._why.get(camera) != why:
            self._why[camera] = why
            self._log.warning("no picture", camera=camera, reason=why)
