"""The gateway whole: the only place where its parts meet. One TaskGroup, every task with a name.

sessions → pollers → pipeline (shape, judge, store) → sender → centre
devices  ← sessions ← commands ← receiver ← centre
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import structlog

from edge.audit import Audit
from edge.buffer.sqlite import SqliteBuffer
from edge.commands import Actions, Commands
from edge.config.bind import OWN, OWN_PERIOD_S, Plan, bind
from edge.config.load import load
from edge.config.texts import Texts
from edge.console import serve
from edge.health import DEVICE_POINTS, Process, Pulse, own_points
from edge.house import House
from edge.link.client import CentreClient
from edge.link.credentials import Token
from edge.link.receiver import Receiver
from edge.link.road import Road
from edge.link.sender import Sender
from edge.link.trust import Trust
from edge.pipeline import Pipeline
from edge.poller import Poller
from edge.session import Session
from protocols.errors import ConfigError, Mistake, Rejected, StorageError
from protocols.field.base import ReadTask
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import Command, CommandState
from protocols.model.order import AlarmAct, Order
from protocols.model.reading import Readings

_THREADS: Final = 2
_ENROLMENT_LOOK_S: Final = 2.0


def open_plan(path: Path, texts: Texts | None = None) -> Plan:
    """Read and bind a gateway file, or `texts` as if they lay there. Raises ConfigError with its mistakes."""
    loaded = load(path, DEVICE_POINTS, texts)
    keys = [connection.key for connection in loaded.entry.connections]
    return bind(loaded, DEVICE_POINTS, own_points(keys))


def read_tasks(plan: Plan) -> dict[str, tuple[ReadTask, ...]]:
    """Return what each connection's driver will poll. Raises ConfigError for addresses it cannot read."""
    tasks: dict[str, tuple[ReadTask, ...]] = {}
    mistakes: list[Mistake] = []
    for connection in plan.connections:
        try:
            tasks[connection.key] = connection.driver(connection.settings, connection.devices).plan()
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return tasks


