"""A server that dies and comes back as another one: its own process, killed and started again.

It has another certificate then, its namespaces stand in another order, and where ours was another one has a
node of the same name. The line must come back by itself as far as nobody's word is needed, and no value may
ever pass for good that the server did not vouch for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from edge.config.bind import BoundConnection
from edge.session import Session
from protocols.field.base import Driver, ReadTask
from protocols.field.opcua import OpcUaDriver, OpcUaSettings
from protocols.field.opcua.own import own
from protocols.field.opcua.trust import TrustList
from protocols.model.clock import now_us
from protocols.model.quality import Quality, quality_class
from protocols.model.reading import Readings
from tests.protocols.field.devices import bind, profile
from tests.protocols.field.opcua.foreign_server import URI, Foreign
from tests.protocols.field.proxy import free_port

PATIENCE_S = 60.0


class Line:
    """A session as a gateway runs it, and all that came of its two points."""

    def __init__(self, url: str, folder: Path) -> None:
        points = [
            {"key": key, "period": "fast", "opcua": {"namespace": URI, "node": f"s=P1.{key.title()}"}}
            for key in ("level", "steady")
        ]
        settings = OpcUaSettings(url=url, pki_dir=folder, security_policy="Basic256Sha256", publishing_ms=50)
        self.came: list[Readings] = []
        self._news = asyncio.Event()
        device = bind(profile("opcua", points), {})
        self.session = Session(BoundConnection("plc", OpcUaDriver, settings, (device,)), self._take)

    def _take(self, readings: Readings) -> None:
        self.came.append(readings)
        self._news.set()

    async def work(self, driver: Driver, _: tuple[ReadTask, ...]) -> NoReturn:
        while True:
            await self.session.serve(driver)
            await self.session.idle(None)

    def rows(self) -> list[tuple[int, float, int, int]]:
        """Return (point, value, quality, source time) of all that came."""
        return [
            row
            for one in self.came
            for row in zip(
                one.point.tolist(), one.value.tolist(), one.quality.tolist(), one.time_us.tolist(),
                strict=True,
            )
        ]  # fmt: skip

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def good(self, point: int, value: float) -> bool:
        """Tell whether the newest row of a point is this value, and good."""
        newest = next((row for row in reversed(self.rows()) if row[0] == point), None)
        return newest is not None and newest[1:3] == (value, Quality.GOOD)


@asynccontextmanager
async def running(url: str, folder: Path) -> AsyncIterator[Line]:
    line = Line(url, folder)
    task = asyncio.create_task(line.session.run(line.work))
    try:
        yield line
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def trust_what_was_refused(folder: Path) -> None:
    """Do what a person does after a look at the fingerprint."""
    known = TrustList(folder)
    for entry in known.entries():
        if entry.verdict == "rejected":
            known.trust(entry.certificate.fingerprint)


async def test_a_server_that_comes_back_as_another_one_gives_no_false_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.session._MAX_PAUSE_S", 1.0)
    own(tmp_path, now_us())
    port = await free_port()
    first = await asyncio.to_thread(Foreign, tmp_path / "first", port)
    try:
        async with running(first.url, tmp_path) as line:
            await line.until(lambda: "nobody has trusted" in line.session.reason)
            trust_what_was_refused(tmp_path)
            await line.until(lambda: line.good(0, 2.5) and line.good(1, 1.0))
            first.kill()
            killed = now_us()
            await line.until(lambda: line.session.state != "online")
            marked = [row for row in line.rows() if row[2] != Quality.GOOD and row[3] >= killed]
            assert {row[:3] for row in marked} >= {
                (0, 2.5, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE),
                (1, 1.0, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE),
            }
            said = len(line.rows())
            second = await asyncio.to_thread(Foreign, tmp_path / "second", port, anew=True)
            try:
                # A stranger stands where the server was: nothing of it is believed without a person.
                await line.until(lambda: "HAS CHANGED" in line.session.reason)
                since = line.rows()[said:]
                assert since
                assert not any(quality_class(row[2]) == "good" for row in since)
                trust_what_was_refused(tmp_path)
                await line.until(lambda: line.good(0, 8.5) and line.good(1, 1.0))
                second.put("Level", 8.75)
                await line.until(lambda: line.good(0, 8.75))
            finally:
                second.kill()
            levels = [row[1] for row in line.rows() if row[0] == 0 and row[2] == Quality.GOOD]
            assert set(levels) == {2.5, 8.5, 8.75}, "the namespace of the same index has another Level"
            assert line.session.losses == 1
    finally:
        first.kill()
