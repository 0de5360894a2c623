"""One connection being run: its driver's life, what waits for the line, and the breaker of each device.

A lost connection closes the driver; a new one is opened after a growing pause. Whatever the driver
returned or raised is logged here, once, when it changes.

When the configuration changes, a session that is kept goes on with its driver and renumbers what it
reads; one that is not closes it between two requests and opens the next at once.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar

import numpy as np
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from edge.config.bind import BoundConnection
from edge.config.change import Inlet
from protocols.errors import ConnectionLost
from protocols.field.base import (
    BoundDevice,
    BoundPoint,
    Driver,
    Forgetful,
    Notes,
    ReadTask,
    Sink,
    Welcome,
    turn_away,
)
from protocols.model.clock import Clock, now_us
from protocols.model.quality import Quality, quality_name
from protocols.model.reading import PointIndexes, Readings

Result = TypeVar("Result")
Work = Callable[[Driver, tuple[ReadTask, ...]], Coroutine[Any, Any, None]]
LinkState = Literal["connecting", "online", "offline"]

PAUSES_S: Final = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""How long a dead device is left in peace, time after time (field_protocols.md section 1.5)."""
FAILED_CYCLES: Final = 3
_STEADY_S: Final = 30.0
"""A connection that lived this long was a good one: the next pause is the shortest again."""
_MAX_PAUSE_S: Final = 30.0
_MAX_WAITING: Final = 256
_GONE: Final = Quality.BAD_NO_COMMUNICATION
_TURN_S: Final = 15.0
"""A request under way may take so long until its line is closed for another configuration."""
_WORDS: Final[dict[int, str]] = {
    Quality.BAD_TIMEOUT: "it does not answer in time; check its power, its cable and its address",
    Quality.BAD_NO_COMMUNICATION: "nobody at the other end reaches it; check its cable and its address",
    Quality.BAD_COMMUNICATION_ERROR: "its answers are damaged or belong to another question; check the line",
    Quality.BAD_DECODING_ERROR: "its answers cannot be read as the profile says; check the profile",
    Quality.BAD_USER_ACCESS_DENIED: "it refuses the account; check name and password",
    Quality.BAD_NODE_ID_UNKNOWN: "it does not know the address; check the profile against its manual",
    Quality.BAD_OUT_OF_RANGE: "it does not have the address that was asked for; check the profile",
    Quality.BAD_NOT_SUPPORTED: "it does not know the function that was asked for; check the profile",
    Quality.BAD_CONFIGURATION_ERROR: "it has not what the profile names; check the profile",
    Quality.BAD_DEVICE_FAILURE: "it reports a failure of its own; look at the device",
    Quality.BAD_OUT_OF_SERVICE: "it is out of service",
}


class Turned(Exception):
    """Another configuration has taken over: the driver is to be closed, though nothing is wrong."""


class Breaker:
    """Spares a line the wait for a device that does not answer. Times are monotonic seconds.

    closed → (failed cycles) → open, with growing pauses; after each pause one cheap probe is let through.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self.failures = 0
        self.open = False
        self._jitter = jitter
        self._skip_until = 0.0
        self._open_until = 0.0
        self._pauses = 0

    def allows(self, now: float, probe: bool) -> bool:
        """Return whether a task may go out now; `probe` says that it is the device's cheapest."""
        if self.open:
            return probe and now >= self._open_until
        return now >= self._skip_until

    def retry_in_s(self, now: float) -> float:
        """Return the seconds until an open breaker lets the next probe through."""
        return max(self._open_until - now, 0.0) if self.open else 0.0

    def succeeded(self) -> bool:
        """Note an answer; return whether the breaker was open until now."""
        was_open, self.open = self.open, False
        self.failures, self._pauses, self._skip_until = 0, 0, 0.0
        return was_open

    def failed(self, now: float, cycle_s: float) -> bool:
        """Note a silent cycle, whose other tasks are skipped; return whether the breaker opens by it."""
        self.failures += 1
        self._skip_until = now + cycle_s * 0.9
        opens = not self.open and self.failures >= FAILED_CYCLES
        if self.open or opens:
            pause = PAUSES_S[min(self._pauses, len(PAUSES_S) - 1)]
            self._open_until = now + pause * (0.9 + 0.2 * self._jitter())
            self._pauses += 1
            self.open = True
        return opens


