"""One OPC UA session with one subscription for all devices behind it, on asyncua.

    publish response ─→ rows by client handle ─→ columns ─→ sink          (one call per response)
                     └→ points that had no change for a while: still valid, handed on again

Everything is made anew at each connect, namespace indexes included: they may change with a restart.
asyncua weighs 90 MB, so only this package imports it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, ClassVar, Final, NoReturn

import numpy as np
from asyncua.ua.uaerrors import UaError

from protocols.errors import ConnectionLost
from protocols.field.base import Answer, BoundDevice, BoundPoint, Driver, First, Sink
from protocols.field.opcua.answers import readable
from protocols.field.opcua.connecting import CONNECT_TIMEOUT_S
from protocols.field.opcua.history import noted
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.line import Line
from protocols.field.opcua.settings import OpcUaParams, OpcUaSettings
from protocols.field.opcua.structures import learn
from protocols.field.opcua.table import SAMPLING_MS, Table
from protocols.field.opcua.watch import Watch
from protocols.field.opcua.words import refusal
from protocols.field.opcua.writing import Writing
from protocols.model.clock import Clock, now_us
from protocols.model.quality import Quality
from protocols.model.reading import TimesUs

NOTED_S: Final = 300.0
"""So often it is noted until when each point is known; after a power cut so much is told again at most."""


class OpcUaDriver(Driver):
    """OPC UA client; devices speak by subscription, so there is nothing for the poller to poll."""

    protocol = "opcua"
    Settings: ClassVar = OpcUaSettings
    Params: ClassVar = OpcUaParams
    first = First(
        "URL of the OPC UA server", "opc.tcp://192.0.2.10:4840", "the device's name in its node ids"
    )
    folder_setting = "pki_dir"
    must_exist = ("user_certificate", "user_key", "certificate", "private_key")

    @classmethod
    def settings_at(cls, address: str) -> dict[str, Any]:
        """Return the URL."""
        return {"url": address}

    def __init__(
        self, settings: OpcUaSettings, devices: tuple[BoundDevice, ...], clock: Clock = now_us
    ) -> None:
        super().__init__(settings, devices, clock)
        self._opcua = settings
        self._table = Table(devices)
        self._timeouts = {device.key: device.profile.limits.timeout_ms / 1000 for device in devices}
        self._writing: Writing | None = None
        self._board = LastValues(
            self._table.points, {name: SAMPLING_MS[name] + settings.publishing_ms for name in SAMPLING_MS}
        )
        self.line = Line(settings, clock)
        self._opened = False
        self._strange = ""
        """Why the server's structures are not read."""
        self.watch: Watch | None = None

    def place(self, device: BoundDevice, point: BoundPoint) -> str:
        """Return the node id."""
        return self._table.identifier(point)

    async def open(self) -> None:
        """Connect, sign in and resolve the namespaces."""
        await self.line.open()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._table.resolve(await self.line.client.get_namespace_array())
                if self._table.structured():
                    await self._learn_types()
        except (OSError, TimeoutError, UaError) as error:
            raise refusal(self._opcua.url, error) from error
        self._writing = Writing(self.line, self._table, self._timeouts, self.clock)
        self._opened = True

    async def _learn_types(self) -> None:
        """Learn the server's own structures; where that fails their fields are BadTypeMismatch."""
        self._strange = ""
        with suppress(UaError), readable():
            self._strange = await learn(self.line.client)
        self._board.strange = self._table.strange = bool(self._strange)

    async def listen(self, sink: Sink) -> None:
        """Hand on what the server reports or is asked for, until cancelled or the connection ends."""
        if not self._opened:
            raise ConnectionLost(f"OPC UA {self._opcua.url} is not open", Quality.BAD_NO_COMMUNICATION)
        self.watch = Watch(self.line, self._table, self._board, sink, self.clock)
        if self._writing is not None:
            self._writing.conditions = self.watch.conditions
        self.watch.missed(self._noted())
        watching = asyncio.create_task(self.watch.run())
        noting = asyncio.create_task(self._keep_noting())
        try:
            ends: set[asyncio.Future[Any]] = {watching, self.line.lost}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            noting.cancel()
            ended, _ = await asyncio.gather(watching, noting, return_exceptions=True)
            await self.watch.stop()
            self._note()
        sink(self._board.unvouched(self.clock()))
        if self.line.lost.done():
            raise ConnectionLost(
                f"OPC UA {self._opcua.url}: {self.line.lost.result()}", Quality.BAD_NO_COMMUNICATION
            )
        if ended is not None:
            raise ended

    def _noted(self) -> TimesUs:
        """Return until when each row was known when the line was lost, by the notes."""
        known = np.zeros(len(self._table.points), np.int64)
        for device in self.devices:
            heard = noted(self.notes.get(device.key), [point.profile.key for point in device.points])
            for point, time_us in zip(device.points, heard.tolist(), strict=True):
                if point.index in self._table.row_of:
                    known[self._table.row_of[point.index]] = time_us
        return known

    def _note(self) -> None:
        """Note until when each row is known, for the next connection."""
        times = self._board.known()
        for device in self.devices:
            before = self.notes.get(device.key).get("heard_us")
            heard = dict(before) if isinstance(before, dict) else {}
            for point in device.points:
                row = self._table.row_of.get(point.index)
                if row is not None and times[row]:
                    heard[point.profile.key] = int(times[row])
            self.notes.put(device.key, {"heard_us": heard})

    async def _keep_noting(self) -> NoReturn:
        """Note it from time to time, for a gateway that loses its power."""
        while True:
            await asyncio.sleep(NOTED_S)
            self._note()

    def remarks(self) -> tuple[str, ...]:
        """Return what is not as it should be though values come."""
        said = () if self.watch is None else self.watch.remarks.all()
        return (*said, self._strange) if self._strange else said

    async def write(self, point: BoundPoint, value: float | str) -> float | str | Answer | None:
        """Write in the type that the node holds and read back, or call the point's method."""
        if self._writing is None:
            raise ConnectionLost(f"OPC UA {self._opcua.url} is not open", Quality.BAD_NO_COMMUNICATION)
        return await self._writing.write(self._table.row_of[point.index], value)

    async def close(self) -> None:
        """End session and connection; a dead connection is dropped without a goodbye."""
        self._opened = False
        await self.line.close()
