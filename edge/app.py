"""The gateway whole: the only place where its parts meet. One TaskGroup, every task with a name.

sessions → pollers → pipeline (shape, judge, store) → sender → centre
devices  ← sessions ← commands ← receiver ← centre
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from edge.adoption import Adopter
from edge.audit import Audit
from edge.buffer.media import MediaShelf
from edge.buffer.sqlite import SqliteBuffer
from edge.commands import Actions, Commands
from edge.config.bind import OWN_PERIOD_S, Plan
from edge.config.change import Inlet
from edge.config.picturing import PicturesEntry
from edge.console import serve
from edge.health import hold_little
from edge.house import House
from edge.house.changing import Changer
from edge.house.vitals import Vitals
from edge.link.road import Road
from edge.notebook import Notebook
from edge.opening import opened
from edge.pictures import Pictures
from edge.pipeline import Pipeline
from edge.poller import Poller
from edge.session import Session
from edge.timekeeping import Timekeeper, disciplined, uptime_us
from edge.updates.shelf import RESTART, Shelf
from edge.updates.updater import Updater
from edge.uplink import Uplink
from edge.versions import Settings
from edge.versions.probation import Seen
from edge.versions.start import begin
from protocols.errors import StorageError
from protocols.model.clock import Clock, now_us
from protocols.model.command import CommandState
from protocols.model.order import Rotate, TakePicture
from protocols.model.reading import Readings

_THREADS: Final = 2


class Gateway:
    """One running gateway. `run` returns after SIGTERM, SIGINT or `stop`, with everything written.

    wall and uptime are the clocks of its system, and whether NTP keeps the first; its own time is its
    timekeeper's.
    """

    def __init__(
        self,
        file: Path,
        wall: Clock = now_us,
        uptime: Clock = uptime_us,
        kept: Callable[[], bool] = disciplined,
    ) -> None:
        beginning = begin(file, opened, wall)
        self._declared = beginning.plan.declared
        beginning.plan = plan = replace(beginning.plan, declared=b"")
        loaded = plan.loaded
        timekeeper = Timekeeper(loaded.state_dir, wall=wall, uptime=uptime, disciplined=kept)
        clock = timekeeper.now_us
        buffer = SqliteBuffer(loaded.state_dir, clock, loaded.entry.storage, stamp=timekeeper.stamp)
        self._quarantined = buffer.quarantined
        pipeline = Pipeline(plan, buffer, clock, self._stored, timekeeper.stamp)
        timekeeper.on_step = pipeline.stepped
        adopter = Adopter(loaded.state_dir, clock)
        adopter.follow(plan)
        sessions = {
            connection.key: Session(
                connection,
                pipeline.put,
                clock,
                Notebook(loaded.state_dir, connection.key),
                adopter.welcome,
            )
            for connection in plan.connections
        }
        audit = Audit(plan.loaded.state_dir, clock)
        inlet = Inlet(pipeline.put)
        commands = Commands(
            plan,
            pipeline.shaper,
            sessions,
            buffer,
            sink=inlet,
            audit=audit,
            clock=clock,
            stored=self._stored,
        )
        self.house = House(
            plan=plan,
            clock=clock,
            timekeeper=timekeeper,
            buffer=buffer,
            pipeline=pipeline,
            audit=audit,
            commands=commands,
            actions=Actions(plan, commands, self._last_us, clock=clock),
            settings=Settings(beginning, self, opened, clock),
            sessions=sessions,
            pollers={key: Poller(session, plan.periods, clock) for key, session in sessions.items()},
            road=Road("up"),
            pictures=Pictures(plan, sessions, _shelf(plan, clock), clock),
            adopter=adopter,
        )
        pipeline.watch(self.house.actions.points, self.house.actions.on_steps)
        pipeline.watch((), self.house.pictures.on_steps)
        self._vitals = Vitals(self.house)
        self._changer = Changer(self.house, inlet, self._start)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._updater = Updater(file, Shelf(loaded.state_dir), self, lambda: self.plan.loaded.entry.updates)
        self._uplink = Uplink(self.house, self._updater)
        self.again = False
        """Whether this gateway ends to be started again, see `edge.updates`."""
        self._stop: asyncio.Event | None = None
        self._stopped = False
        self._log = structlog.get_logger("edge.app")

    def stop(self) -> None:
        """Ask the gateway to end; `run` returns when everything is written."""
        self._stopped = True
        if self._stop is not None:
            self._stop.set()

    def restart(self) -> None:
        """Ask the gateway to end, and whoever started it to start it again."""
        self.again = True
        self.stop()

    async def run(self) -> None:
        """Run until told to stop. Raises an ExceptionGroup where a part failed that must not."""
        self._stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # The log lets one thread in at a time; more of them would only hold memory.
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, "edge"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if self._stopped:
            self._stop.set()
        try:
            await self._prepare()
            async with asyncio.TaskGroup() as group:
                self._group = group
                for name, work in self._parts():
                    self._start(name, work)
                await self._stop.wait()
                self._log.info("stopping")
                await asyncio.to_thread(self.house.settings.ended)
                for task in self._tasks.values():
                    task.cancel()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            await self.house.pipeline.finish()
            self.house.buffer.close()
            self.house.timekeeper.save()
        self._log.info("stopped", waiting_for_storage=self.house.pipeline.storage_error or "nothing")

    async def _prepare(self) -> None:
        plan = self.house.plan
        if self._quarantined:
            self._log.error("buffer was damaged; a new one is begun", kept_as=str(self._quarantined))
        await asyncio.to_thread(self.house.buffer.remember, plan.declaration, self._declared)
        self._declared = b""  # the log has it now: megabytes, for many points
        await self.house.commands.recover()
        interrupted = await asyncio.to_thread(self.house.buffer.interrupted)
        await self.house.settings.recover(interrupted)
        await self._updater.recover(interrupted)
        for order in interrupted:
            if isinstance(order, TakePicture):
                detail = "the gateway stopped meanwhile; ask for the picture again"
                await self.answer(order.id, CommandState.FAILED, "interrupted", detail)
            if isinstance(order, Rotate):
                detail = "the gateway stopped meanwhile; the token that is kept opens the door"
                await self.answer(order.id, CommandState.FAILED, "interrupted", detail)
        self.house.actions.resume(self.house.pipeline.alarm_views())
        # What is alive now lives as long as the process: no collection needs to look at it again.
        gc.collect()
        gc.freeze()
        self._log.info(
            "gateway starts",
            gateway=plan.gateway,
            devices=len(plan.loaded.entry.devices),
            points=len(plan.points),
            rules=len(plan.rules),
            declaration=plan.declaration,
        )

    def _parts(self) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        parts: list[tuple[str, Coroutine[Any, Any, None]]] = [
            ("pipeline", self.house.pipeline.run()),
            ("commands", self.house.commands.run()),
            ("actions", self.house.actions.run()),
            ("health", self._tell_health()),
            ("page", serve(self.house)),
            ("pictures", self.house.pictures.run()),
            ("settings", self.house.settings.run()),
            ("adopter", self.house.adopter.run(self.house.settings, self)),
            ("link", self._uplink.run()),
            ("updates", self._updater.run()),
        ]
        parts += [
            (f"session:{key}", session.run(self.house.pollers[key].work))
            for key, session in self.house.sessions.items()
        ]
        return parts

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin a part; one that fails ends the gateway, which is then started again from outside."""
        if self._group is None:
            raise AssertionError("parts begin while the gateway runs")
        task = self._tasks[name] = self._group.create_task(work, name=name)
        task.add_done_callback(
            lambda ended: self._tasks.pop(name) if self._tasks.get(name) is ended else None
        )

    # ---- another configuration, see edge.versions.settings.Host ----

    @property
    def plan(self) -> Plan:
        """The plan that runs."""
        return self.house.plan

    async def change(self, plan: Plan) -> None:
        """Run another plan: what is the same in it goes on untouched. Raises StorageError beforehand."""
        change = await self._changer.change(plan)
        self._uplink.listen()
        if change.link:
            self._start("relink", self._relink())

    async def _relink(self) -> None:
        """End the link to the centre that was, and begin the one to the centre that is."""
        link = self._tasks.get("link")
        if link is not None:
            link.cancel()
            await asyncio.wait([link])
        self.house.road, self.house.sender, self.house.receiver = Road("up"), None, None
        self._answers = 0
        self._start("link", self._uplink.run())

    def seen(self) -> Seen:
        """Return which devices are well, and whether the centre has answered since the last change."""
        return Seen(self._vitals.well(), uplink=self._uplink.answered)

    async def answer(self, order: str, state: CommandState, reason: str, detail: str) -> None:
        """Tell the centre what became of its order."""
        await self.house.commands.answer(order, state, reason, detail)

    async def note(self, actor: str, what: str, subject: str, detail: str) -> None:
        """Write a deed into the audit trail; one that the disk does not take is logged."""
        try:
            await asyncio.to_thread(self.house.audit.note, actor, what, subject, detail)
        except StorageError as error:
            self._log.error("a deed is not in the audit trail", what=what, by=actor, reason=str(error))

    def _last_us(self, name: str) -> int:
        """Return the source time of the last reading of `device.point`."""
        return int(self.house.pipeline.shaper.latest_us[self.house.plan.indexes[name]])

    def _stored(self) -> None:
        if self.house.sender is not None:
            self.house.sender.wake()

    async def _tell_health(self) -> None:
        while True:
            await asyncio.sleep(OWN_PERIOD_S)
            try:
                self.house.pipeline.put(await self.health())
            except StorageError as error:
                self._log.error("health cannot be read from the buffer", reason=str(error))

    async def health(self) -> Readings:
        """Measure the gateway and each device; columns like any driver's."""
        return await self._vitals.measure()


def _shelf(plan: Plan, clock: Clock) -> MediaShelf:
    entry = plan.loaded.entry
    keep = PicturesEntry() if entry.pictures is None else entry.pictures
    return MediaShelf(
        plan.loaded.state_dir,
        clock,
        keep_bytes=keep.keep_bytes,
        reserve=entry.storage.min_free_bytes,
    )


async def run_gateway(file: Path) -> None:
    """Run the gateway that a file describes, until a signal ends it. SystemExit(75): start it again."""
    hold_little()
    gateway = Gateway(file)
    await gateway.run()
    if gateway.again:
        raise SystemExit(RESTART)
