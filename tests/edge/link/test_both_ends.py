"""A real gateway at a real centre: reports, is pushed, rotates, is revoked and comes back with its data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psycopg
import pytest
import uvicorn
import yaml

from central.app import close_streams, create_app
from central.config import Config
from central.link.order_rows import OrderView
from central.link.wishes import Wishes
from central.systems.centre import Centre
from edge.app import Gateway
from edge.link.enrol import enrol
from protocols.model.clock import SECOND_US, now_us
from protocols.model.command import FINAL_STATES
from protocols.model.reading import Readings
from protocols.wire.batch import decode
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until
from tests.ports import free_port

GATEWAY = "gw-test"


class Ends:
    """Both ends of one link. The gateway is started and stopped by the test."""

    def __init__(self, centre: Centre, url: str, path: Path, folder: Path) -> None:
        self.centre = centre
        self.wishes = Wishes(centre.outbox, centre.packages, centre.clock)
        self.path = path
        self._url = url
        self._folder = folder

    async def enrol(self) -> None:
        """Let the gateway in, as a technician does."""
        code = await self.centre.gateways.new_code(GATEWAY, "ann")
        await enrol(self._url, None, GATEWAY, code.enrolment_code, self._folder / "state")

    def running(self) -> AbstractAsyncContextManager[Gateway]:
        """Run the gateway for a block."""
        return running(self.path, enrolled=False)

    async def ended(self, sent: OrderView) -> OrderView:
        """Wait until an order has its result."""
        async with asyncio.timeout(60):
            while True:
                (now,) = await self.centre.outbox.orders.views([sent.id])
                if now.state in FINAL_STATES:
                    return now
                await asyncio.sleep(0.1)


@pytest.fixture
async def ends(database_url: str, tmp_path: Path) -> AsyncIterator[Ends]:
    """A centre that listens, and the file of an enrolled gateway with one pump."""
    port = free_port()
    app = create_app(Config(data_dir=tmp_path, database_url=database_url))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    task = asyncio.create_task(server.serve())
    async with ModbusField() as field:
        try:
            await until(lambda: server.started)
            url = f"http://127.0.0.1:{port}"
            path = gateway_file(tmp_path, field.port, url, page={"enabled": False})
            ends = Ends(app.state.centre, url, path, tmp_path)
            await ends.enrol()
            yield ends
        finally:
            close_streams(app)
            server.should_exit = True
            await task


async def test_a_gateway_reports_is_pushed_and_rotates(ends: Ends) -> None:
    statuses = ends.centre.gateways.statuses
    async with ends.running() as gateway:
        async with asyncio.timeout(30):
            while (told := await statuses.get(GATEWAY)) is None or await statuses.config(  # noqa: ASYNC110
                GATEWAY, told.status.config.digest
            ) is None:
                await asyncio.sleep(0.1)
        running = told.status.config
        shown = await statuses.config(GATEWAY, running.digest)
        assert shown is not None
        assert (shown.text, shown.masked) == (ends.path.read_text(encoding="utf-8"), 0)
        assert list(shown.profiles) == ["test.pump"]

        wanted = shown.text + "# changed at the centre\n"
        pushed = await ends.wishes.configure(
            GATEWAY, wanted, actor="ann", profiles=shown.profiles, probation_s=10, base=running.digest
        )
        assert (await ends.ended(pushed)).state == "verified"
        assert ends.path.read_text(encoding="utf-8") == wanted
        stale = await ends.wishes.configure(GATEWAY, shown.text, actor="ann", base=running.digest)
        refused = await ends.ended(stale)
        assert (refused.state, refused.reason) == ("rejected", "stale-base")

        before = gateway.house.settings.status().digest
        bad = yaml.safe_load(wanted) | {"devices": "none"}
        broken = await ends.ended(await ends.wishes.configure(GATEWAY, yaml.safe_dump(bad), actor="ann"))
        assert broken.state == "rejected"
        assert "devices" in broken.detail
        assert gateway.house.settings.status().digest == before

        view = await ends.centre.gateways.get(GATEWAY)
        assert (await ends.ended(await ends.wishes.rotate(GATEWAY, "ann"))).state == "verified"
        after = await ends.centre.gateways.get(GATEWAY)
        assert view is not None
        assert after is not None
        assert view.token_at is not None
        assert after.token_at is not None
        assert after.token_at > view.token_at


def waiting(gateway: Gateway, since_us: int) -> int:
    """Return how many readings from a time on wait in the gateway's log."""
    payloads = [decode(batch.data).payload for batch in gateway.house.buffer.pending("readings", limit=1000)]
    return sum(int((part.time_us >= since_us).sum()) for part in payloads if isinstance(part, Readings))


def oldest_us(gateway: Gateway) -> int:
    """Return when the oldest batch that waits in the gateway's log was closed; now, where none waits."""
    closed_us = gateway.house.buffer.depth()["readings"].oldest_us
    return now_us() if closed_us is None else closed_us


async def test_a_revoked_gateway_keeps_its_data_until_it_is_let_in_again(
    ends: Ends, database_url: str
) -> None:
    async def stored(since_us: int) -> int:
        # Not a blocking connection: the centre of this loop may hold the table, and could never let go.
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            found = await connection.execute(
                "SELECT count(*) FROM readings r JOIN points p USING (series)"
                " WHERE p.gateway = 'gw-test' AND r.time >= to_timestamp(%s)",
                [since_us / SECOND_US],
            )
            row = await found.fetchone()
        assert row is not None
        return int(row[0])

    async with ends.running() as gateway:
        await until(lambda: gateway.house.road.state == "up")
        await ends.centre.gateways.revoke(GATEWAY, "ann")
        await until(lambda: gateway.house.road.state == "refused")
        revoked_us = now_us()
        await until(lambda: waiting(gateway, revoked_us) > 20)
        assert gateway.house.road.reason == "revoked"
    async with ends.running() as gateway:
        await until(lambda: gateway.house.road.state == "refused")
        kept = waiting(gateway, revoked_us)
        assert kept > 20
        assert await stored(revoked_us) == 0
    await ends.enrol()
    async with ends.running() as gateway:
        await until(lambda: gateway.house.road.state == "up")
        let_in_us = now_us()
        async with asyncio.timeout(30):
            # Newest and oldest go side by side: the first new reading says nothing of what was kept.
            while await stored(let_in_us) == 0 or oldest_us(gateway) < let_in_us:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert gateway.house.buffer.asides() == []
    assert await stored(revoked_us) >= kept
