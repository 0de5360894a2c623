"""Gateways as the centre knows them: enrolment, tokens, how they are doing now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from central.kernel.bus import Bus
from central.store.base import Database
from protocols.model.clock import Clock
from protocols.wire.handshake import Credentials, Enrolment

GatewayState = Literal["pending", "online", "degraded", "offline", "revoked"]
CODE_LIFETIME_S = 24 * 3600
ONLINE_S = 30
DEGRADED_BATCHES = 30
DEGRADED_OFFSET_MS = 2_000.0


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway as screens see it.

    lag_s: age of the newest source time received; clock_offset_ms: centre's clock minus the gateway's;
    backlog_*: what still waits in its buffer, as it last said.
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


@dataclass(frozen=True, slots=True)
class NewCode:
    """A one-time code, shown once."""

    gateway: str
    enrolment_code: str
    expires_at: datetime


class Gateways:
    """Enrols, authenticates and watches gateways. Changes of state are published on the bus as `gateway`."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

    async def list(self) -> list[GatewayView]:
        """Return every gateway, by id."""
        raise NotImplementedError

    async def get(self, gateway: str) -> GatewayView | None:
        """Return one gateway, or None."""
        raise NotImplementedError

    async def new_code(
        self, gateway: str, actor: str, name_zh: str | None = None, name_en: str | None = None
    ) -> NewCode:
        """Make a one-time code; a gateway that is not known yet is added as `pending`.

        A revoked gateway may enrol again with it. Raises Rejected(`bad-key`) for an impossible id.
        """
        raise NotImplementedError

    async def enrol(self, request: Enrolment) -> Credentials:
        """Spend a code and answer a token. Raises Problem 401 `code-spent`: wrong, spent, expired alike."""
        raise NotImplementedError

    async def revoke(self, gateway: str, actor: str) -> GatewayView:
        """End a gateway's token at once. Raises KeyError for an unknown gateway."""
        raise NotImplementedError

    async def authenticate(self, token: str) -> str:
        """Return the gateway of a token. Raises Problem 401 `unknown-gateway` or 403 `revoked`."""
        raise NotImplementedError
