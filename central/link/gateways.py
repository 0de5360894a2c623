"""Gateways as the centre knows them: enrolment, tokens, how they are doing now."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from central.city.registry import Registry
from central.kernel.bus import Bus
from central.kernel.problem import Problem
from central.link.presence import Presence
from central.link.statuses import Statuses, StatusView, begin_trail
from central.link.tokens import Tokens, new_token, token_hash
from central.live.latest import LatestBoard
from central.store.base import Database
from central.store.registry import EnrolmentCode, Gateway
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US, Clock, from_datetime, to_datetime
from protocols.wire.handshake import Credentials, Enrolment

log = structlog.get_logger(__name__)

GatewayState = Literal["pending", "online", "degraded", "offline", "revoked"]
CODE_LIFETIME = timedelta(hours=24)
ONLINE_US = 30 * SECOND_US
DEGRADED_BATCHES = 30
DEGRADED_OFFSET_MS = 2_000.0
KEY = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}\Z")
OWN_DEVICE = "_gateway"
"""Key of the device under which a gateway reports about itself."""
BACKLOG_BATCHES = "buffer-batches"
BACKLOG_READINGS = "buffer-readings"
SET_ASIDE = "set-aside"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway as screens see it.

    lag_s: age of the newest source time received; clock_offset_ms: centre's clock minus the gateway's;
    backlog_*: what still waits in its buffer, as it last said; config_state, storage_left_s, local_manual:
    from its newest status; audit_warning: why its audit trail cannot be believed, empty while it can.
    """

    id: str
    name_zh: str
    name_en: str
    state: GatewayState
    last_seen: datetime | None
    lag_s: float | None
    backlog_batches: int | None
    backlog_readings: int | None
    clock_offset_ms: float | None
    software: str
    points: int
    devices: int
    set_aside: int | None
    token_at: datetime | None = None
    config_state: str | None = None
    storage_left_s: float | None = None
    local_manual: tuple[str, ...] = ()
    audit_warning: str = ""


@dataclass(frozen=True, slots=True)
class NewCode:
    """A one-time code, shown once."""

    gateway: str
    enrolment_code: str = field(repr=False)
    expires_at: datetime


