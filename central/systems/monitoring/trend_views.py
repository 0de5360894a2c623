"""Saved trends: which points, which span, how shown; one's own, and those that somebody shares."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final, Self

from pydantic import AwareDatetime, Field, model_validator
from sqlalchemy import ARRAY, Text, UniqueConstraint, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.city.registry import City, Registry
from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Asked
from central.security.principal import Principal
from central.security.roles import Permission
from central.store.base import Base, Database
from central.systems.monitoring.past import MAX_POINTS
from central.systems.monitoring.schemas_past import TrendView, TrendViews
from protocols.model.clock import Clock, to_datetime

MOST_VIEWS: Final = 100
_SHORTEST_S, _LONGEST_S = 10.0, 10 * 366 * 86_400.0


class TrendViewRow(Base):
    """One saved trend; `span_s` ends now, or `from_at` and `to_at` hold."""

    __tablename__ = "trend_views"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    shared: Mapped[bool]
    points: Mapped[list[str]] = mapped_column(ARRAY(Text))
    span_s: Mapped[float | None]
    from_at: Mapped[datetime | None]
    to_at: Mapped[datetime | None]
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("owner", "name", name="uq_trend_views_owner_name"),)


class TrendOptions(Asked):
    """How the page shows it."""

    compare: str = Field(
        default="", pattern="^(|day|week)$", description="the same span a day or week before"
    )
    band: bool = True
    marks: bool = True


class NewTrendView(Asked):
    """A view to keep: a span up to now, or two times."""

    name: str = Field(min_length=1, max_length=80)
    points: list[str] = Field(min_length=1, max_length=MAX_POINTS)
    shared: bool = False
    span_s: float | None = Field(default=None, ge=_SHORTEST_S, le=_LONGEST_S, description="seconds up to now")
    from_: AwareDatetime | None = Field(default=None, alias="from")
    to: AwareDatetime | None = None
    options: TrendOptions = TrendOptions()

    @model_validator(mode="after")
    def _one_span(self) -> Self:
        fixed = self.from_ is not None and self.to is not None and self.from_ < self.to
        if (self.span_s is None) != fixed or (self.span_s is not None and (self.from_ or self.to)):
            raise ValueError("give `span_s`, or `from` before `to`; not both")
        return self


class TrendViewDesk:
    """Keeps views by owner and name. A shared one shows nobody a point that is out of his sight."""

    def __init__(self, database: Database, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock

    async def list(self, who: Principal) -> TrendViews:
        """List one's own views, and the shared ones of which one sees a point, by name."""
        city = await self._registry.city(who.sight.sites)
        chosen = select(TrendViewRow).where(or_(TrendViewRow.owner == who.username, TrendViewRow.shared))
        async with self._database.session() as session:
            rows = await session.scalars(chosen.order_by(TrendViewRow.name, TrendViewRow.id))
            shown = [_view(row, who, city) for row in rows]
        return TrendViews(items=[view for view in shown if view.mine or view.points])

    async def save(self, asked: NewTrendView, who: Principal) -> TrendView:
        """Keep a view; one of that name of one's own is replaced.

        Problem 404 for a point out of sight, 403 `role` for who may only read and shares, 409 `too-many`.
        """
        if asked.shared and not who.may(Permission.ACKNOWLEDGE):
            raise Problem(403, "role", "Your role does not allow this", "Save it for yourself: shared=false.")
        city = await self._registry.city(who.sight.sites)
        for point in asked.points:
            if point not in city.points:
                raise not_found("point", point)
        async with self._database.session() as session:
            mine = select(TrendViewRow).where(TrendViewRow.owner == who.username)
            row = await session.scalar(mine.where(TrendViewRow.name == asked.name).with_for_update())
            if row is None:
                many = await session.scalar(select(func.count()).select_from(mine.subquery()))
                if (many or 0) >= MOST_VIEWS:
                    detail = f"{MOST_VIEWS} views are yours; delete one first."
                    raise Problem(409, "too-many", "Too many views", detail)
                row = TrendViewRow(id=uuid.uuid4().hex, owner=who.username, name=asked.name)
                session.add(row)
            row.shared = asked.shared
            row.points = list(dict.fromkeys(asked.points))
            row.span_s, row.from_at, row.to_at = asked.span_s, asked.from_, asked.to
            row.options = asked.options.model_dump()
            row.changed_at = to_datetime(self._clock())
            await session.flush()
            return _view(row, who, city)

    async def delete(self, view: str, who: Principal) -> None:
        """Delete one's own view; Problem 404 for any other."""
        async with self._database.session() as session:
            row = await session.get(TrendViewRow, view, with_for_update=True)
            if row is None or row.owner != who.username:
                raise not_found("view", view)
            await session.delete(row)


def _view(row: TrendViewRow, who: Principal, city: City) -> TrendView:
    seen = [point for point in row.points if point in city.points]
    return TrendView.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "owner": row.owner,
            "shared": row.shared,
            "mine": row.owner == who.username,
            "points": seen,
            "hidden": len(row.points) - len(seen),
            "span_s": row.span_s,
            "from": row.from_at,
            "to": row.to_at,
            "options": row.options,
            "changed_at": row.changed_at,
        }
    )
