"""Table of the wall's layouts: each version stays, the newest counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.base import Base


class LayoutVersion(Base):
    """One saved version of a layout; `body` is null where it was taken away."""

    __tablename__ = "wall_layouts"

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    body: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), default=None)
    saved_at: Mapped[datetime]
    saved_by: Mapped[str]