class Gateways:
    """Enrols, authenticates and watches gateways. Changes of state are told on the bus as `gateway`."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, latest: LatestBoard, registry: Registry
    ) -> None:
        self._database = database
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._latest = latest
        self._told: dict[str, GatewayView] = {}
        self.presence = Presence(database, clock)
        self.tokens = Tokens(database, clock)
        self.statuses = Statuses(database, clock)

    async def list(self) -> Sequence[GatewayView]:
        """Return every gateway, by id."""
        return await self._views(None)

    async def get(self, gateway: str) -> GatewayView | None:
        """Return one gateway, or None."""
        found = await self._views(gateway)
        return found[0] if found else None

    async def new_code(
        self, gateway: str, actor: str, name_zh: str | None = None, name_en: str | None = None
    ) -> NewCode:
        """Make a one-time code; a gateway that is not known yet is added as `pending`.

        A revoked gateway may enrol again with it. Raises Rejected(`bad-key`) for an impossible id.
        """
        if not KEY.match(gateway):
            raise Rejected(
                "bad-key", f"{gateway!r} is no gateway id; use 1 to 63 lower-case letters, digits, - and _"
            )
        now = to_datetime(self._clock())
        code = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
        async with self._database.session() as session:
            await session.execute(
                insert(Gateway)
                .values(
                    id=gateway,
                    name_zh=name_zh or gateway,
                    name_en=name_en or gateway,
                    state="pending",
                    created_at=now,
                )
                .on_conflict_do_nothing()
            )
            session.add(
                EnrolmentCode(
                    code_hash=_code_hash(code),
                    gateway=gateway,
                    created_at=now,
                    created_by=actor,
                    expires_at=now + CODE_LIFETIME,
                )
            )
        log.info("gateway.code_made", gateway=gateway, actor=actor)
        return NewCode(gateway, code, now + CODE_LIFETIME)

    async def enrol(self, request: Enrolment) -> Credentials:
        """Spend a code and answer a token; an earlier token of the gateway ends.

        Raises Problem 401 `code-spent`: wrong, spent and expired codes get one answer.
        """
        if not KEY.match(request.gateway):
            raise _code_spent()
        software = request.software[:200].replace("\0", "\ufffd")
        now = to_datetime(self._clock())
        token = new_token()
        async with self._database.session() as session:
            spent = await session.scalar(
                update(EnrolmentCode)
                .where(
                    EnrolmentCode.code_hash == _code_hash(request.code),
                    EnrolmentCode.gateway == request.gateway,
                    EnrolmentCode.spent_at.is_(None),
                    EnrolmentCode.expires_at > now,
                )
                .values(spent_at=now)
                .returning(EnrolmentCode.gateway)
            )
            if spent is None:
                raise _code_spent()
            await session.execute(
                update(Gateway)
                .where(Gateway.id == request.gateway)
                .values(
                    state="active",
                    token_hash=token_hash(token),
                    next_token_hash=None,
                    token_at=now,
                    software=software,
                    enrolled_at=now,
                    revoked_at=None,
                )
            )
            await begin_trail(session, request.gateway, now)
        self.tokens.forget()
        log.info("gateway.enrolled", gateway=request.gateway, software=software)
        await self._tell(request.gateway)
        return Credentials(gateway=request.gateway, token=token)

    async def revoke(self, gateway: str, actor: str) -> GatewayView:
        """End a gateway's token at once. Raises KeyError for an unknown gateway."""
        async with self._database.session() as session:
            revoked = await session.scalar(
                update(Gateway)
                .where(Gateway.id == gateway)
                .values(state="revoked", revoked_at=to_datetime(self._clock()))
                .returning(Gateway.id)
            )
            if revoked is None:
                raise KeyError(gateway)
        self.tokens.forget()
        log.warning("gateway.revoked", gateway=gateway, actor=actor)
        return await self._tell(gateway)

    async def tell_changes(self) -> None:
        """Tell the bus every gateway whose view changed since the last call. Called by a timer."""
        for view in await self.list():
            if self._told.get(view.id) != view:
                self._told[view.id] = view
                self._bus.publish("gateway", view)

    async def _tell(self, gateway: str) -> GatewayView:
        view = (await self._views(gateway))[0]
        self._told[gateway] = view
        self._bus.publish("gateway", view)
        return view

    async def _views(self, gateway: str | None) -> Sequence[GatewayView]:
        own = [f"{OWN_DEVICE}.{key}" for key in (BACKLOG_BATCHES, BACKLOG_READINGS, SET_ASIDE)]
        only = [] if gateway is None else [gateway]
        async with self._database.session() as session:
            rows = await session.scalars(
                select(Gateway).where(*(Gateway.id == name for name in only)).order_by(Gateway.id)
            )
            gateways = rows.all()
        statuses = await self.statuses.list()
        city = await self._registry.city()

        def figure(name: str, key: str) -> int | None:
            point = city.points.get(f"{name}.{key}")
            found = None if point is None or point.retired else self._latest.get(point.series)
            if found is None or found.value is None or not math.isfinite(found.value):
                return None
            return int(found.value)

        return [
            self._view(
                row,
                city.gateways.get(row.id, (0, 0)),
                [figure(row.id, key) for key in own],
                statuses.get(row.id),
            )
            for row in gateways
        ]

    def _view(
        self,
        row: Gateway,
        counts: tuple[int, int],
        figures: Sequence[int | None],
        told: StatusView | None,
    ) -> GatewayView:
        now = self._clock()
        seen = self.presence.of(row.id)
        last_us = seen.last_us or (from_datetime(row.last_seen) if row.last_seen else None)
        offset = row.clock_offset_ms if seen.offset_ms is None else seen.offset_ms
        return GatewayView(
            id=row.id,
            name_zh=row.name_zh,
            name_en=row.name_en,
            state=_state(row.state, last_us, now, offset, figures[0]),
            last_seen=None if last_us is None else to_datetime(last_us),
            lag_s=None if not seen.newest_us else max(0, round((now - seen.newest_us) / SECOND_US, 1)),
            backlog_batches=figures[0],
            backlog_readings=figures[1],
            clock_offset_ms=None if offset is None else round(offset, 1),
            software=row.software if told is None else told.status.software,
            points=counts[0],
            devices=counts[1],
            set_aside=figures[2],
            token_at=row.token_at,
            config_state=None if told is None else told.status.config.state,
            storage_left_s=None if told is None else told.status.storage.left_s,
            local_manual=() if told is None else told.status.local_manual,
            audit_warning="" if told is None else told.audit_warning,
        )


def _state(
    stored: str, last_us: int | None, now_us: int, offset_ms: float | None, backlog: int | None
) -> GatewayState:
    if stored == "revoked":
        return "revoked"
    if stored == "pending":
        return "pending"
    if last_us is None or now_us - last_us > ONLINE_US:
        return "offline"
    if (backlog or 0) > DEGRADED_BATCHES or abs(offset_ms or 0.0) > DEGRADED_OFFSET_MS:
        return "degraded"
    return "online"


def _code_spent() -> Problem:
    return Problem(
        401,
        "code-spent",
        "The enrolment code is not valid",
        "It is wrong, expired, spent already, or made for another gateway. Ask an administrator"
        " for a new one: Gateways page, or `citynerve gateway enrol-code ID`.",
    )


def _code_hash(code: str) -> str:
    """Hash a code as it is meant: people type lower case, and leave out or add dashes."""
    plain = code.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    return hashlib.sha256(plain.encode()).hexdigest()
