"""The status reaches a real centre at once when it changes, and what runs is shown once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from edge.link.client import CentreClient
from edge.link.credentials import Token, save
from edge.link.reporter import Reporter
from edge.link.road import Road
from protocols.wire.channels import STATUS
from protocols.wire.handshake import (
    BacklogStatus,
    ConfigStatus,
    Credentials,
    GatewayStatus,
    RunningConfig,
    StorageStatus,
)
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import until


class Subject:
    """What is reported on: changed by the test, asked by the reporter."""

    def __init__(self) -> None:
        self.digest = "d1"
        self.held: tuple[str, ...] = ()
        self.asked: list[str] = []

    def glance(self) -> object:
        """What is told at once."""
        return self.digest, self.held

    async def status(self) -> GatewayStatus:
        """The whole."""
        return GatewayStatus(
            software="test",
            started_us=1,
            config=ConfigStatus(running=1, digest=self.digest, declaration="x", since_us=1),
            storage=StorageStatus(used_bytes=1, limit_bytes=None, free_bytes=1, left_s=None),
            backlog=BacklogStatus(batches=0, readings=0, bytes=0, oldest_us=None),
            local_manual=self.held,
        )

    async def config(self, digest: str) -> RunningConfig | None:
        """What runs."""
        self.asked.append(digest)
        return RunningConfig(text=f"text of {digest}")


@asynccontextmanager
async def reporting(centre: FakeCentre, folder: Path, subject: Subject, **parts: Any) -> AsyncIterator[Road]:
    """Run a reporter for a block."""
    save(folder, Credentials(gateway="gw-test", token=TOKEN))
    road = Road("status", jitter=lambda: 0.0, slow_s=0.05)
    async with CentreClient(centre.url, None, Token(folder, "gw-test")) as client:
        reporter = Reporter(
            client, road, glance=subject.glance, status=subject.status, config=subject.config, **parts
        )
        task = asyncio.create_task(reporter.run())
        try:
            yield road
        finally:
            task.cancel()


async def test_a_change_is_told_at_once_and_a_text_once(tmp_path: Path) -> None:
    subject = Subject()
    async with FakeCentre() as centre, reporting(centre, tmp_path, subject):
        await until(lambda: centre.statuses and "d1" in centre.configs)
        subject.held = ("pump1",)
        await until(lambda: centre.statuses[-1].local_manual == ("pump1",), 8)
        subject.digest = "d2"
        await until(lambda: "d2" in centre.configs, 8)
        assert len(centre.statuses) == 3
    assert subject.asked == ["d1", "d2"]
    assert centre.configs["d2"].text == "text of d2"


async def test_what_was_not_heard_is_told_again(tmp_path: Path) -> None:
    subject = Subject()
    async with FakeCentre() as centre:
        centre.token = "not yet known"
        async with reporting(centre, tmp_path, subject) as road:
            await until(lambda: road.state == "refused")
            assert centre.statuses == []
            centre.token = TOKEN
            # The centre has it before the answer is back.
            await until(lambda: centre.statuses and road.state == "up")


async def test_a_status_fits_into_what_the_centre_takes() -> None:
    status = msgspec.structs.replace(
        await Subject().status(), local_manual=tuple(f"device-{i}" for i in range(500))
    )
    assert len(msgspec.json.encode(status)) < 64 * 1024
    assert STATUS.startswith("/gateway/")
