"""The table of staged software packages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class PackageRow(Base):
    """A signed wheel that gateways may fetch; sha256 and signature in hexadecimal.

    signature: Ed25519, see `protocols.model.order.Update`. The content is loaded only where it is asked for.
    """

    __tablename__ = "packages"

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(unique=True)
    file_name: Mapped[str]
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str]
    signature: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    staged_at: Mapped[datetime]
    staged_by: Mapped[str]
