"""Layouts: found, checked, saved as a new version. Nothing is overwritten: every version stays."""

from __future__ import annotations

from sqlalchemy import func, select, tuple_

from central.city.registry import Registry
from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Name
from central.security.principal import Principal
from central.security.sight import Sight
from central.store.base import Database
from central.systems.wall.layout import BUILT_IN, NAMES, Layout, mistakes
from central.systems.wall.models import LayoutVersion
from central.systems.wall.schemas import LayoutBrief, LayoutOut, LayoutPage, SaveLayout
from protocols.model.clock import Clock, to_datetime

_LOCK = 0x636E_0011
"""Advisory lock of whoever saves a layout."""


class Layouts:
    """The layouts of this centre, those that the product brings among them."""

    def __init__(self, database: Database, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock

    async def list(self) -> LayoutPage:
        """Return every layout, by id."""
        last = select(LayoutVersion.id, func.max(LayoutVersion.version)).group_by(LayoutVersion.id)
        newest = select(LayoutVersion).where(tuple_(LayoutVersion.id, LayoutVersion.version).in_(last))
        async with self._database.session() as session:
            rows = {row.id: row for row in await session.scalars(newest)}
        found = {key: _built_in(key) for key in BUILT_IN if key not in rows or rows[key].body is None}
        found |= {key: _show(row) for key, row in rows.items() if row.body is not None}
        briefs = [
            LayoutBrief.model_validate(found[key].model_dump(exclude={"layout"})) for key in sorted(found)
        ]
        return LayoutPage(items=briefs, total=len(briefs))

    async def get(self, layout_id: str, version: int | None = None) -> LayoutOut:
        """Return a layout, the newest version where none is named; Problem 404 where there is none."""
        statement = select(LayoutVersion).where(LayoutVersion.id == layout_id)
        if version is not None:
            statement = statement.where(LayoutVersion.version == version)
        async with self._database.session() as session:
            row = await session.scalar(statement.order_by(LayoutVersion.version.desc()).limit(1))
        if row is not None and row.body is not None:
            return _show(row)
        if layout_id in BUILT_IN and (row is None or version is None) and not version:
            return _built_in(layout_id, 0 if row is None or version == 0 else row.version)
        raise not_found("layout", layout_id)

    async def shown(self, layout_id: str, sight: Sight, version: int | None = None) -> LayoutOut:
        """Return a layout as somebody sees it: points out of his sight are left out of its panels."""
        found = await self.get(layout_id, version)
        if sight.whole:
            return found
        known = (await self._registry.city(sight.sites)).points
        panels = [
            panel.model_copy(update={"points": [point for point in panel.points if point in known]})
            for panel in found.layout.panels
        ]
        weather = [point for point in found.layout.weather if point in known]
        layout = found.layout.model_copy(update={"panels": panels, "weather": weather})
        return found.model_copy(update={"layout": layout})

    async def versions(self, layout_id: str) -> LayoutPage:
        """Return the saved versions of a layout, the newest first; those that took it away are left out."""
        statement = (
            select(LayoutVersion)
            .where(LayoutVersion.id == layout_id, LayoutVersion.body.is_not(None))
            .order_by(LayoutVersion.version.desc())
        )
        async with self._database.session() as session:
            items = [_brief(row) for row in await session.scalars(statement.limit(100))]
        return LayoutPage(items=items, total=len(items))

    async def save(self, layout_id: str, asked: SaveLayout, who: Principal) -> LayoutOut:
        """Save a new version. 422 `bad-layout` names each wrong panel, 409 `changed-meanwhile`."""
        await self._check(asked.layout, who.sight)
        return _show(await self._write(layout_id, asked.version, who, asked.name, asked.layout))

    async def remove(self, layout_id: str, version: int, who: Principal) -> None:
        """Take a layout away; one of the product's becomes as it was brought. 404 and 409 as above."""
        known = await self.get(layout_id)
        await self._write(layout_id, version, who, known.name, None)

    async def _check(self, layout: Layout, sight: Sight) -> None:
        city = await self._registry.city(sight.sites)
        found = mistakes(layout, {point.id for point in city.live})
        if found:
            said = "; ".join(f"{item.panel or 'layout'}: {item.problem}" for item in found)
            errors = [{"field": item.panel, "problem": item.problem} for item in found]
            raise Problem(422, "bad-layout", "The layout cannot be shown", said, errors=errors)

    async def _write(
        self, layout_id: str, version: int, who: Principal, name: Name, layout: Layout | None
    ) -> LayoutVersion:
        async with self._database.session() as session:
            await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            newest = select(func.max(LayoutVersion.version)).where(LayoutVersion.id == layout_id)
            present = await session.scalar(newest) or 0
            if present != version:
                raise Problem(
                    409,
                    "changed-meanwhile",
                    "Somebody saved it meanwhile",
                    f"Version {present} is there by now, and you changed version {version}. Load it again.",
                )
            row = LayoutVersion(
                id=layout_id,
                version=present + 1,
                name_zh=name.zh,
                name_en=name.en,
                body=None if layout is None else layout.model_dump(mode="json"),
                saved_at=to_datetime(self._clock()),
                saved_by=who.username,
            )
            session.add(row)
        return row


def _built_in(key: str, version: int = 0) -> LayoutOut:
    return LayoutOut(
        id=key, name=NAMES[key], version=version, saved_at=None, saved_by="", layout=BUILT_IN[key]
    )


def _brief(row: LayoutVersion) -> LayoutBrief:
    name = Name(zh=row.name_zh, en=row.name_en)
    return LayoutBrief(
        id=row.id, name=name, version=row.version, saved_at=row.saved_at, saved_by=row.saved_by
    )


def _show(row: LayoutVersion) -> LayoutOut:
    return LayoutOut(**_brief(row).model_dump(), layout=Layout.model_validate(row.body))