class Gateway:
    """One running gateway. `run` returns after SIGTERM, SIGINT or `stop`, with everything written."""

    def __init__(self, plan: Plan, clock: Clock = now_us) -> None:
        self._declared = plan.declared
        plan = replace(plan, declared=b"")
        buffer = SqliteBuffer(plan.loaded.state_dir, clock)
        self._quarantined = buffer.quarantined
        pipeline = Pipeline(plan, buffer, clock, self._stored)
        sessions = {
            connection.key: Session(connection, pipeline.put, clock) for connection in plan.connections
        }
        audit = Audit(plan.loaded.state_dir, clock)
        commands = Commands(
            plan,
            pipeline.shaper,
            sessions,
            buffer,
            sink=pipeline.put,
            audit=audit,
            clock=clock,
            stored=self._stored,
        )
        self.house = House(
            plan=plan,
            clock=clock,
            buffer=buffer,
            pipeline=pipeline,
            audit=audit,
            commands=commands,
            actions=Actions(plan, commands, self._last_us, clock=clock),
            sessions=sessions,
            pollers={key: Poller(session, plan.periods, clock) for key, session in sessions.items()},
            road=Road("up"),
        )
        pipeline.watch(self.house.actions.points, self.house.actions.on_steps)
        self._process = Process()
        self._asides = len(buffer.asides())
        self._received = 0
        self._devices = [device for connection in plan.connections for device in connection.devices]
        self._pulse = Pulse(_members(plan), len(self._devices))
        self._stop: asyncio.Event | None = None
        self._stopped = False
        self._log = structlog.get_logger("edge.app")

    def stop(self) -> None:
        """Ask the gateway to end; `run` returns when everything is written."""
        self._stopped = True
        if self._stop is not None:
            self._stop.set()

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
                tasks = [group.create_task(work, name=name) for name, work in self._parts()]
                await self._stop.wait()
                self._log.info("stopping")
                for task in tasks:
                    task.cancel()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            await self.house.pipeline.finish()
            self.house.buffer.close()
        self._log.info("stopped", waiting_for_storage=self.house.pipeline.storage_error or "nothing")

    async def _prepare(self) -> None:
        plan = self.house.plan
        if self._quarantined:
            self._log.error("buffer was damaged; a new one is begun", kept_as=str(self._quarantined))
        await asyncio.to_thread(self.house.buffer.remember, plan.declaration, self._declared)
        self._declared = b""  # the log has it now: megabytes, for many points
        await self.house.commands.recover()
        self.house.actions.resume(self.house.pipeline.alarm_views())
        # What is alive now lives as long as the process: no collection needs to look at it again.
        gc.collect()
        gc.freeze()
        self._log.info(
            "gateway starts",
            gateway=plan.gateway,
            devices=len(self._devices),
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
        ]
        parts += [
            (f"session:{key}", session.run(self.house.pollers[key].work))
            for key, session in self.house.sessions.items()
        ]
        if self.house.plan.loaded.entry.centre is not None:
            parts.append(("link", self._link(self.house.plan.loaded.entry.centre.url)))
        else:
            self._log.info("no centre is configured; readings are kept here")
        return parts

    async def _link(self, url: str) -> None:
        """Wait until the gateway is enrolled, then send and receive for ever."""
        loaded = self.house.plan.loaded
        entry = loaded.entry.centre
        assert entry is not None  # noqa: S101 - the caller has its url
        trust = Trust(loaded.ca_file, entry.pin, self.house.clock)
        token = Token(loaded.state_dir, self.house.plan.gateway, self.house.clock)
        told = ""
        while True:
            try:
                if token() is not None:
                    break
                reason = f"not enrolled; run: citynerve-edge enrol {loaded.file} CODE"
            except Rejected as error:
                reason = str(error)
            if reason != told:
                self._log.warning("link waits for credentials", reason=reason)
                told = reason
            await asyncio.sleep(_ENROLMENT_LOOK_S)
        async with CentreClient(url, trust, token, self.house.clock) as centre:
            self.house.sender = Sender(
                self.house.buffer, centre, self.house.road, self.house.plan.declaration
            )
            self.house.receiver = Receiver(
                centre,
                Road("down"),
                await asyncio.to_thread(self.house.buffer.inbox_cursor),
                begin=self.house.commands.begin,
                execute=self._carry_out,
                clock=self.house.clock,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(self.house.sender.run(), name="sender")
                group.create_task(self.house.receiver.run(), name="receiver")

    async def _carry_out(self, order: Order, offset_us: int) -> None:
        """Hand an order of the centre to the part that knows it."""
        match order:
            case Command():
                await self.house.commands.execute(order, offset_us)
            case AlarmAct():
                await self._act(order, offset_us)
            case _:
                await self.house.commands.refuse(
                    order.id, "not-supported", "this gateway does not know such orders"
                )

    async def _act(self, act: AlarmAct, offset_us: int) -> None:
        """Do what a person at the centre asks of an alarm, and answer when it is on the disk."""
        if act.until_us is not None:
            act = msgspec.structs.replace(act, until_us=act.until_us - offset_us)
        commands, pipeline = self.house.commands, self.house.pipeline
        try:
            steps = pipeline.act(act)
        except Rejected as error:
            await commands.refuse(act.id, error.reason, str(error))
            return
        await pipeline.settled()
        reason = "done" if steps else "no-change"
        await commands.answer(act.id, CommandState.VERIFIED, reason, f"{len(steps)} steps")

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
        now, pipeline = self.house.clock(), self.house.pipeline
        depth = await asyncio.to_thread(self.house.buffer.depth)
        size = await asyncio.to_thread(self.house.buffer.size_bytes)
        heard, tried = self._pulse.look(pipeline.shaper.latest_us, pipeline.shaper.latest_quality)
        cpu, rss, uptime = self._process.look()
        oldest = min((d.oldest_us for d in depth.values() if d.oldest_us is not None), default=now)
        received, self._received = pipeline.received - self._received, pipeline.received
        figures = {
            "cpu": cpu,
            "rss": rss,
            "uptime": uptime,
            "readings-rate": received / OWN_PERIOD_S,
            "buffer-batches": sum(d.batches for d in depth.values()),
            "buffer-readings": depth["readings"].rows,
            "buffer-size": size / 1e6,
            "lag": max(now - oldest, 0) / SECOND_US,
            "dropped": pipeline.dropped,
            "set-aside": self._asides + (self.house.sender.set_aside if self.house.sender else 0),
            "overruns": sum(poller.overruns for poller in self.house.pollers.values()),
            "alarms-open": pipeline.alarms_open,
            "alarms-chattering": pipeline.alarm_rates.chatterers(now),
            "alarm-flood": pipeline.alarm_rates.flood_since_us is not None,
            "devices-offline": int((tried & ~heard).sum()),
            "uplink": self.house.road.state == "up",
        }
        if self.house.receiver and self.house.receiver.offset_us is not None:
            figures["clock-offset"] = self.house.receiver.offset_us / 1000
        for key, session in self.house.sessions.items():
            figures[f"line-{key}"] = session.state == "online"
        values = {f"{OWN}.{key}": float(value) for key, value in figures.items()}
        values |= self.house.commands.figures()
        for i in np.flatnonzero(tried).tolist():
            values[f"{self._devices[i].key}._online"] = float(heard[i])
        for session in self.house.sessions.values():
            for device, milliseconds in session.latency_ms.items():
                values[f"{device}._latency"] = milliseconds
        point = np.array([self.house.plan.indexes[name] for name in values], np.int32)
        return Readings.at(point, now, np.array(list(values.values())))


def _members(plan: Plan) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return for each point the position of its device among those that are read; -1 for health."""
    member = np.full(len(plan.points), -1, np.int32)
    devices = [device for connection in plan.connections for device in connection.devices]
    for i, device in enumerate(devices):
        member[[point.index for point in device.points]] = i
    return member


async def run_gateway(path: Path) -> None:
    """Run the gateway that a file describes, until a signal ends it."""
    await _checked(path).run()


def _checked(path: Path) -> Gateway:
    plan = open_plan(path)
    read_tasks(plan)
    return Gateway(plan)
