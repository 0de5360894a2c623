"""The client."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any, ClassVar

import numpy as np

from protocols.errors import ConnectionLost, DeviceRefused, DeviceTimeout
from protocols.field.base import BoundPoint, Driver, First, ReadTask
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from protocols.model.strict import Strict

from .address import CounterAddress

_ANSWER_S = 5.0


class CounterSettings(Strict):
    """The station's address."""

    host: str
    port: int = 7007


class CounterParams(Strict):
    """The counter's name at its station."""

    name: str


class CounterDriver(Driver):
    """One station with all its counters; a request for each point."""

    protocol = "counter"
    Settings: ClassVar = CounterSettings
    Params: ClassVar = CounterParams
    first = First("HOST:PORT of the station", "192.0.2.10:7007", "the counter's name", "counter1", port=7007)

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter | None = None

    @classmethod
    def params_named(cls, identity: str) -> dict[str, Any]:
        """Return the name."""
        return {"name": identity}

    @property
    def _where(self) -> str:
        line = CounterSettings.model_validate(self.settings)
        return f"{line.host}:{line.port}"

    async def open(self) -> None:
        """Connect."""
        line = CounterSettings.model_validate(self.settings)
        try:
            self._reader, self._writer = await asyncio.open_connection(line.host, line.port)
        except OSError as error:
            raise ConnectionLost(f"{self._where}: {error}", Quality.BAD_NO_COMMUNICATION) from error

    def plan(self) -> tuple[ReadTask, ...]:
        """Ask each point by itself."""
        return tuple(
            ReadTask(device.key, point.profile.period, np.array([point.index], np.int32), 1, point)
            for device in self.devices
            for point in device.points
            if point.profile.readable
        )

    async def read(self, task: ReadTask) -> Readings:
        """Read one slot."""
        value, quality = math.nan, Quality.GOOD
        try:
            value = await self._ask(task.plan)
        except DeviceRefused:
            quality = Quality.BAD_CONFIGURATION_ERROR
        except DeviceTimeout:
            quality = Quality.BAD_TIMEOUT
        return Readings.at(task.points, self.clock(), np.array([value]), np.array([quality], np.uint32))

    async def write(self, point: BoundPoint, value: float | str) -> float | str | None:
        """Set a slot; the answer is what it then holds."""
        if not point.profile.writable or not isinstance(value, float | int) or not math.isfinite(value):
            raise DeviceRefused(f"{point.profile.key} does not take {value!r}", Quality.BAD_NOT_SUPPORTED)
        return await self._ask(point, f"={float(value)!r}")

    async def _ask(self, point: BoundPoint, order: str = "") -> float:
        if self._writer is None:
            raise ConnectionLost(f"{self._where} is not open", Quality.BAD_NO_COMMUNICATION)
        name = next(device.params["name"] for device in self.devices if device.key == point.device)
        asked = f"{name}/{CounterAddress.of(point.profile).slot}"
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._writer.write(f"{asked}{order}\n".encode())
                await self._writer.drain()
                answer = (await self._reader.readline()).decode().strip()
        except TimeoutError as error:
            raise DeviceTimeout(f"{point.profile.key}: no answer", Quality.BAD_TIMEOUT) from error
        except OSError as error:
            raise ConnectionLost(f"{self._where}: {error}", Quality.BAD_NO_COMMUNICATION) from error
        if not answer:
            raise ConnectionLost(f"{self._where}: closed", Quality.BAD_NO_COMMUNICATION)
        told, equals, value = answer.partition("=")
        if told != asked or not equals:
            raise DeviceRefused(f"{point.profile.key}: {answer}", Quality.BAD_CONFIGURATION_ERROR)
        return float(value)

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None
