"""Tables of the cameras' pictures: the pictures by digest, and when, where and why each was taken."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class PictureRow(Base):
    """A picture as its camera made it; kept once, whatever it is evidence of."""

    __tablename__ = "pictures"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(Integer)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SnapshotRow(Base):
    """That a picture was taken. (gateway, boot, seq) is its name in the stream `media`.

    site is where the camera belonged as it came; occurrences the alarms that it is evidence of; order_id
    the order that asked for it, or empty.
    """

    __tablename__ = "snapshots"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateways.id"))
    boot: Mapped[str]
    seq: Mapped[int] = mapped_column(BigInteger)
    camera: Mapped[str]
    site: Mapped[str]
    taken_at: Mapped[datetime]
    received_at: Mapped[datetime]
    cause: Mapped[str]
    moment: Mapped[str]
    occurrences: Mapped[list[str]] = mapped_column(ARRAY(Text))
    order_id: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey("pictures.sha256"))
    size: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        UniqueConstraint("gateway", "boot", "seq"),
        Index("ix_snapshots_camera_taken_at", "camera", "taken_at", "id"),
        Index("ix_snapshots_cause_taken_at", "cause", "taken_at"),
        Index("ix_snapshots_sha256", "sha256"),
        Index("ix_snapshots_occurrences", "occurrences", postgresql_using="gin"),
    )
