"""As much as a centre takes: batches of a gateway with 5,000 points, made before and sent by four at once."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import httpx2
import msgspec
import numpy as np

from protocols.model.clock import SECOND_US
from protocols.model.manifest import DeviceDecl, Manifest, PointDecl, SiteDecl, declaration_hash
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, encode
from protocols.wire.channels import BATCH_TYPE, BATCHES, DECLARATIONS, ENROL
from protocols.wire.handshake import Credentials, Enrolment
from tests.bench.processes import GATEWAY, Centre

POINTS = 5_000
BATCHES_SENT = 250
ROWS = 8_000
SENDERS = 4


@dataclass(frozen=True, slots=True)
class Pour:
    """A gateway that is enrolled and declared."""

    client: httpx2.AsyncClient
    headers: dict[str, str]
    declaration: str

    @classmethod
    @asynccontextmanager
    async def enrolled(cls, centre: Centre, gateway: str = GATEWAY) -> AsyncIterator[Self]:
        """Enrol and declare it."""
        async with httpx2.AsyncClient(base_url=centre.url, timeout=60, trust_env=False) as client:
            code = Enrolment(code=centre.code(gateway), gateway=gateway, software="bench")
            answer = await client.post(ENROL, content=msgspec.json.encode(code))
            token = msgspec.json.decode(answer.content, type=Credentials).token
            manifest = _manifest(gateway).encode()
            name = declaration_hash(manifest)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": BATCH_TYPE}
            answer = await client.put(DECLARATIONS.format(hash=name), content=manifest, headers=headers)
            answer.raise_for_status()
            yield cls(client, headers, name)

    async def rate(self, start_us: int) -> float:
        """Send two million readings from a moment on; return how many a second were committed."""
        boot = uuid.uuid4().hex
        made = [
            encode(Batch("readings", boot, number + 1, self.declaration, start_us, rows_of(start_us, number)))
            for number in range(BATCHES_SENT)
        ]
        waiting = iter(made)

        async def send() -> None:
            for data in waiting:
                answer = await self.client.post(BATCHES, content=data, headers=self.headers)
                answer.raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(SENDERS)))
        return BATCHES_SENT * ROWS / (time.perf_counter() - began)


def rows_of(start_us: int, number: int) -> Readings:
    """Return `ROWS` readings of all points in turn, one a second, as a busy gateway would batch them."""
    place = np.arange(number * ROWS, (number + 1) * ROWS)
    value = np.round(50 + 40 * np.sin(place / 977), 2)
    return Readings(
        (place % POINTS).astype(np.int32),
        start_us + place // POINTS * SECOND_US,
        value,
        np.zeros(ROWS, np.uint32),
    )


def _manifest(gateway: str) -> Manifest:
    site = SiteDecl(key="bench", name_zh="测量", name_en="Bench", kind="bench", lon=0.0, lat=0.0)
    device = DeviceDecl(
        key="unit", site="bench", name_zh="单元", name_en="Unit", kind="meter", profile="bench",
        profile_version=1, protocol="modbus",
    )  # fmt: skip
    points = tuple(
        PointDecl(
            device="unit",
            key=f"r{n}",
            name_zh="点",
            name_en="Point",
            unit="V",
            value_type="number",
            period_s=1.0,
        )
        for n in range(POINTS)
    )
    return Manifest(
        gateway=gateway, name_zh="测量", name_en="Bench", software="bench", sites=(site,), devices=(device,),
        points=points, rules=(),
    )  # fmt: skip
