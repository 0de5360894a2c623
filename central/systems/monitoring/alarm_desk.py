"""The desk around the list: many acts at once, covers, folded storms, groups, views, people to assign to."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.city.registry import City, Registry
from central.kernel.bus import Bus
from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Name
from central.live import alarm_covers, alarm_folds
from central.live.alarm_answers import Deed
from central.live.alarm_query import ACTIVE, CAUSE, OPEN, UNACKED, AlarmQuery, conditions
from central.live.alarm_rows import AlarmRow
from central.live.alarms import AlarmBoard
from central.live.desk_rows import CoverRow, FoldRow
from central.security.principal import Principal
from central.store.base import Database
from central.store.reach import at_sites
from central.systems.monitoring import schemas_desk as schemas
from central.systems.monitoring.alarm_filter import AlarmFilter, query_of
from protocols.model.clock import Clock, to_datetime

TOLD_ONE_BY_ONE = 200
"""Beyond so many changed alarms the screens are told to load the list again."""
MOST_COVER_DAYS = 366


class Desk:
    """What people do at the desk. Every change is one transaction, then told on the bus."""

    def __init__(
        self,
        *,
        board: AlarmBoard,
        registry: Registry,
        database: Database,
        bus: Bus,
        clock: Clock,
        positions: int,
    ) -> None:
        self._board = board
        self._registry = registry
        self._database = database
        self._bus = bus
        self._clock = clock
        self.positions = positions

    async def act(self, asked: schemas.Acts, who: Principal) -> schemas.ActsDone:
        """Acknowledge, reset, comment or assign many alarms."""
        actor, board = who.username, self._board
        match asked.verb:
            case "acknowledge":
                deed = board.acknowledging(actor, asked.comment)
            case "reset":
                deed = board.resetting(actor, asked.comment)
            case "comment":
                deed = board.commenting(actor, asked.comment)
            case "assign":
                deed = board.assigning(actor, asked.assignee, asked.comment)
        return await self._many(asked.ids, asked.filter, deed, who)

    async def overlay(self, asked: schemas.OverlayActs, who: Principal) -> schemas.ActsDone:
        """Shelve, unshelve, take out of service or return many alarms."""
        actor, board = who.username, self._board
        match asked.verb:
            case "shelve":
                deed = board.shelving(actor, asked.minutes, asked.comment)
            case "unshelve":
                deed = board.unshelving(actor, asked.comment)
            case "suspend":
                deed = board.suspending(actor, asked.comment)
            case "return":
                deed = board.returning(actor, asked.comment)
        return await self._many(asked.ids, asked.filter, deed, who)

    async def _many(
        self, ids: Sequence[str] | None, asked: AlarmFilter | None, deed: Deed, who: Principal
    ) -> schemas.ActsDone:
        if asked is not None:
            query = query_of(asked, who, await self._registry.city())
        else:
            query = AlarmQuery(state="all", ids=ids, sites=who.sight.sites)
        chosen, more = await self._board.ids(replace(query, limit=schemas.MOST_ACTS))
        answers = dict(await self._board.many(chosen, deed))
        failures = [
            schemas.ActFailure(id=alarm, code=refusal.reason, detail=str(refusal))
            for alarm, refusal in answers.items()
            if refusal is not None
        ]
        for alarm in sorted(set(ids or ()) - set(chosen)):
            missing = not_found("alarm", alarm)
            failures.append(schemas.ActFailure(id=alarm, code=missing.code, detail=missing.detail))
        done = sum(refusal is None for refusal in answers.values())
        return schemas.ActsDone(done=done, failures=failures, remaining=more)

    async def covers(self, who: Principal, ended: bool) -> schemas.CoverList:
        """List what lies or will lie over alarms; `ended` ones too, the last hundred."""
        city = await self._registry.city()
        statement = select(CoverRow).order_by(CoverRow.id.desc()).limit(100 if ended else 1000)
        if not ended:
            statement = statement.where(CoverRow.ended_at.is_(None))
        async with self._database.session() as session:
            rows = [row for row in await session.scalars(statement) if _sees(who, row, city)]
            return schemas.CoverList(items=[await self._cover(session, row, who) for row in rows])

    async def new_cover(self, asked: schemas.NewCover, who: Principal) -> schemas.Cover:
        """Lay a window or a suppression. Problems 404, 422 `bad-span`, `too-wide`."""
        city, now_us = await self._registry.city(who.sight.sites), self._clock()
        now = to_datetime(now_us)
        from_at = max(asked.from_at or now, now)
        if not from_at < asked.until_at:
            raise Problem(422, "bad-span", "The time is over", "`until_at` must lie after `from_at` and now.")
        if (asked.until_at - from_at).days > MOST_COVER_DAYS:
            raise Problem(422, "bad-span", "Too long", "A cover lasts for up to a year; renew it then.")
        if asked.device is not None and asked.device not in city.devices:
            raise not_found("device", asked.device)
        if asked.site is not None and asked.site not in city.sites:
            raise not_found("site", asked.site)
        row = CoverRow(
            kind=asked.kind,
            site=asked.site,
            device=asked.device,
            rule=asked.rule,
            from_at=from_at,
            until_at=asked.until_at,
            reason=asked.reason.strip(),
            made_by=who.username,
            made_at=now,
        )
        if not _sees(who, row, city):
            raise Problem(422, "too-wide", "Too wide", "Name a site or a device of yours; you see a part.")
        if asked.site is None and asked.device is None and asked.rule is None:
            raise Problem(422, "too-wide", "Too wide", "Name a site, a device or a rule, not the whole city.")
        async with self._database.session() as session:
            session.add(row)
            await session.flush()
            laid = alarm_covers.Laid()
            if from_at <= now:
                laid = await alarm_covers.begin(session, row, now)
            shown = await self._cover(session, row, who)
        await self.tell(laid.changed, "covers", _places(row, city))
        return shown

    async def end_cover(self, cover: int, asked: schemas.Reason, who: Principal) -> schemas.Cover:
        """End a window or a suppression now. Problem 404; 409 for inhibition, which ends with its cause."""
        city, now = await self._registry.city(), to_datetime(self._clock())
        async with self._database.session() as session:
            row = await session.get(CoverRow, cover, with_for_update=True)
            if row is None or not _sees(who, row, city):
                raise not_found("cover", str(cover))
            if row.kind == "inhibition":
                detail = "It ends when the gateway is heard again."
                raise Problem(409, "inhibition", "Not ended by hand", detail)
            laid = alarm_covers.Laid()
            if row.ended_at is None:
                laid = await alarm_covers.end(session, row, now, who.username, asked.reason)
            shown = await self._cover(session, row, who)
        await self.tell(laid.changed, "covers", _places(row, city))
        await self._board.forward(laid.acts)
        return shown

    async def _cover(self, session: AsyncSession, row: CoverRow, who: Principal) -> schemas.Cover:
        where = [OPEN, AlarmRow.covers.contains([row.id]), *at_sites(AlarmRow.site, who.sight.sites)]
        under = await session.scalar(select(func.count()).select_from(AlarmRow).where(*where))
        columns = {name: getattr(row, name) for name in schemas.Cover.model_fields if name != "alarms"}
        return schemas.Cover.model_validate({**columns, "alarms": under or 0})

    async def folds(self, who: Principal) -> schemas.FoldList:
        """List the folded storms that hold open alarms, and how near a flood is."""
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            count = await alarm_folds.calls(session, now, who.sight.sites)
            going = await alarm_folds.current(session)
            rows = (
                await session.scalars(
                    select(FoldRow).where(FoldRow.undone_at.is_(None)).order_by(FoldRow.id.desc()).limit(50)
                )
            ).all()
            shown = [await self._fold(session, row, who) for row in rows]
        shown = [fold for fold in shown if fold.alarms]
        felt = going is not None and (who.sight.whole or any(fold.id == going.id for fold in shown))
        flood = schemas.Flood(
            rate=round(count / self.positions, 1),
            since=going.since if going and felt else None,
            positions=self.positions,
            begins=alarm_folds.BEGINS,
            ends=alarm_folds.ENDS,
        )
        return schemas.FoldList(flood=flood, items=shown)

    async def fold(self, asked: schemas.NewFold, who: Principal) -> schemas.Fold:
        """Fold what a filter lets through, as far as it is not urgent. Problem 409 where nothing is."""
        query = query_of(asked.filter, who, await self._registry.city())
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            row, folded = await alarm_folds.by_hand(session, query, now, who.username, asked.reason)
            if not folded:
                detail = "The filter lets no open P3 or P4 alarm through; P1 and P2 are never folded."
                raise Problem(409, "nothing-to-fold", "Nothing to fold", detail)
            shown = await self._fold(session, row, who)
        await self.tell(folded, "folds")
        return shown

    async def unfold(self, fold: int, asked: schemas.Reason, who: Principal) -> schemas.Fold:
        """Undo a fold: its alarms stand in the list again. Problem 404; 403 for who sees but a part of it."""
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            row = await session.get(FoldRow, fold, with_for_update=True)
            if row is None or not ((await self._fold(session, row, who)).alarms or who.sight.whole):
                raise not_found("fold", str(fold))
            if not who.sight.whole:
                members = await session.scalars(select(AlarmRow.site).where(AlarmRow.fold == fold).distinct())
                if not all(who.sight.sees(site) for site in members):
                    detail = "This storm reaches beyond your part of the city; ask the duty chief."
                    raise Problem(403, "out-of-sight", "Not yours alone", detail)
            changed = []
            if row.undone_at is None:
                changed = await alarm_folds.undo(session, row, now, who.username, asked.reason)
            shown = await self._fold(session, row, who)
        await self.tell(changed, "folds")
        return shown

    async def _fold(self, session: AsyncSession, row: FoldRow, who: Principal) -> schemas.Fold:
        where = [OPEN, AlarmRow.fold == row.id, *at_sites(AlarmRow.site, who.sight.sites)]
        counts = (
            await session.execute(
                select(
                    AlarmRow.priority,
                    func.count(),
                    func.count().filter(UNACKED),
                    func.count().filter(ACTIVE),
                )
                .where(*where)
                .group_by(AlarmRow.priority)
                .order_by(AlarmRow.priority)
            )
        ).all()
        sites = await session.scalar(select(func.count(AlarmRow.site.distinct())).where(*where))
        total, unacked, active = (sum(int(line[column]) for line in counts) for column in (1, 2, 3))
        columns = {
            name: getattr(row, name)
            for name in schemas.Fold.model_fields
            if name in FoldRow.__table__.columns
        }
        if not who.sight.whole:
            columns["rate"] = None
            if row.kind == "auto":
                columns["reason"] = ""  # it counts the whole city's calls
        return schemas.Fold.model_validate(
            {
                **columns,
                "alarms": total,
                "unacked": unacked,
                "active": active,
                "by_priority": {line[0]: line[1] for line in counts},
                "sites": sites or 0,
            }
        )

    async def groups(self, by: str, asked: AlarmFilter, who: Principal) -> schemas.GroupList:
        """Group what a filter lets through by site or by cause, the worst and largest first."""
        query = query_of(asked, who, await self._registry.city())
        key = AlarmRow.site if by == "site" else CAUSE
        worst = func.min(AlarmRow.priority)
        statement = (
            select(
                key.label("key"),
                func.count(),
                func.count().filter(ACTIVE),
                func.count().filter(UNACKED),
                worst,
                func.min(AlarmRow.raised_at),
                func.max(AlarmRow.raised_at),
                func.min(AlarmRow.id).filter(AlarmRow.first_out),
                func.min(AlarmRow.priority + AlarmRow.name_zh),
                func.min(AlarmRow.priority + AlarmRow.name_en),
            )
            .where(*conditions(query))
            .group_by(key)
            .order_by(worst, func.count().desc(), key)
            .limit(1000)
        )
        async with self._database.session() as session:
            rows = (await session.execute(statement)).all()
        return schemas.GroupList(
            items=[
                schemas.Group(
                    key=row[0],
                    count=row[1],
                    active=row[2],
                    unacked=row[3],
                    worst=row[4],
                    oldest=row[5],
                    newest=row[6],
                    first_out=row[7],
                    name=Name(zh=row[8][2:], en=row[9][2:]),
                )
                for row in rows
            ]
        )

    async def tell(self, changed: Sequence[str], what: schemas.News, at: Set[str] = frozenset()) -> None:
        """Tell open screens; called after the commit. at: sites that are concerned beside the alarms'."""
        sites = frozenset(at) | await self._board.sites_of(changed)
        if len(changed) <= TOLD_ONE_BY_ONE:
            await self._board.publish(changed)
        else:
            self._bus.publish("desk", DeskChange("list", sites))
        self._bus.publish("desk", DeskChange(what, sites))


@dataclass(frozen=True, slots=True)
class DeskChange:
    """What travels on the bus as `desk`: what is to be loaded again, and the sites that it concerns."""

    what: schemas.News
    sites: frozenset[str]


def _places(cover: CoverRow, city: City) -> frozenset[str]:
    """Return the sites that a cover names: its own, its device's, those of its gateway's devices."""
    named = {cover.site} if cover.site is not None else set()
    if cover.device in city.devices:
        named.add(city.devices[cover.device].site)
    if cover.gateway is not None:
        named |= city.sites_of_gateway.get(cover.gateway, frozenset())
    return frozenset(named)


def _sees(who: Principal, cover: CoverRow, city: City) -> bool:
    """Say whether a cover lies within somebody's sight: its site, its device, or a device of its gateway."""
    if who.sight.whole:
        return True
    if cover.site is not None:
        return who.sight.sees(cover.site)
    if cover.device is not None:
        device = city.devices.get(cover.device)
        return device is not None and who.sight.sees(device.site)
    if cover.gateway is not None:
        return any(
            who.sight.sees(item.site) for item in city.devices.values() if item.gateway == cover.gateway
        )
    return False
