"""The table of pictures that the centre asked for by itself: which alarm, which camera, by which order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class EvidenceOrderRow(Base):
    """That a camera of another gateway was asked to witness an alarm; several alarms may share an order.

    camera is `gateway.device`. The row is written before the order, in a transaction of its own: an alarm
    is asked for at most once, whatever fails afterwards.
    """

    __tablename__ = "evidence_orders"

    alarm: Mapped[str] = mapped_column(ForeignKey("alarms.id"), primary_key=True)
    order_id: Mapped[str] = mapped_column(index=True)
    camera: Mapped[str]
    asked_at: Mapped[datetime]

    __table_args__ = (Index("ix_evidence_orders_asked_at", "asked_at"),)


@dataclass(frozen=True, slots=True)
class AskedView:
    """An order for evidence of an alarm."""

    order_id: str
    camera: str
    asked_at: datetime


async def asked_for(session: AsyncSession, alarm: str) -> AskedView | None:
    """Return the order for evidence of an alarm, or None where the centre asked nobody."""
    row = await session.get(EvidenceOrderRow, alarm)
    return None if row is None else AskedView(row.order_id, row.camera, row.asked_at)


async def alarms_of(session: AsyncSession, order_id: str, camera: str) -> list[str]:
    """Return the alarms for which this camera was given this order; none where either is another one."""
    if not order_id:
        return []
    chosen = select(EvidenceOrderRow.alarm).where(
        EvidenceOrderRow.order_id == order_id, EvidenceOrderRow.camera == camera
    )
    return sorted(await session.scalars(chosen))
