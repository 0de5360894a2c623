"""A gateway spoken by hand: enrols, declares a small city, and sends what a test says."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import httpx2
import msgspec
import numpy as np

from protocols.model.alarm import AlarmEvent, AlarmTransition, Rule
from protocols.model.command import CommandOutcome
from protocols.model.manifest import DeviceDecl, Manifest, PointDecl, SiteDecl, declaration_hash
from protocols.model.reading import Readings
from protocols.model.snapshot import Snapshot
from protocols.wire.batch import Batch, Payload, encode
from protocols.wire.channels import BATCHES, CLOCK_HEADER, DECLARATIONS, ENROL, INBOX, MEDIA, STATUS, Stream
from protocols.wire.handshake import (
    BacklogStatus,
    ConfigStatus,
    Credentials,
    Enrolment,
    GatewayStatus,
    Inbox,
    InboxItem,
    Receipt,
    StorageStatus,
)
from protocols.wire.media import Media, encode_media

SITE = "ps-riverside"
AIR = "air-park"
DEVICE = "gw-north.well"
LEVEL = "gw-north.well.level"
PUMP = "gw-north.pump1.run"
PM25 = "gw-north.air.pm25"


def manifest(gateway: str = "gw-north") -> Manifest:
    """Two sites, three devices, five points, two rules."""
    sites = (
        SiteDecl(
            key=SITE, name_zh="滨江泵站", name_en="Riverside station", kind="pumping_station",
            lon=121.4, lat=31.2, district="north",
        ),
        SiteDecl(
            key=AIR, name_zh="公园空气站", name_en="Park air station", kind="air_station",
            lon=121.5, lat=31.3,
        ),
    )  # fmt: skip

    def device(key: str, site: str, kind: str) -> DeviceDecl:
        return DeviceDecl(
            key=key, site=site, name_zh=f"设备 {key}", name_en=f"Device {key}", kind=kind,
            profile="test.device", profile_version=1, protocol="modbus",
        )  # fmt: skip

    def point(device: str, key: str, unit: str, **more: object) -> PointDecl:
        fields = {"value_type": "number", "period_s": 5.0, "decimals": 2, **more}
        return msgspec.convert(
            {"device": device, "key": key, "name_zh": f"点 {key}", "name_en": key, "unit": unit, **fields},
            PointDecl,
        )

    return Manifest(
        gateway=gateway,
        name_zh="城北网关",
        name_en="North gateway",
        software="citynerve-edge 0.1.0",
        sites=sites,
        devices=(
            device("well", SITE, "level"),
            device("pump1", SITE, "pump"),
            device("air", AIR, "air"),
        ),
        points=(
            point("well", "level", "m", min=0.0, max=8.0),
            point("well", "flow", "m3/h"),
            point(
                "pump1", "run", "1", writable=True, write_min=0.0, write_max=1.0,
                labels={"0": ("停止", "Stopped"), "1": ("运行", "Running")},
            ),
            point("air", "pm25", "ug/m3", decimals=None),
            point("air", "status", "1", value_type="text"),
        ),
        rules=(
            Rule(
                id="well.level-high", point="well.level", kind="hi", limit=3.2, deadband=0.1, priority="P1",
                name_zh="水位高", name_en="Level high", category="flooding",
                response_zh="启动水泵", response_en="Start the pump",
            ),
            Rule(
                id="air.pm25-high", point="air.pm25", kind="hi", limit=75, priority="P3",
                name_zh="PM2.5 高", name_en="PM2.5 high", latching=True,
            ),
            Rule(
                id="pump1.run-high", point="pump1.run", kind="off_normal", limit=0, priority="P4",
                name_zh="水泵运行", name_en="Pump running",
            ),
        ),
    )  # fmt: skip


class FieldGateway:
    """One gateway's side of the link. Points are named by their place in the manifest."""

    def __init__(self, client: httpx2.AsyncClient, credentials: Credentials, declared: Manifest) -> None:
        self.gateway = credentials.gateway
        self.token = credentials.token
        self.boot = uuid.uuid4().hex
        self._client = client
        self.headers = {"Authorization": f"Bearer {credentials.token}"}
        body = declared.encode()
        self._body = body
        self.declaration = declaration_hash(body)
        self._seq: dict[Stream, int] = {}

    @classmethod
    async def enrol(
        cls,
        client: httpx2.AsyncClient,
        code: str,
        gateway: str = "gw-north",
        city: Manifest | None = None,
    ) -> FieldGateway:
        """Spend the code and declare the city, or another one."""
        asked = Enrolment(code=code, gateway=gateway, software="citynerve-edge 0.1.0")
        answer = await client.post(ENROL, content=msgspec.json.encode(asked))
        assert answer.status_code == 200, answer.text
        made = cls(client, msgspec.json.decode(answer.content, type=Credentials), city or manifest(gateway))
        declared = await client.put(
            DECLARATIONS.format(hash=made.declaration), content=made._body, headers=made.headers
        )
        assert declared.status_code == 204, declared.text
        return made

    async def readings(
        self,
        point: int,
        times_us: Sequence[int],
        values: Sequence[float],
        quality: Sequence[int] | int = 0,
        text: dict[int, str] | None = None,
    ) -> Receipt:
        """Send readings of one point."""
        n = len(times_us)
        codes = np.full(n, quality, np.uint32) if isinstance(quality, int) else np.array(quality, np.uint32)
        columns = Readings(
            np.full(n, point, np.int32),
            np.array(times_us, np.int64),
            np.array(values, np.float64),
            codes,
            text or {},
        )
        return await self.send("readings", columns, max(times_us))

    async def alarm(
        self,
        occurrence: str,
        number: int,
        event: AlarmEvent,
        *,
        at_us: int,
        value: float,
        rule: str = "well.level-high",
    ) -> Receipt:
        """Send one step of an occurrence."""
        step = AlarmTransition(
            occurrence=occurrence,
            rule=rule,
            point=rule.replace("-high", ""),
            number=number,
            event=event,
            event_us=at_us,
            sample_us=at_us,
            value=value,
            quality=0,
            declaration=self.declaration,
        )
        return await self.send("alarms", (step,), at_us)

    async def outcome(self, outcome: CommandOutcome) -> Receipt:
        """Send what became of a command."""
        return await self.send("outcomes", (outcome,), outcome.finished_us)

    async def picture(self, snapshot: Snapshot, seq: int, boot: str = "") -> httpx2.Response:
        """Send one picture; return the centre's answer as it is."""
        media = Media(boot=boot or self.boot, seq=seq, made_us=snapshot.taken_us, snapshot=snapshot)
        return await self._client.post(MEDIA, content=encode_media(media), headers=self.headers)

    async def tell(self, **more: Any) -> None:
        """Report a status; `pictures` where the gateway is to take some."""
        status = GatewayStatus(
            software="citynerve-edge 0.1.0",
            started_us=0,
            config=ConfigStatus(running=1, digest="d" * 64, declaration=self.declaration, since_us=0),
            storage=StorageStatus(used_bytes=1, limit_bytes=None, free_bytes=2, left_s=None),
            backlog=BacklogStatus(batches=0, readings=0, bytes=0, oldest_us=None),
            **more,
        )
        answer = await self._client.put(STATUS, content=msgspec.json.encode(status), headers=self.headers)
        assert answer.status_code == 204, answer.text

    async def inbox(self, after: int = 0) -> tuple[InboxItem, ...]:
        """Fetch what waits, without waiting."""
        answer = await self._client.get(INBOX, params={"after": after, "wait": 0}, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=Inbox).items

    async def send(self, stream: Stream, payload: Payload, made_us: int) -> Receipt:
        """Send one batch; it is committed when this returns."""
        self._seq[stream] = self._seq.get(stream, 0) + 1
        batch = Batch(stream, self.boot, self._seq[stream], self.declaration, made_us, payload)
        answer = await self._client.post(
            BATCHES, content=encode(batch), headers={**self.headers, CLOCK_HEADER: str(made_us)}
        )
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=Receipt)
