"""What gateways say of themselves: the newest counts, nonsense is refused, a broken trail is noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from central.security.roles import Role
from protocols.wire.channels import CONFIG, MAX_STATUS_BYTES, STATUS
from protocols.wire.handshake import BacklogStatus, ConfigStatus, GatewayStatus, RunningConfig, StorageStatus
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running

DAY_US = 1_795_262_400_000_000


def status(**changes: Any) -> GatewayStatus:
    """A gateway that is well."""
    fields: dict[str, Any] = {
        "software": "citynerve 0.1.0",
        "started_us": DAY_US,
        "config": ConfigStatus(running=3, digest="d3", declaration="x", since_us=DAY_US),
        "storage": StorageStatus(used_bytes=10, limit_bytes=None, free_bytes=100, left_s=792_000.0),
        "backlog": BacklogStatus(batches=2, readings=500, bytes=900, oldest_us=DAY_US, eta_s=12.5),
    }
    return GatewayStatus(**fields | changes)


class Teller:
    """Tells the centre things as a gateway."""

    def __init__(self, client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    async def put(self, path: str, body: bytes) -> httpx2.Response:
        """PUT whatever bytes."""
        return await self._client.put(path, content=body, headers=self._headers)

    async def tell(self, told: GatewayStatus) -> None:
        """Report a status that must be taken."""
        answer = await self.put(STATUS, msgspec.json.encode(told))
        assert answer.status_code == 204, answer.text


@pytest.fixture
async def teller(city: Running, gateway: FieldGateway) -> AsyncIterator[Teller]:
    """A gateway's way to tell."""
    async with city.client(None) as client:
        yield Teller(client, gateway.headers)


async def test_the_newest_status_is_shown(city: Running, teller: Teller) -> None:
    await teller.tell(status())
    await teller.tell(
        status(
            config=ConfigStatus(
                running=2,
                digest="d2",
                declaration="x",
                since_us=DAY_US,
                wanted="d3",
                state="rolled-back",
                why="因",
            ),
            local_manual=("pump1",),
        )
    )
    shown = await city.get("/gateways/gw-north")
    assert shown["status"]["configuration"]["why"] == "因"
    assert shown["status"]["backlog"]["eta_s"] == 12.5
    assert shown["gateway"]["config_state"] == "rolled-back"
    assert shown["gateway"]["local_manual"] == ["pump1"]
    assert shown["gateway"]["storage_left_s"] == 792_000.0
    assert shown["gateway"]["software"] == "citynerve 0.1.0"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"\xff\xfe",
        msgspec.json.encode(status(started_us=-1)),
        msgspec.json.encode(status(token_us=1 << 62)),
        msgspec.json.encode(status(audit_count=1 << 60)),
        msgspec.json.encode(
            status(storage=StorageStatus(used_bytes=-5, limit_bytes=None, free_bytes=1, left_s=None))
        ),
    ],
)
async def test_a_status_that_cannot_be_shown_is_refused(city: Running, teller: Teller, body: bytes) -> None:
    answer = await teller.put(STATUS, body)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (400, "shape")
    assert (await city.get("/gateways/gw-north"))["status"] is None


async def test_a_status_is_bounded_and_its_words_may_be_anything(city: Running, teller: Teller) -> None:
    large = msgspec.json.encode(status(software="x" * MAX_STATUS_BYTES))
    assert (await teller.put(STATUS, large)).status_code == 413
    await teller.tell(status(software="a\0b", audit_head="\0"))
    assert (await city.get("/gateways/gw-north"))["status"]["software"] == "a\ufffdb"


async def test_nobody_reports_without_a_token(city: Running) -> None:
    async with city.client(None) as client:
        assert (await client.put(STATUS, content=msgspec.json.encode(status()))).status_code == 401


@pytest.mark.parametrize(
    ("count", "digest", "word"),
    [(6, "h6", "cut"), (0, "", "cut"), (7, "other", "rewritten"), (7, "h7", ""), (8, "h8", "")],
)
async def test_an_audit_trail_that_does_not_follow_is_noticed(
    city: Running, teller: Teller, count: int, digest: str, word: str
) -> None:
    for seen in (5, 7):
        await teller.tell(status(audit_count=seen, audit_head=f"h{seen}"))
        city.clock.move(10)
    await teller.tell(status(audit_count=count, audit_head=digest))
    shown = (await city.get("/gateways/gw-north"))["gateway"]["audit_warning"]
    assert word in shown
    assert bool(shown) == bool(word)


async def test_a_broken_trail_stays_broken_until_somebody_accepts_it(city: Running, teller: Teller) -> None:
    async def warning() -> str:
        shown: str = (await city.get("/gateways/gw-north"))["gateway"]["audit_warning"]
        return shown

    await teller.tell(status(audit_count=9, audit_head="h9"))
    city.clock.move(10)
    await teller.tell(status(audit_count=1, audit_head="n1"))
    city.clock.move(10)
    await teller.tell(status(audit_count=9, audit_head="h9"))
    assert "cut" in await warning()

    await city.post("/gateways/gw-north/audit/accept", None, Role.OPERATOR, expect=403)
    await city.post("/gateways/gw-north/audit/accept", None, Role.ADMIN)
    assert await warning() == ""
    city.clock.move(10)
    await teller.tell(status(audit_count=2, audit_head="n2"))
    assert await warning() == ""
    city.clock.move(10)
    await teller.tell(status(audit_count=1, audit_head="n1"))
    assert "cut" in await warning()


async def test_an_enrolment_begins_a_new_trail(city: Running, teller: Teller) -> None:
    await teller.tell(status(audit_count=9, audit_head="h9"))
    city.clock.move(10)
    async with city.gateway("gw-north") as again, city.client(None) as client:
        city.clock.move(10)
        await Teller(client, again.headers).tell(status(audit_count=1, audit_head="n1"))
    assert (await city.get("/gateways/gw-north"))["gateway"]["audit_warning"] == ""


async def test_what_a_gateway_runs_can_be_read_by_administrators_only(city: Running, teller: Teller) -> None:
    await teller.tell(status())
    told = RunningConfig(text="gateway: {id: gw-north}\n", profiles={"own.yaml": "id: own"}, masked=1)
    for _ in range(2):
        answer = await teller.put(CONFIG.format(digest="d3"), msgspec.json.encode(told))
        assert answer.status_code == 204, answer.text
    shown = await city.get("/gateways/gw-north/configurations/running", Role.ADMIN)
    assert (shown["digest"], shown["text"], shown["profiles"], shown["masked"]) == (
        "d3", told.text, told.profiles, 1,
    )  # fmt: skip
    async with city.client(Role.OPERATOR) as client:
        path = "/api/v1/gateways/gw-north/configurations/d3"
        assert (await client.get(path)).status_code == 403
    assert (await teller.put(CONFIG.format(digest="d4"), b'{"text": 5}')).status_code == 400


async def test_only_the_newest_configurations_are_remembered(city: Running, teller: Teller) -> None:
    for number in range(55):
        city.clock.move(1)
        body = msgspec.json.encode(RunningConfig(text=f"v{number}"))
        assert (await teller.put(CONFIG.format(digest=f"d{number}"), body)).status_code == 204
    statuses = city.centre.gateways.statuses
    kept = [number for number in range(55) if await statuses.config("gw-north", f"d{number}")]
    assert kept == list(range(5, 55))
