"""What the registry answers and changes, within the sight of who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from central.city import tablefile
from central.city.attachments import Attachments, Content, told
from central.city.book import Book, Change, Edit, no_gateway
from central.city.fields import KINDS, Fault, Kind
from central.city.layers import Faults, State
from central.city.lifecycle import Lifecycle
from central.city.registry import City, PointRecord, Registry, SiteRecord
from central.city.search import LONGEST, Index
from central.city.transfer import Plan, plan
from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Name
from central.live.alarms import AlarmRow
from central.security.principal import Principal
from central.security.sight import Sight
from central.store.base import Database
from central.store.reach import at_sites
from central.store.registry import Attachment
from central.systems.registry import schemas, views
from central.systems.registry.views import Record
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime

Tell = Callable[[Change], None]
"""Notes a change for the audit trail."""
MOST_TOLD = 100
"""More changes than that, of one file, are one entry of the trail; each is in the thing's own history."""
RIGHTS_HANG_ON = frozenset({"district", "department"})
"""Fields of a site that decide who sees it: whoever sees a part of the city may not move sites in or out."""


class RegistryDesk:
    """The registry for people."""

    def __init__(self, registry: Registry, database: Database, clock: Clock) -> None:
        self._registry = registry
        self._database = database
        self._clock = clock
        self._book = Book(database, clock)
        self._attachments = Attachments(database, clock, self._book)
        self._index: Index | None = None
        self._indexing = asyncio.Lock()

    async def search(self, sight: Sight, q: str, kinds: list[Kind], limit: int) -> schemas.SearchResult:
        """Return the best of each kind."""
        index = await self._indexed()
        sites = None if sight.sites is None else frozenset(sight.sites)
        found = index.search(q[:LONGEST], kinds=kinds or KINDS, sites=sites, limit=limit)
        return schemas.SearchResult(
            query=q,
            groups=[
                schemas.SearchGroup(
                    kind=group.kind,
                    items=[views.hit(index.city.within(sites), hit) for hit in group.hits],
                    total=group.total,
                )
                for group in found
            ],
        )

    async def things(
        self,
        sight: Sight,
        kind: Kind,
        *,
        site: str | None,
        gateway: str | None,
        device: str | None,
        type_: str | None,
        district: str | None,
        department: str | None,
        lifecycle: Lifecycle | None,
        tag: str | None,
        declared: bool | None,
        q: str | None,
    ) -> list[schemas.Thing]:
        """Return the things of a kind that fit, by id."""
        city = await self._registry.city(sight.sites)
        words = (q or "").casefold().split()
        wanted: dict[str, Any] = {
            "site": site,
            "gateway": gateway,
            "device": device,
            "type": type_,
            "district": district,
            "department": department,
            "lifecycle": lifecycle,
            "declared": declared,
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        found = []
        for key, record in sorted(views.records(city, kind).items()):
            if not sees(sight, city, record) or (isinstance(record, PointRecord) and record.retired):
                continue
            text = f"{key} {record.name_zh} {record.name_en} {' '.join(record.tags)}".casefold()
            if any(word not in text for word in words) or (tag is not None and tag not in record.tags):
                continue
            shown = views.fields(city, record)
            if all(shown.get(name) == value for name, value in wanted.items()):
                found.append(schemas.Thing.model_validate(shown))
        return found

    async def facets(self, sight: Sight, kind: Kind) -> schemas.Facets:
        """Return what the things of a kind can be filtered by."""
        city = await self._registry.city(sight.sites)
        types, districts, owners, tags = set(), set(), set(), set()
        for record in views.records(city, kind).values():
            if sees(sight, city, record):
                site = views.site_of(city, record)
                types.add(views.fields(city, record)["type"])
                tags |= set(record.tags)
                if site is not None:
                    districts.add(site.district)
                    owners.add(site.department)
        shown = (
            city.departments.values()
            if sight.whole
            else (city.departments[key] for key in owners & city.departments.keys())
        )
        return schemas.Facets(
            types=sorted(types - {""}),
            districts=sorted(districts - {""}),
            departments=[
                schemas.DepartmentOut(id=owner.id, name=Name(zh=owner.name_zh, en=owner.name_en))
                for owner in sorted(shown, key=lambda owner: owner.id)
            ],
            tags=sorted(tags),
        )

    async def thing(self, sight: Sight, kind: Kind, key: str) -> schemas.ThingDetail:
        """Return one thing with both layers; Problem 404."""
        city, record = await self._find(sight, kind, key)
        state, revision = await self._book.state(kind, key)
        whole = owns(sight, city, record)
        return views.detail(
            city,
            record,
            kind,
            state if whole else views.unplaced(state),
            revision=revision,
            attached=await self._attachments.of(kind, key) if whole else [],
            open_alarms=await self._open_alarms(sight, kind, key),
        )

    async def register(
        self, who: Principal, kind: Kind, asked: schemas.NewThing, tell: Tell
    ) -> schemas.ThingDetail:
        """Register a planned site or device. Problem 403 `whole-city` for a site by who sees a part."""
        if kind == "site" and not who.sight.whole:
            raise _whole_city("register sites")
        edit = Edit(kind, asked.id, _given(asked.fields), new=True, lifecycle=asked.lifecycle)
        await self._write([edit], who, asked.reason, tell)
        return await self.thing(who.sight, kind, asked.id)

    async def change(
        self, who: Principal, kind: Kind, key: str, asked: schemas.ChangeThing, tell: Tell
    ) -> schemas.ThingDetail:
        """Change fields; Problem 404, 403 `whole-city`, 409 `changed-meanwhile`, 422 by field."""
        await self._own(who.sight, kind, key)
        given = _given(asked.fields)
        if kind == "site" and not who.sight.whole and given.keys() & RIGHTS_HANG_ON:
            raise _whole_city("change whose a site is, or its district")
        await self._write([Edit(kind, key, given)], who, asked.reason, tell, asked.revision)
        return await self.thing(who.sight, kind, key)

    async def move(
        self, who: Principal, kind: Kind, key: str, asked: schemas.MoveThing, tell: Tell
    ) -> schemas.ThingDetail:
        """Move a thing to another state of its life; Problem 404, 409 `lifecycle`, 422 `future`."""
        await self._own(who.sight, kind, key)
        if asked.since is not None and asked.since > self._now():
            detail = "A state begins when it begins: give a time that is not in the future."
            errors = [{"field": "body.since", "problem": "in the future"}]
            raise Problem(422, "future", "That is still to come", detail, errors=errors)
        edit = Edit(kind, key, lifecycle=asked.lifecycle, on=asked.since)
        await self._write([edit], who, asked.reason, tell)
        return await self.thing(who.sight, kind, key)

    async def history(
        self, sight: Sight, kind: Kind, key: str, limit: int, before: int | None
    ) -> tuple[list[schemas.HistoryEntry], int | None]:
        """Return the changes of a thing, newest first; Problem 404, of a gateway unless all of it is seen."""
        city, record = await self._find(sight, kind, key)
        if not owns(sight, city, record):
            raise not_found(kind, key)
        entries, following = await self._book.history(kind, key, limit=limit, before=before)
        return [schemas.HistoryEntry.model_validate(entry) for entry in entries], following

    async def attach(
        self, who: Principal, kind: Kind, key: str, *, name: str, note: str, body: bytes, tell: Tell
    ) -> schemas.AttachmentOut:
        """Keep a photo or document at a thing."""
        await self._own(who.sight, kind, key)
        made = await self._attachments.add(kind, key, name=name, note=note, body=body, actor=who.username)
        tell(told(made, attached=True))
        return views.attachment(made)

    async def attachment(self, sight: Sight, key: str) -> Content:
        """Return what is to be served; Problem 404."""
        await self._attached(sight, key)
        return await self._attachments.content(key)

    async def detach(self, who: Principal, key: str, tell: Tell) -> None:
        """Remove an attachment; Problem 404."""
        found = await self._attached(who.sight, key)
        await self._attachments.remove(found, who.username)
        tell(told(found, attached=False))

    async def export(
        self, sight: Sight, kind: Kind, shape: tablefile.Format, fields: list[str] | None
    ) -> Iterator[str]:
        """Return a file of everything of a kind within sight; fields: of these columns only, None: all.

        Problem 422 `no-place` for points, `bad-field`.
        """
        try:
            tablefile.columns(kind, fields)
        except Rejected as error:
            raise Problem(422, error.reason, "Unknown column", str(error)) from error
        if kind == "point" and shape == "geojson":
            raise Problem(422, "no-place", "Points have no place", "Points stand at their device; use CSV.")
        city = await self._registry.city(sight.sites)
        states = await self._reached(sight, kind, city)
        ordered = [states[key] for key in sorted(states)]
        if shape == "csv":
            return tablefile.write_csv(kind, ordered, fields)
        places = {site.id: (site.lon, site.lat) for site in city.sites.values() if sight.sees(site.id)}
        return tablefile.write_geojson(kind, ordered, places, fields)

    async def import_(
        self,
        who: Principal,
        kind: Kind,
        shape: tablefile.Format,
        data: bytes,
        *,
        apply: bool,
        reason: str,
        tell: Tell,
    ) -> schemas.ImportReport:
        """Say what a file would change, and with `apply` change it, if there is no mistake in it."""
        made = await self.plan(who.sight, kind, shape, data)
        if not apply or made.mistakes:
            return views.report(made, applied=False)
        await self._write(made.edits, who, reason, tell)
        return views.report(made, applied=True)

    async def plan(self, sight: Sight, kind: Kind, shape: tablefile.Format, data: bytes) -> Plan:
        """Compare a file with what is within sight."""
        city = await self._registry.city(sight.sites)
        states = await self._reached(sight, kind, city)
        known = await self._book.known(sight.sites)

        def compare() -> Plan:
            made = plan(kind, tablefile.read(kind, shape, data), states, known)
            if kind == "site" and not sight.whole:
                _refuse_rights(made)
            return made

        return await asyncio.to_thread(compare)

    async def _write(
        self, edits: list[Edit], who: Principal, reason: str, tell: Tell, seen: int | None = None
    ) -> None:
        if not who.sight.whole:
            _require_gateways(edits, await self._registry.city(who.sight.sites))
        try:
            changes = await self._book.write(
                edits, actor=who.username, reason=reason, seen=seen, sites=who.sight.sites
            )
        except Faults as error:
            raise _invalid(error) from error
        if len(changes) > MOST_TOLD:
            many = {"things": len(changes), "reason": reason}
            changes = [Change(edits[0].kind, "(many)", {}, many)]
        for change in changes:
            tell(change)

    async def _reached(self, sight: Sight, kind: Kind, city: City) -> dict[str, State]:
        records = views.records(city, kind)
        return {
            key: state
            for key, state in (await self._book.states(kind)).items()
            if (sight.whole or (key in records and owns(sight, city, records[key])))
            and not (kind == "point" and key in records and city.points[key].retired)
        }

    async def _find(self, sight: Sight, kind: Kind, key: str) -> tuple[City, Record]:
        city = await self._registry.city(sight.sites)
        record = views.records(city, kind).get(key)
        if record is None or not sees(sight, city, record):
            raise not_found(kind, key)
        return city, record

    async def _own(self, sight: Sight, kind: Kind, key: str) -> None:
        """Problem 404 for what is out of sight, 403 `whole-city` for a gateway that serves more than that."""
        city, record = await self._find(sight, kind, key)
        if not owns(sight, city, record):
            raise _whole_city("change a gateway that serves other sites too")

    async def _attached(self, sight: Sight, key: str) -> Attachment:
        found = await self._attachments.get(key)
        city = await self._registry.city(sight.sites)
        kind: Kind = found.kind  # type: ignore[assignment]  # written by `attach` only
        record = views.records(city, kind).get(found.thing)
        if record is None or not owns(sight, city, record):
            raise not_found("attachment", key)
        return found

    async def _open_alarms(self, sight: Sight, kind: Kind, key: str) -> int:
        column = {
            "site": AlarmRow.site, "gateway": AlarmRow.gateway, "device": AlarmRow.device,
            "point": AlarmRow.point,
        }[kind]  # fmt: skip
        statement = select(func.count()).where(
            AlarmRow.closed_at.is_(None), column == key, *at_sites(AlarmRow.site, sight.sites)
        )
        async with self._database.session() as session:
            return await session.scalar(statement) or 0

    async def _indexed(self) -> Index:
        """Return the index of the present City; a new one is built beside the event loop."""
        city = await self._registry.city()
        async with self._indexing:
            if self._index is None or self._index.city is not city:
                self._index = await asyncio.to_thread(Index, city)
            return self._index

    def _now(self) -> datetime:
        return to_datetime(self._clock())


def sees(sight: Sight, city: City, record: Record) -> bool:
    """Say whether a thing is within sight; a gateway is, where one of the sites that it serves is."""
    site = views.site_of(city, record)
    if site is not None and sight.sees(site.id):
        return True
    served = city.sites_of_gateway.get(record.id, frozenset()) if _is_gateway(record) else frozenset()
    return sight.whole or any(sight.sees(key) for key in served)


def owns(sight: Sight, city: City, record: Record) -> bool:
    """Say whether everything that hangs on a thing is within sight; city: its part that is."""
    return sees(sight, city, record) and not (_is_gateway(record) and record.id in city.split)


def _require_gateways(edits: list[Edit], city: City) -> None:
    """Refuse devices at gateways that serve, or would then serve, more than what is in sight.

    A device brings its gateway into sight: one that is out of it is none, as one that does not exist.
    """
    for edit in edits:
        gateway = edit.id.partition(".")[0]
        mine = gateway in city.registered_gateways and gateway not in city.split
        if edit.kind == "device" and edit.new and not mine:
            raise no_gateway(gateway)


def _is_gateway(record: Record) -> bool:
    return not isinstance(record, PointRecord | SiteRecord) and not hasattr(record, "gateway")


def _given(fields: schemas.Fields) -> dict[str, Any]:
    return fields.model_dump(exclude_unset=True)


def _refuse_rights(made: Plan) -> None:
    fault = Fault("登记站点、更改区域或部门须有全市权限", "this needs a right over the whole city")
    for step in made.steps:
        names = ["id"] if step.outcome == "added" else sorted(step.after.keys() & RIGHTS_HANG_ON)
        made.mistakes += [tablefile.Mistake(step.line, name, fault.zh, fault.en) for name in names]


def _whole_city(deed: str) -> Problem:
    return Problem(
        403,
        "whole-city",
        "This needs a right over the whole city",
        f"Your right to edit the registry reaches a part of the city, so you may not {deed}.",
    )


def _invalid(error: Faults) -> Problem:
    errors = [
        {"field": f"body.fields.{name}", "problem": fault.en, "problem_zh": fault.zh}
        for name, fault in error.faults
    ]
    return Problem(422, "invalid", "A field is wrong", str(error), errors=errors)
