"""Saved views of the alarm list: a person's own filters, and those that somebody shares with all."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from central.city.registry import City, Registry
from central.kernel.problem import Problem, not_found
from central.live.desk_rows import ViewRow
from central.security.principal import Principal
from central.security.roles import Permission
from central.store.base import Database
from central.systems.monitoring import schemas_desk as schemas
from central.systems.monitoring.alarm_filter import AlarmFilter
from protocols.model.clock import Clock, to_datetime

MOST_VIEWS = 100


class SavedViews:
    """Keeps filters by owner and name. Whoever uses a shared one sees no more than he may.

    One that names a place is shared with those who see the place: a name tells that it is there.
    """

    def __init__(self, registry: Registry, database: Database, clock: Clock) -> None:
        self._registry = registry
        self._database = database
        self._clock = clock

    async def list(self, who: Principal) -> schemas.ViewList:
        """List one's own views and the shared ones, by name."""
        chosen = select(ViewRow).where(or_(ViewRow.owner == who.username, ViewRow.shared))
        city = await self._registry.city(who.sight.sites)
        async with self._database.session() as session:
            rows = await session.scalars(chosen.order_by(ViewRow.name, ViewRow.id))
            found = (_view(row, who) for row in rows)
            return schemas.ViewList(items=[item for item in found if item.own or _seen(item.filter, city)])

    async def save(self, asked: schemas.NewView, who: Principal) -> schemas.View:
        """Keep a filter; one of that name of one's own is replaced. Problem 403 `role`, 409 `too-many`."""
        if asked.shared and not who.may(Permission.ACKNOWLEDGE):
            raise Problem(403, "role", "Your role does not allow this", "Save it for yourself: shared=false.")
        async with self._database.session() as session:
            mine = select(ViewRow).where(ViewRow.owner == who.username)
            row = await session.scalar(mine.where(ViewRow.name == asked.name).with_for_update())
            if row is None:
                many = await session.scalar(select(func.count()).select_from(mine.subquery()))
                if (many or 0) >= MOST_VIEWS:
                    detail = f"{MOST_VIEWS} views are yours; delete one first."
                    raise Problem(409, "too-many", "Too many views", detail)
                row = ViewRow(owner=who.username, name=asked.name)
                session.add(row)
            row.shared, row.filter = asked.shared, asked.filter.model_dump(mode="json", exclude_defaults=True)
            row.changed_at = to_datetime(self._clock())
            await session.flush()
            return _view(row, who)

    async def delete(self, view: int, who: Principal) -> None:
        """Delete one's own view; an administrator deletes a shared one, too. Problem 404."""
        async with self._database.session() as session:
            row = await session.get(ViewRow, view, with_for_update=True)
            may = row is not None and (
                row.owner == who.username or (row.shared and who.may(Permission.MANAGE_USERS))
            )
            if row is None or not may:
                raise not_found("view", str(view))
            await session.delete(row)


def _seen(asked: AlarmFilter, city: City) -> bool:
    """Say whether every place that a filter names is in this part of the city."""
    return (
        (asked.site is None or asked.site in city.sites)
        and (asked.device is None or asked.device in city.devices)
        and (asked.gateway is None or asked.gateway in city.registered_gateways)
        and (asked.area is None or any(site.district == asked.area for site in city.sites.values()))
    )


def _view(row: ViewRow, who: Principal) -> schemas.View:
    return schemas.View(
        id=row.id,
        owner=row.owner,
        name=row.name,
        shared=row.shared,
        filter=AlarmFilter.model_validate(row.filter),
        changed_at=row.changed_at,
        own=row.owner == who.username,
    )
