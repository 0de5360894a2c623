"""Alarms as people see and answer them: the board's occurrences, linked to their event and case."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel

from central.casebook.queries import Link, links
from central.city.registry import Registry
from central.kernel.problem import not_found
from central.live.alarms import AlarmBoard, AlarmView
from central.security.principal import Principal
from central.security.sight import Sight
from central.store.base import Database
from central.store.history import History
from central.systems.monitoring import schemas_alarms, views
from central.systems.monitoring.alarm_filter import AlarmFilter, AlarmListQuery, query_of
from central.systems.monitoring.past import evidence
from protocols.model.clock import from_datetime

KEPT_LINES = 2000


class AlarmDesk:
    """Lists occurrences, tells their whole story, and passes on what people decide about them."""

    def __init__(self, board: AlarmBoard, registry: Registry, history: History, database: Database) -> None:
        self._board = board
        self._registry = registry
        self._history = history
        self._database = database
        self._told: dict[str, tuple[AlarmView, bytes]] = {}
        self._telling = asyncio.Lock()

    async def page(self, asked: AlarmListQuery, who: Principal) -> bytes:
        """Return a page as JSON of `schemas_alarms.AlarmPage`.

        Written without a model in between: a thousand rows are checked by a test, not with every answer.
        """
        city = await self._registry.city()
        page = await self._board.list(query_of(asked, who, city))
        answer = {
            "items": await self._fields(page.items),
            "next_cursor": page.next_cursor,
            "total": page.total,
        }
        return msgspec.json.encode(answer, enc_hook=_plain)

    async def facets(self, asked: AlarmFilter, who: Principal) -> schemas_alarms.AlarmFacets:
        """Count what the filter lets through."""
        city = await self._registry.city()
        found = await self._board.facets(query_of(asked, who, city))
        area: dict[str, int] = {}
        for site, count in found["site"].items():
            place = city.sites.get(site)
            name = place.district if place else ""
            area[name] = area.get(name, 0) + count
        return schemas_alarms.AlarmFacets(total=sum(found["priority"].values()), area=area, **found)

    async def show(self, found: Sequence[AlarmView]) -> list[schemas_alarms.Alarm]:
        """Show occurrences with their links, in their order."""
        return [schemas_alarms.Alarm.model_validate(fields) for fields in await self._fields(found)]

    async def lines(self, found: Sequence[AlarmView]) -> list[bytes]:
        """Return occurrences as JSON of `schemas_alarms.Alarm`, for the live feed.

        What one stream has had made, the others are given: two hundred of them cost no more than one.
        """
        async with self._telling:
            new = [view for view in found if self._told.get(view.id, (None,))[0] is not view]
            for view, shown in zip(new, await self._fields(new), strict=True):
                self._told.pop(view.id, None)
                self._told[view.id] = view, msgspec.json.encode(shown, enc_hook=_plain)
            lines = [self._told[view.id][1] for view in found]
            for alarm in list(self._told)[: max(0, len(self._told) - KEPT_LINES)]:
                del self._told[alarm]
        return lines

    async def detail(self, alarm_id: str, sight: Sight) -> schemas_alarms.AlarmDetail:
        """Return one occurrence with its rule, its journal and the samples around its beginning."""
        found = await self._board.evidence(alarm_id)
        if found is None or not sight.sees(found.alarm.site):
            raise not_found("alarm", alarm_id)
        view = found.alarm
        rule = views.rule(found.rule, view.declaration, view.point)
        point = (await self._registry.city(sight.sites)).points.get(view.point)
        samples = []
        if point is not None:
            samples = await evidence(self._history, point.series, from_datetime(view.raised_at))
        led = await self._links([view])
        return schemas_alarms.AlarmDetail.model_validate(
            {
                **views.alarm_fields(view, led.get(view.id), point),
                "rule": rule,
                "journal": [views.journal(entry) for entry in found.journal],
                "evidence": samples,
                "response": rule.response,
            }
        )

    async def acknowledge(self, alarm_id: str, who: Principal, comment: str) -> schemas_alarms.Alarm:
        """Acknowledge (确认)."""
        return await self._answered(
            alarm_id, who, lambda: self._board.acknowledge(alarm_id, who.username, comment)
        )

    async def reset(self, alarm_id: str, who: Principal, comment: str) -> schemas_alarms.Alarm:
        """Reset a latched alarm (复位)."""
        return await self._answered(alarm_id, who, lambda: self._board.reset(alarm_id, who.username, comment))

    async def shelve(self, alarm_id: str, who: Principal, minutes: int, reason: str) -> schemas_alarms.Alarm:
        """Shelve (搁置)."""
        return await self._answered(
            alarm_id, who, lambda: self._board.shelve(alarm_id, who.username, minutes, reason)
        )

    async def unshelve(self, alarm_id: str, who: Principal) -> schemas_alarms.Alarm:
        """End the shelving (解除搁置)."""
        return await self._answered(alarm_id, who, lambda: self._board.unshelve(alarm_id, who.username))

    async def suspend(self, alarm_id: str, who: Principal, permit: str) -> schemas_alarms.Alarm:
        """Take out of service (停用)."""
        return await self._answered(
            alarm_id, who, lambda: self._board.suspend(alarm_id, who.username, permit)
        )

    async def return_to_service(self, alarm_id: str, who: Principal, comment: str) -> schemas_alarms.Alarm:
        """Return to service (恢复使用)."""
        return await self._answered(
            alarm_id, who, lambda: self._board.return_to_service(alarm_id, who.username, comment)
        )

    async def _answered(
        self, alarm_id: str, who: Principal, answer: Callable[[], Awaitable[AlarmView]]
    ) -> schemas_alarms.Alarm:
        """Show an occurrence as an answer left it; Problem 404 where there is none within sight."""
        found = await self._board.get(alarm_id)
        if found is None or not who.sight.sees(found.site):
            raise not_found("alarm", alarm_id)
        return (await self.show([await answer()]))[0]

    async def _fields(self, found: Sequence[AlarmView]) -> list[dict[str, Any]]:
        """Return the fields of `schemas_alarms.Alarm` of each, in their order."""
        led = await self._links(found)
        points = (await self._registry.city()).points
        return [views.alarm_fields(view, led.get(view.id), points.get(view.point)) for view in found]

    async def _links(self, found: Sequence[AlarmView]) -> dict[str, Link]:
        if not found:
            return {}
        async with self._database.session() as session:
            return await links(session, [view.id for view in found])


def _plain(item: Any) -> Any:
    if isinstance(item, BaseModel):
        return item.model_dump()
    raise TypeError(f"{type(item).__name__} has no JSON form in a list of alarms")
