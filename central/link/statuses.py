"""What gateways say of themselves: the newest status, the links of their audit trail, what they run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from central.link.status_rows import AuditHeadRow, GatewayConfigRow, StatusRow
from central.store.base import Database
from protocols.errors import WireError
from protocols.model.clock import Clock, to_datetime
from protocols.wire.handshake import GatewayStatus, RunningConfig

log = structlog.get_logger(__name__)

KEPT_CONFIGS: Final = 50
"""Configurations remembered for each gateway; the gateway itself keeps the last twenty versions."""
_LAST_US: Final = 253_402_300_799_000_000
"""End of the year 9999, beyond which nothing can show a time."""
_LAST_COUNT: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class StatusView:
    """A gateway's newest status. audit_warning: its trail was `cut` or `rewritten`; empty: it fits."""

    gateway: str
    status: GatewayStatus
    received_at: datetime
    audit_warning: str
    audit_warned_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConfigText:
    """A configuration as a gateway sent it; masked counts the values it withheld."""

    digest: str
    text: str
    profiles: dict[str, str]
    masked: int
    received_at: datetime


class Statuses:
    """Keeps what gateways report, and notices an audit trail that was cut or rewritten."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def accept(self, gateway: str, body: bytes) -> None:
        """Keep a GatewayStatus as the newest. Raises WireError(`shape`) where it is none."""
        try:
            status = msgspec.json.decode(body, type=GatewayStatus)
        except msgspec.DecodeError as error:
            raise WireError("shape", f"the status: {error}") from error
        _require_sane(status)
        now = to_datetime(self._clock())
        content = storable(msgspec.to_builtins(status))
        async with self._database.session() as session:
            row = await session.scalar(
                insert(StatusRow)
                .values(gateway=gateway, body=content, received_at=now)
                .on_conflict_do_update(index_elements=["gateway"], set_={"body": content, "received_at": now})
                .returning(StatusRow)
            )
            assert row is not None  # noqa: S101 - an upsert returns its row
            if not row.audit_warning:
                await self._compare(session, row, status, now)

    async def _compare(
        self, session: AsyncSession, row: StatusRow, status: GatewayStatus, now: datetime
    ) -> None:
        """Add the trail's head to those that were seen; warn where it cannot follow from the last."""
        seen = select(AuditHeadRow).where(AuditHeadRow.gateway == row.gateway)
        if row.audit_since is not None:
            seen = seen.where(AuditHeadRow.seen_at > row.audit_since)
        last = await session.scalar(seen.order_by(AuditHeadRow.seen_at.desc()).limit(1))
        count, digest = status.audit_count, storable(status.audit_head)
        if last is None or count > last.count:
            values = {"gateway": row.gateway, "seen_at": now, "count": count, "digest": digest}
            await session.execute(insert(AuditHeadRow).values(values).on_conflict_do_nothing())
            return
        if count == last.count and digest == last.digest:
            return
        warning = "cut" if count < last.count else "rewritten"
        row.audit_warning, row.audit_warned_at = warning, now
        log.warning("gateway.audit_broken", gateway=row.gateway, warning=warning, seen=last.count, now=count)

    async def accept_audit(self, gateway: str, actor: str) -> None:
        """Take a gateway's audit trail as it is from now on. Raises KeyError where it never reported."""
        async with self._database.session() as session:
            found = await session.scalar(_begin_trail(gateway, to_datetime(self._clock())))
        if found is None:
            raise KeyError(gateway)
        log.warning("gateway.audit_accepted", gateway=gateway, actor=actor)

    async def get(self, gateway: str) -> StatusView | None:
        """Return what a gateway said last, or None."""
        async with self._database.session() as session:
            row = await session.get(StatusRow, gateway)
        return None if row is None else _view(row)

    async def list(self) -> dict[str, StatusView]:
        """Return what every gateway said last, by gateway."""
        async with self._database.session() as session:
            rows = (await session.scalars(select(StatusRow))).all()
        return {row.gateway: _view(row) for row in rows}

    async def keep_config(self, gateway: str, digest: str, body: bytes) -> None:
        """Keep a RunningConfig under its digest. Raises WireError(`shape`) where it is none."""
        try:
            config = msgspec.json.decode(body, type=RunningConfig)
        except msgspec.DecodeError as error:
            raise WireError("shape", f"the configuration: {error}") from error
        if not 0 <= config.masked <= _LAST_COUNT or len(digest) > 200:
            raise WireError("shape", "the configuration: its digest or its count of masked values is none")
        values = {
            "text": storable(config.text),
            "profiles": storable(config.profiles),
            "masked": config.masked,
            "received_at": to_datetime(self._clock()),
        }
        key = {"gateway": gateway, "digest": storable(digest)}
        newest = (
            select(GatewayConfigRow.digest)
            .where(GatewayConfigRow.gateway == gateway)
            .order_by(GatewayConfigRow.received_at.desc())
            .limit(KEPT_CONFIGS)
        )
        async with self._database.session() as session:
            await session.execute(
                insert(GatewayConfigRow)
                .values(key | values)
                .on_conflict_do_update(index_elements=["gateway", "digest"], set_=values)
            )
            await session.execute(
                delete(GatewayConfigRow).where(
                    GatewayConfigRow.gateway == gateway, GatewayConfigRow.digest.not_in(newest)
                )
            )

    async def config(self, gateway: str, digest: str) -> ConfigText | None:
        """Return a configuration that a gateway sent, or None."""
        async with self._database.session() as session:
            row = await session.get(GatewayConfigRow, (gateway, digest))
        if row is None:
            return None
        return ConfigText(row.digest, row.text, row.profiles, row.masked, row.received_at)


async def begin_trail(session: AsyncSession, gateway: str, now: datetime) -> None:
    """Expect a new audit trail of a gateway that is enrolled anew: its disk may be another."""
    await session.execute(_begin_trail(gateway, now))


def _begin_trail(gateway: str, now: datetime) -> Any:
    return (
        update(StatusRow)
        .where(StatusRow.gateway == gateway)
        .values(audit_since=func.greatest(now, StatusRow.received_at), audit_warning="", audit_warned_at=None)
        .returning(StatusRow.gateway)
    )


def _view(row: StatusRow) -> StatusView:
    return StatusView(
        gateway=row.gateway,
        status=msgspec.convert(row.body, GatewayStatus),
        received_at=row.received_at,
        audit_warning=row.audit_warning,
        audit_warned_at=row.audit_warned_at,
    )


def storable(value: Any) -> Any:
    """Return what a gateway told as PostgreSQL can hold it: no zero characters, no halves of pairs."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _require_sane(status: GatewayStatus) -> None:
    """Refuse times and counts that nothing can show; every screen reads what is kept here."""
    times = (status.started_us, status.config.since_us, status.backlog.oldest_us, status.token_us)
    if any(time is not None and not 0 <= time <= _LAST_US for time in times):
        raise WireError("shape", "the status: a time is not between 1970 and 9999")
    storage, backlog = status.storage, status.backlog
    counts = (
        *(storage.used_bytes, storage.limit_bytes, storage.free_bytes, storage.thinned, storage.dropped),
        *(storage.written_today, storage.sent_today, backlog.batches, backlog.readings, backlog.bytes),
        *(status.audit_count, status.config.running, abs(status.clock_offset_us or 0)),
    )
    if any(count is not None and not 0 <= count <= _LAST_COUNT for count in counts):
        raise WireError("shape", "the status: a count is below zero or beyond 2^53")
