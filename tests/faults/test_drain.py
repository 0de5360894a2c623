"""SIGTERM under load: what was acknowledged is there, nobody gets an error but "come again", and it is quick.

A real `citynerve serve` on a real database; gateways that never stop sending, a browser's stream, somebody
who reads and somebody who writes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import numpy as np
import psycopg
import pytest

from central.city.registry import Registry
from central.config import Config
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.live.latest import LatestBoard
from central.security.parts import Security
from central.security.roles import Role
from protocols.model.clock import now_us
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, encode
from protocols.wire.channels import BATCHES
from tests.central.systems.field import FieldGateway
from tests.conftest import opened
from tests.edge.house import until

pytestmark = pytest.mark.faults
GATEWAYS = 3
LANES = 4
STOP_S = 15.0
BUSY = 20
"""So many batches are acknowledged before the centre is stopped: it is then at work in every lane."""
START_US = now_us()
PASSWORD = "a long password of the night shift"


class Load:
    """What was sent, and how each was answered."""

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.without_retry: list[str] = []
        self.stream = b""
        self.stream_ended = False

    def note(self, answer: httpx2.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503 and "Retry-After" not in answer.headers:
            self.without_retry.append(answer.text)


@asynccontextmanager
async def serving(url: str, folder: Path) -> AsyncIterator[tuple[Process, str, Path]]:
    """A centre in a process of its own; its address, and where its log goes."""
    log = folder / "centre.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "central", "serve", "--port", "0",
            env={**os.environ, "CITYNERVE_DATABASE_URL": url, "CITYNERVE_DATA": str(folder)},
            stdout=PIPE, stderr=output,
        )  # fmt: skip
    try:
        while not (lines := [line for line in log.read_text().splitlines() if "listens on" in line]):
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
        address = lines[0].rsplit(" ", 1)[1]
        async with httpx2.AsyncClient(base_url=address) as client:
            while True:
                with suppress(httpx2.TransportError):
                    if (await client.get("/healthz")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        yield process, address, log
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def people(url: str, folder: Path) -> Sequence[str]:
    """Codes for the gateways; an operator who can sign in."""
    async with opened(url) as database:
        security = Security.build(database, now_us, Config(data_dir=folder))
        await security.accounts.ensure("night", "Night", Role.OPERATOR, PASSWORD)
        gateways = Gateways(database, Bus(), now_us, LatestBoard(now_us), Registry(database))
        return [(await gateways.new_code(f"gw-{n}", "admin")).enrolment_code for n in range(GATEWAYS)]


async def sends(client: httpx2.AsyncClient, gateway: FieldGateway, load: Load, lane: int) -> None:
    """One lane of a gateway: batch after batch, until the centre is gone."""
    number = lane
    while True:
        number += LANES
        times = START_US + number * 1000 + np.arange(50, dtype=np.int64)
        ones = np.arange(50, dtype=np.float64)
        payload = Readings((np.arange(50) % 4).astype(np.int32), times, ones, np.zeros(50, np.uint32), {})
        batch = Batch("readings", gateway.boot, number, gateway.declaration, now_us(), payload)
        try:
            answer = await client.post(BATCHES, content=encode(batch), headers=gateway.headers)
        except httpx2.TransportError:
            return
        load.note(answer)
        if answer.status_code == 200:
            load.acknowledged[gateway.gateway] += 1
        else:
            await asyncio.sleep(0.1)


async def asks(client: httpx2.AsyncClient, load: Load, method: str, path: str, body: Any = None) -> None:
    while True:
        try:
            load.note(await client.request(method, path, json=body))
        except httpx2.TransportError:
            return
        await asyncio.sleep(0.02)


async def streams(client: httpx2.AsyncClient, load: Load) -> None:
    async with client.stream("GET", "/api/v1/live", timeout=60) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_bytes():
            load.stream += chunk
    load.stream_ended = True


async def test_a_stop_under_load_loses_nothing_and_is_quick(database_url: str, tmp_path: Path) -> None:
    codes = await people(database_url, tmp_path)
    load = Load()
    async with (
        serving(database_url, tmp_path) as (process, address, log),
        httpx2.AsyncClient(base_url=address, timeout=30) as client,
        httpx2.AsyncClient(base_url=address, timeout=30, headers={"Origin": address}) as browser,
    ):
        gateways = [await FieldGateway.enrol(client, code, f"gw-{n}") for n, code in enumerate(codes)]
        signed_in = await browser.post("/api/v1/session", json={"username": "night", "password": PASSWORD})
        assert signed_in.status_code == 200, signed_in.text
        work = [
            asyncio.create_task(sends(client, gateway, load, lane))
            for gateway in gateways
            for lane in range(LANES)
        ]
        work.append(asyncio.create_task(asks(browser, load, "GET", "/api/v1/overview")))
        work.append(asyncio.create_task(asks(browser, load, "POST", "/api/v1/tokens", {"name": "x"})))
        stream = asyncio.create_task(streams(browser, load))
        await until(lambda: sum(load.acknowledged.values()) > BUSY and load.stream)
        process.send_signal(signal.SIGTERM)
        asked = monotonic()
        await asyncio.wait_for(process.wait(), STOP_S + 10)
        took = monotonic() - asked
        await asyncio.gather(*work, stream)
        text = log.read_text()

    assert took < STOP_S, f"it took {took:.1f} s to stop"
    assert set(load.statuses) <= {200, 201, 429, 503}, load.statuses
    assert load.without_retry == []
    # What gateways were told is stored is stored.
    with psycopg.connect(database_url) as connection:
        query = (
            "SELECT gateway, sum(upper(r) - lower(r))::int FROM ingest_marks, unnest(committed) r"
            " WHERE stream = 'readings' GROUP BY gateway"
        )
        stored: dict[str, int] = dict(connection.execute(query).fetchall())
        rows = connection.execute("SELECT count(*) FROM readings").fetchone()
        seals = connection.execute("SELECT count(*), count(request_id) FROM audit").fetchone()
    for name, count in load.acknowledged.items():
        assert stored[name] >= count
    assert rows is not None
    assert rows[0] == 50 * sum(stored.values())
    # The browser's stream was ended in order, and had been told when to come again.
    assert load.stream_ended
    assert b"retry: " in load.stream
    # The log is JSON, line by line, tells of the stop, and holds no secret.
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert "centre.stopped" in [line["event"] for line in lines]
    assert not [line for line in lines if line["level"] in {"error", "critical"}]
    for secret in (PASSWORD, *codes, *(gateway.token for gateway in gateways)):
        assert secret not in text
    assert seals is not None
    assert seals[0] == seals[1] > 0


async def test_a_request_is_found_again_in_the_log_and_in_the_audit(
    database_url: str, tmp_path: Path
) -> None:
    await people(database_url, tmp_path)
    async with serving(database_url, tmp_path) as (process, address, log):
        async with httpx2.AsyncClient(base_url=address, headers={"Origin": address}) as client:
            body = {"username": "night", "password": "wrong"}
            headers = {"X-Request-Id": "proxy-0001-abcd"}
            answer = await client.post("/api/v1/session", json=body, headers=headers)
            assert (answer.status_code, answer.headers["X-Request-Id"]) == (401, "proxy-0001-abcd")
            made = (await client.get("/api/v1/overview", headers={"X-Request-Id": "x\ny"[:1]})).headers
        process.send_signal(signal.SIGTERM)
        await process.wait()
        text = log.read_text()
    assert len(made["X-Request-Id"]) == 16
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert {line["path"] for line in lines if line.get("request_id") == "proxy-0001-abcd"} == {
        "/api/v1/session"
    }
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT request_id, operation, status FROM audit").fetchone()
    assert row == ("proxy-0001-abcd", "signIn", 401)