class _Request:
    """Something that waits for the line."""

    def __init__(self, act: Callable[[Driver], Awaitable[object]]) -> None:
        self.act = act
        self.answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Session:
    """A connection from the outside: `run` keeps it alive, `ask` takes the line between two reads."""

    def __init__(
        self,
        connection: BoundConnection,
        sink: Sink,
        clock: Clock = now_us,
        notes: Notes | None = None,
        welcome: Welcome = turn_away,
    ) -> None:
        """`notes` keep over restarts what the driver learns of its devices; `welcome` judges newcomers."""
        self.key = connection.key
        self.connection = connection
        self.state: LinkState = "connecting"
        self.reason = "not opened yet"
        self.losses = 0
        self.breakers = {device.key: Breaker() for device in connection.devices}
        self.latency_ms: dict[str, float] = {}
        """Device → smoothed time of a read, in milliseconds; only for devices that are polled."""
        self.answered_us: dict[str, int] = {}
        """Device → when it last answered a read, UTC; only for devices that are polled."""
        self.put = Inlet(sink)
        """Takes what the driver reads, in the driver's own numbers of the points."""
        self.notes: Notes = notes or Forgetful()
        self._welcome = welcome
        self._joining: list[BoundDevice] = []
        """Devices that the open driver does not know yet, with the numbers of their points for it."""
        self._faults: dict[str, int] = {}
        self._driver: Driver | None = None
        self._remarks: tuple[str, ...] = ()
        self._clock = clock
        self._waiting: deque[_Request] = deque()
        self._wake = asyncio.Event()
        self._living: asyncio.Task[None] | None = None
        self._hurry: asyncio.TimerHandle | None = None
        self._turning = False
        self._leaving = False
        self._log = structlog.get_logger("edge.session").bind(
            connection=connection.key, protocol=connection.driver.protocol
        )

    async def run(self, work: Work) -> None:
        """Keep the connection open until `leave`; `work` drives it while it is, and must never return."""
        while not self._leaving:
            self._turning = False
            self._living = asyncio.create_task(self._keep(work), name=f"line:{self.key}")
            try:
                await self._living
            except Turned as turned:
                # What it drags along holds the old driver in a circle, which nobody would ever look for.
                turned.__context__ = turned.__traceback__ = None
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not self._turning or (task is not None and task.cancelling()):
                    self._fail_waiting(ConnectionLost(f"{self.key}: the gateway stops", _GONE))
                    raise
        self._fail_waiting(ConnectionLost(f"{self.key}: the configuration has no such line any more", _GONE))

    def adopt(self, connection: BoundConnection, table: PointIndexes, devices: Collection[str]) -> None:
        """Work for another plan without reopening: its points have other numbers, see `Inlet.renumber`.

        `devices` are those that are the same as before; what is known of the others is forgotten. Devices
        that are new on this line join the open driver.
        """
        known_keys = {device.key for device in self.connection.devices}
        joining = [device for device in connection.devices if device.key not in known_keys]
        self.connection = connection
        number = self.put.renumber(table, [point.index for one in joining for point in one.points])
        for device in joining:
            points = tuple(replace(point, index=number + i) for i, point in enumerate(device.points))
            number += len(points)
            self._joining.append(replace(device, points=points))
        self._wake.set()
        known, self.breakers = self.breakers, {}
        for device in connection.devices:
            kept = device.key in devices and device.key in known
            self.breakers[device.key] = known[device.key] if kept else Breaker()
        for memory in (self.latency_ms, self.answered_us, self._faults):
            for key in [key for key in memory if key not in devices or key not in self.breakers]:
                del memory[key]

    def turn(self) -> None:
        """Close the driver after the request under way, and open one for the present connection at once."""
        self._turning = True
        self._wake.set()
        living = self._living
        if living is None:
            return
        if self.state == "online":
            self._hurry = asyncio.get_running_loop().call_later(_TURN_S, living.cancel)
        else:
            living.cancel()

    @property
    def turning(self) -> bool:
        """Whether the open driver is about to be closed; its devices may be others than the plan's."""
        return self._turning

    def leave(self) -> None:
        """Close the driver after the request under way, for good: `run` then returns."""
        self._leaving = True
        self.turn()

    def own(self, point: BoundPoint) -> BoundPoint:
        """Return a point of the present plan as the open driver knows it: what `Driver.write` is given.

        Raises ConnectionLost where the driver does not have it yet.
        """
        index = self.put.before(point.index)
        if index is None:
            raise ConnectionLost(
                f"{self.key}: is being opened for a new configuration; nothing was sent", _GONE
            )
        return point if index == point.index else replace(point, index=index)

    def last_error(self, device: str) -> tuple[str, str] | None:
        """Return (code, words) of what is wrong with a device now; None where nothing is known to be.

        The code is `no-connection` where its whole line is down, else the name of the quality that its
        last answer had, such as `BadTimeout`.
        """
        if self.state != "online":
            return "no-connection", self.reason
        quality = self._faults.get(device)
        if quality is None:
            return None
        return quality_name(quality), _WORDS.get(quality & 0xFFFF_0000, "its answers are bad")

    def remarks(self) -> tuple[str, ...]:
        """Return what the driver has to say of the open line, in sentences; log it where that is new."""
        told = () if self._driver is None else self._driver.remarks()
        for sentence in told:
            if sentence not in self._remarks:
                self._log.warning("the line works, with a remark", remark=sentence)
        self._remarks = told
        return told

    def heard(self, device: str, quality: int) -> None:
        """Note what a device answered to a read: the quality of the first reading of it, 0 for good."""
        if quality < Quality.BAD:
            self.answered_us[device] = self._clock()
            self._faults.pop(device, None)
        else:
            self._faults[device] = quality

    async def _keep(self, work: Work) -> None:
        while True:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(ConnectionLost),
                wait=wait_exponential_jitter(initial=1, max=_MAX_PAUSE_S, jitter=1),
                before_sleep=self._lost,
            ):
                with attempt:
                    await self._live(work)

    async def ask(self, act: Callable[[Driver], Awaitable[Result]]) -> Result:
        """Run `act` on the driver before the next read.

        Raises what `act` raises, and ConnectionLost at once where the line is down: then nothing was
        done. Past 256 that wait, a further one is refused the same way.
        """
        if self.state != "online":
            raise ConnectionLost(f"{self.key}: {self.reason}; nothing was sent", Quality.BAD_NO_COMMUNICATION)
        if len(self._waiting) >= _MAX_WAITING:
            raise ConnectionLost(
                f"{self.key}: {_MAX_WAITING} requests wait already; nothing was sent", Quality.BAD_TIMEOUT
            )
        request = _Request(act)
        self._waiting.append(request)
        self._wake.set()
        return await request.answer  # type: ignore[return-value]

    async def serve(self, driver: Driver) -> None:
        """Do what waits for the line, in order. Raises ConnectionLost where the line broke, and Turned."""
        if self._joining and not self._turning:
            joining, self._joining = tuple(self._joining), []
            await driver.join(joining)
        while self._waiting:
            request = self._waiting.popleft()
            if request.answer.done():
                continue
            try:
                answer = await request.act(driver)
            except asyncio.CancelledError:
                lost = f"{self.key}: the connection was lost meanwhile"
                request.fail(ConnectionLost(lost, Quality.BAD_NO_COMMUNICATION))
                raise
            except Exception as error:
                request.fail(error)
                if isinstance(error, ConnectionLost):
                    raise
            else:
                if not request.answer.done():
                    request.answer.set_result(answer)
        if self._turning:
            raise Turned

    async def idle(self, seconds: float | None) -> None:
        """Wait until the time is over or something waits for the line."""
        if self._waiting or self._joining or self._turning:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _live(self, work: Work) -> None:
        """Open the connection and work until it is lost; returns where it had been a steady one."""
        connection = self.connection
        driver = connection.driver(connection.settings, connection.devices, self._clock)
        driver.notes = self.notes
        driver.watches, driver.welcome = connection.watches, self._welcome
        self.put.fresh()
        self._joining.clear()
        tasks = driver.plan()
        loop = asyncio.get_running_loop()
        opened: float | None = None
        lost = ConnectionLost(f"{self.key}: the driver stopped", Quality.BAD_NO_COMMUNICATION)
        try:
            await _together(driver.open())
            opened = loop.time()
            self._driver = driver
            self._up()
            await _together(work(driver, tasks), driver.listen(self.put))
        except Exception as error:
            lost = self._blame(error)
        finally:
            self.state, self._driver = "offline", None
            await driver.close()
        self._down(lost, connection, tasks, opened is not None)
        if opened is None or loop.time() - opened < _STEADY_S:
            raise lost
        await asyncio.sleep(1 + random.random())  # noqa: S311

    def _blame(self, error: BaseException) -> ConnectionLost:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, Turned):
            self.state, self.reason = "connecting", "another configuration is being taken up"
            raise error
        if isinstance(error, ConnectionLost):
            return error
        self._log.error("driver failed; report this with the traceback", exc_info=error)
        return ConnectionLost(f"{self.key}: the driver failed: {error!r}", Quality.BAD_COMMUNICATION_ERROR)

    def _up(self) -> None:
        self.state, self.reason = "online", ""
        self._faults.clear()
        self._log.info("connection is open", devices=len(self.connection.devices))

    def _down(
        self, lost: ConnectionLost, connection: BoundConnection, tasks: Sequence[ReadTask], was_open: bool
    ) -> None:
        """Say that the line is down: to the points, to whoever waits for it, and once to the log."""
        reason = str(lost)
        self.losses += was_open
        if reason != self.reason:
            self._log.warning(
                "connection is lost" if was_open else "connection cannot be opened", reason=reason
            )
        self.reason = reason
        if not was_open:
            self.put(Readings.bad(_points(connection), self._clock(), lost.quality))
        elif tasks:
            # Devices that speak by themselves have been judged by their driver when the line broke.
            points = np.concatenate([task.points for task in tasks])
            self.put(Readings.bad(points, self._clock(), lost.quality))
        self._fail_waiting(ConnectionLost(f"{self.key}: {reason}; nothing was sent", lost.quality))

    def _fail_waiting(self, lost: ConnectionLost) -> None:
        while self._waiting:
            self._waiting.popleft().fail(lost)

    def _lost(self, _: RetryCallState) -> None:
        self.state = "connecting"


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of it, or until one fails, whose error is raised; the others are then ended.

    Whoever ends us is always obeyed. A `TaskGroup` before Python 3.13 tells only what its tasks raised, and
    some clients raise that they were disconnected when it was we who ended them.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()


def _points(connection: BoundConnection) -> PointIndexes:
    return np.array(
        [point.index for device in connection.devices for point in device.points if point.profile.readable],
        np.int32,
    )
