"""The SNMP driver: points in few Get requests, writes by Set with read-back.

    plan    objects of one device and period, up to `max_objects` in one request
    read    Get ─→ tooBig, or silence of a live agent: smaller requests from now on, kept in the notes
                 ─→ an error about one object: that one is bad, the others are asked again
                 ─→ silence: sysUpTime; where that is silent too, the connection is lost
    listen  a trap or inform ─→ the objects that it names, as it names them ─→ all points are read at once

An agent is one connection: behind it live the devices of its profiles (a UPS, each port of a switch).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from protocols.errors import (
    BadFrame,
    ConfigError,
    ConnectionLost,
    DeviceRefused,
    DeviceTimeout,
    Mistake,
    Rejected,
)
from protocols.field.base import BoundDevice, BoundPoint, Driver, First, ReadTask, Sink
from protocols.field.snmp.agent import TOO_BIG, UNDO_FAILED, UP_TIME, Agent, AgentError
from protocols.field.snmp.hearing import Ear, Notice
from protocols.field.snmp.settings import FILES, PORT, SnmpParams, SnmpSettings
from protocols.field.snmp.values import Sample, bad, sample, to_write
from protocols.model.address.snmp import SnmpAddress
from protocols.model.clock import Clock, now_us
from protocols.model.device import Limits, PeriodClass, PointProfile
from protocols.model.quality import Quality
from protocols.model.reading import Readings

INDEX: Final = "{index}"
PATIENCE: Final = 2
"""So many requests in a row of a live agent stay silent before they are made smaller: one may be lost."""
REST_S: Final = 1.0
"""Between two readings that notices bring about: what comes meanwhile shares the next."""
_PERIODS: Final[tuple[PeriodClass, ...]] = ("fast", "normal", "slow")


@dataclass(frozen=True, slots=True)
class Place:
    """A point and the object that holds it."""

    point: BoundPoint
    oid: str


class SnmpDriver(Driver):
    """One agent, polled."""

    protocol = "snmp"
    Settings: ClassVar = SnmpSettings
    Params: ClassVar = SnmpParams
    must_exist = FILES
    first = First(
        "HOST:PORT of the SNMP agent", "192.0.2.10:161",
        "row of its tables that is the device (1 for a UPS, the port of a switch)", "1", port=PORT,
    )  # fmt: skip

    @classmethod
    def params_named(cls, identity: str) -> dict[str, Any]:
        """Return the row."""
        return {"index": identity}

    def __init__(
        self, settings: SnmpSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._snmp = settings
        self._agent = Agent(settings)
        self._places = {place.point.index: place for device in devices for place in _places(device)}
        self._limits = {device.key: device.profile.limits for device in devices}
        self._most: dict[str, int] = {}
        self._silent: dict[str, int] = {}
        self._turn = asyncio.Lock()
        """What a trap lets us read, and what is polled or written, come one after the other."""
        self._ear: Ear | None = None
        self._deaf = ""

    async def open(self) -> None:
        """Take a socket and ask for sysUpTime; any answer will do, an error too."""
        await self._agent.open()
        limits = max(self._limits.values(), key=lambda one: one.timeout_ms, default=Limits())
        try:
            await self._agent.get([UP_TIME], limits.timeout_ms / 1000, limits.retries)
        except AgentError:
            pass
        except (DeviceTimeout, BadFrame) as error:
            raise ConnectionLost(
                f"{error}; check host, port, version and community (an agent says nothing to a wrong one), "
                "and that it lets this address in",
                Quality.BAD_NO_COMMUNICATION,
            ) from error

    def plan(self) -> tuple[ReadTask, ...]:
        """Return the requests: each of one device and period."""
        tasks = []
        for device in self.devices:
            most = self._size(device.key)
            for period in _PERIODS:
                places = [
                    self._places[point.index]
                    for point in device.points
                    if point.profile.period == period
                    and point.profile.readable
                    and point.index in self._places
                ]
                for at in range(0, len(places), most):
                    some = tuple(places[at : at + most])
                    points = np.array([place.point.index for place in some], np.int32)
                    tasks.append(ReadTask(device.key, period, points, 1, some))
        return tuple(tasks)

    def question(self, task: ReadTask) -> dict[str, str | int]:
        """Return the request and its object ids."""
        return {"request": "GetRequest", "objects": " ".join(place.oid for place in task.plan)}

    async def read(self, task: ReadTask) -> Readings:
        """Get the objects of one task. Raises ConnectionLost only."""
        async with self._turn:
            return await self._read(task)

    async def _read(self, task: ReadTask) -> Readings:
        found: dict[int, Sample] = {}
        todo: list[tuple[Place, ...]] = [task.plan]
        most = self._size(task.device)
        while todo:
            places = todo.pop()
            if len(places) > most:
                todo += [places[at : at + most] for at in range(0, len(places), most)]
                continue
            todo += await self._get(task.device, places, found)
            most = self._size(task.device)
        rows = [found[index] for index in task.points.tolist()]
        return Readings.at(
            task.points,
            self.clock(),
            np.array([row.value for row in rows]),
            np.array([row.quality for row in rows], np.uint32),
            {at: row.text for at, row in enumerate(rows) if row.text is not None},
        )

    async def probe(self, task: ReadTask) -> bool:
        """Ask a device that stayed silent for its first object only."""
        try:
            await self._agent.get([task.plan[0].oid], self._limits[task.device].timeout_ms / 1000, 0)
        except AgentError:
            return True
        except (DeviceTimeout, BadFrame):
            return False
        return True

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Set once and get it back. The agent may take it and hold another value: that one is returned."""
        async with self._turn:
            return await self._write(point, value)

    async def _write(self, point: BoundPoint, value: float | str) -> float | str | None:
        name = f"{point.device}.{point.profile.key}"
        place, address = self._places.get(point.index), SnmpAddress.of(point.profile)
        if place is None or not point.profile.writable:
            raise DeviceRefused(
                f"{name} is not writable; say `writable: true` in the profile", Quality.BAD_NOT_SUPPORTED
            )
        try:
            wanted = to_write(point.profile, address, value)
        except ValueError as error:
            raise DeviceRefused(
                f"{name}: {value!r} was not sent; it takes {error}", Quality.BAD_OUT_OF_RANGE
            ) from error
        limits = self._limits[point.device]
        try:
            await self._agent.set(place.oid, address.write_as, wanted, limits.timeout_ms / 1000)
        except AgentError as error:
            if error.code == UNDO_FAILED:
                raise DeviceTimeout(
                    f"{name}: {error}: nobody knows what it holds now", error.quality
                ) from error
            raise DeviceRefused(f"{name}: the agent refused: {error}", error.quality) from error
        except BadFrame as error:
            raise DeviceTimeout(f"{name}: {error}", error.quality) from error
        if not point.profile.readable:
            return None
        try:
            (held,) = await self._agent.get([place.oid], limits.timeout_ms / 1000, limits.retries)
        except (AgentError, BadFrame, DeviceTimeout):
            return None
        told = sample(held, point.profile)
        if told.quality != Quality.GOOD:
            return None
        return told.value if told.text is None else told.text

    async def listen(self, sink: Sink) -> None:
        """Hear the agent's traps and informs, where it is asked for. Raises ConnectionLost as `read`.

        What a notice names is handed on as it was then; and because it may name only what has changed, or
        be forged, or lost, all points are read at once: what the agent holds is the truth.
        """
        if self._snmp.trap_port is None:
            return
        self._ear = Ear(self._snmp, self._agent.address)
        try:
            self._ear.open()
        except (OSError, Rejected) as error:
            self._deaf = (
                f"traps of {self._agent.name} are not heard at port {self._snmp.trap_port}: {error}; "
                "ports below 1024 are not the gateway's (docs/snmp.md), and one port is for one program"
            )
            self._ear.close()
            return
        points = {place.oid: place.point for place in self._places.values()}
        try:
            while True:
                notices = await self._ear.next()
                for notice in notices:
                    self._named(notice, points, sink)
                for task in self.plan():
                    sink(await self.read(task))
                await asyncio.sleep(REST_S)
        finally:
            self._ear.close()

    def remarks(self) -> tuple[str, ...]:
        """Return why traps are not heard, or not taken."""
        found = [self._deaf] if self._deaf else []
        if self._ear is not None and self._ear.refused:
            found.append(
                f"{self._ear.refused} notices of {self._agent.name} were refused: another community, "
                "user, key or level, or no SNMP"
            )
        if self._ear is not None and self._ear.dropped:
            found.append(f"{self._ear.dropped} notices of {self._agent.name} were dropped: too many at once")
        return tuple(found)

    def _named(self, notice: Notice, points: dict[str, BoundPoint], sink: Sink) -> None:
        """Hand on the objects of a notice that are points."""
        rows = [(points[oid], held) for oid, held in notice.held if oid in points]
        rows = [(point, held) for point, held in rows if point.profile.readable]
        if not rows:
            return
        samples = [sample(held, point.profile) for point, held in rows]
        sink(
            Readings.at(
                np.array([point.index for point, _ in rows], np.int32),
                self.clock(),
                np.array([one.value for one in samples]),
                np.array([one.quality for one in samples], np.uint32),
                {at: one.text for at, one in enumerate(samples) if one.text is not None},
            )
        )

    async def close(self) -> None:
        """Let go of the sockets."""
        if self._ear is not None:
            self._ear.close()
        self._agent.close()

    # ---- one request ----

    async def _get(
        self, device: str, places: tuple[Place, ...], found: dict[int, Sample]
    ) -> list[tuple[Place, ...]]:
        """Put what the agent says of some places into `found`; return what must be asked again."""
        limits = self._limits[device]
        try:
            held = await self._agent.get(
                [place.oid for place in places], limits.timeout_ms / 1000, limits.retries
            )
        except AgentError as error:
            return self._refused(device, places, error, found)
        except BadFrame as error:
            found.update({place.point.index: bad(error.quality) for place in places})
            return []
        except DeviceTimeout as error:
            await self._alive(limits, error)
            self._silent[device] = self._silent.get(device, 0) + 1
            if self._silent[device] >= PATIENCE and len(places) > 1:
                self._learn(device, len(places) // 2)
            found.update({place.point.index: bad(error.quality) for place in places})
            return []
        self._silent[device] = 0
        for place, one in zip(places, held, strict=True):
            found[place.point.index] = sample(one, place.point.profile)
        return []

    def _refused(
        self, device: str, places: tuple[Place, ...], error: AgentError, found: dict[int, Sample]
    ) -> list[tuple[Place, ...]]:
        """Find out whom an error is about: the object that it names, or one half and the other."""
        if len(places) == 1:
            found[places[0].point.index] = bad(error.quality)
            return []
        half = len(places) // 2
        if error.code == TOO_BIG:
            self._learn(device, half)
        elif 0 <= error.index < len(places):
            found[places[error.index].point.index] = bad(error.quality)
            return [places[: error.index] + places[error.index + 1 :]]
        return [places[half:], places[:half]]

    async def _alive(self, limits: Limits, error: DeviceTimeout) -> None:
        """Return where the agent answers anything at all. Raises ConnectionLost.

        In version 3 an agent whose engine id has changed since is met anew: pysnmp would go on with the old.
        """
        if self._snmp.version == "3":
            self._agent.close()
            await self._agent.open()
        try:
            await self._agent.get([UP_TIME], limits.timeout_ms / 1000, 0)
        except (AgentError, BadFrame):
            return
        except DeviceTimeout:
            raise ConnectionLost(f"{error}, to sysUpTime neither", Quality.BAD_TIMEOUT) from error

    def _size(self, device: str) -> int:
        """Return how many objects one request may have: as configured, less where it was learnt."""
        if device not in self._most:
            learnt = self.notes.get(device).get("max_objects")
            known = learnt if isinstance(learnt, int) and learnt >= 1 else self._snmp.max_objects
            self._most[device] = min(known, self._snmp.max_objects)
        return self._most[device]

    def _learn(self, device: str, most: int) -> None:
        self._most[device] = max(1, most)
        self._silent[device] = 0
        self.notes.put(device, {**self.notes.get(device), "max_objects": self._most[device]})


def _places(device: BoundDevice) -> list[Place]:
    """Return where the points of a device are. Raises ConfigError where a table's row is not named."""
    index = SnmpParams.model_validate(dict(device.params)).index
    return [Place(point, _filled(point, SnmpAddress.of(point.profile), index)) for point in device.points]


def _filled(point: BoundPoint, address: SnmpAddress, index: str) -> str:
    if INDEX in address.oid and not index:
        raise ConfigError(
            [
                Mistake(
                    f"device {point.device}", 0, 0, "params.index",
                    f"the object {address.oid!r} of point {point.profile.key} is a table's column",
                    "`params: {index: 1}`", "give the row's index, such as the number of the switch's port",
                )
            ]
        )  # fmt: skip
    return address.oid.replace(INDEX, index)


def object_id(point: PointProfile, index: str) -> str | None:
    """Return a point's object id in a row; None where it needs a row that nobody named."""
    oid = SnmpAddress.of(point).oid
    return None if INDEX in oid and not index else oid.replace(INDEX, index)
