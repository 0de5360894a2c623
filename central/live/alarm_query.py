"""Which alarms: the filter of the list as SQL, its two orders, pages by key, and counts by facet.

What needs the registry (area, kind of device, words that name a place) is resolved by the caller into sets
of site and device ids, so that the list is one table and one index.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from central.kernel.shapes import decode_cursor, encode_cursor
from central.live.alarm_rows import AlarmRow
from central.store.reach import among
from protocols.model.alarm import ACTIVE_STATES, UNACKED_STATES
from protocols.model.clock import from_datetime, to_datetime

StateFilter = Literal["active", "unacked", "open", "closed", "all"]
Sort = Literal["newest", "priority"]
"""`newest`: raised last comes first; `priority`: P1 first, of one priority the oldest first."""
NOBODY: Final = "-"
"""As `assignee`: assigned to nobody."""

COUNTED: Final = 1000
"""A page says how many there are up to here: counting a storm would take longer than the page."""

ACTIVE: Final = AlarmRow.state.in_([state.value for state in ACTIVE_STATES])
UNACKED: Final = AlarmRow.state.in_([state.value for state in UNACKED_STATES])
OPEN: Final = AlarmRow.closed_at.is_(None)
BARE: Final = and_(func.cardinality(AlarmRow.overlays) == 0, func.cardinality(AlarmRow.covers) == 0)
"""Nothing lies over it: somebody is called."""
SHOWN: Final = and_(OPEN, BARE)
_BY_STATE: Final[dict[StateFilter, list[ColumnElement[bool]]]] = {
    "active": [OPEN, ACTIVE],
    "unacked": [OPEN, UNACKED],
    "open": [OPEN],
    "closed": [~OPEN],
    "all": [],
}
CAUSE: Final = case(
    (AlarmRow.muted_by != "", literal("gateway:") + AlarmRow.muted_by),
    (AlarmRow.group_key != "", literal("group:") + AlarmRow.gateway + "." + AlarmRow.group_key),
    else_=literal("rule:") + func.substr(AlarmRow.rule_id, func.strpos(AlarmRow.rule_id, ".") + 1),
)
"""Why it is there, as `central.live.alarm_views.cause` says it for one row."""


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """Which alarms; None (or nothing) does not narrow. `open` means not closed, shelved None both.

    sites and devices: only these ids. text: words of which each must be found in the alarm's names, rule,
    device or point, or (sites_named, devices_named, by word) in the name of its place. assignee: a user
    name, or NOBODY. overlay: a code that lies over it, put there by the gateway or the centre. since: raised
    at or after it. folded: in a folded storm or not; fold: in this one. ids: only these.
    """

    state: StateFilter = "open"
    priority: Sequence[str] = ()
    site: str | None = None
    device: str | None = None
    gateway: str | None = None
    category: str | None = None
    rule: str | None = None
    cause: str | None = None
    kind: str | None = None
    text: str | None = None
    overlay: str | None = None
    assignee: str | None = None
    since: datetime | None = None
    shelved: bool | None = None
    folded: bool | None = None
    fold: int | None = None
    ids: Sequence[str] | None = None
    sites: Set[str] | None = None
    devices: Set[str] | None = None
    sites_named: Sequence[Set[str]] = ()
    devices_named: Sequence[Set[str]] = ()
    sort: Sort = "newest"
    limit: int = 100
    cursor: str | None = None


def conditions(query: AlarmQuery) -> list[ColumnElement[bool]]:
    """Return what a row must meet."""
    where = [*_BY_STATE[query.state]]
    same = (
        (AlarmRow.site, query.site),
        (AlarmRow.device, query.device),
        (AlarmRow.gateway, query.gateway),
        (AlarmRow.category, query.category),
        (AlarmRow.kind, query.kind),
        (AlarmRow.fold, query.fold),
    )
    where += [column == wanted for column, wanted in same if wanted is not None]
    if query.priority:
        where.append(AlarmRow.priority.in_(query.priority))
    if query.rule is not None:
        where.append(or_(AlarmRow.rule_id == query.rule, AlarmRow.rule_id.like("%." + _literal(query.rule))))
    if query.cause is not None:
        where.append(CAUSE == query.cause)  # noqa: SIM300 - a column, not a constant
    if query.overlay is not None:
        where.append(
            or_(AlarmRow.overlays.contains([query.overlay]), AlarmRow.cover_codes.contains([query.overlay]))
        )
    if query.assignee is not None:
        nobody = query.assignee == NOBODY
        where.append(AlarmRow.assignee.is_(None) if nobody else AlarmRow.assignee == query.assignee)
    if query.since is not None:
        where.append(AlarmRow.raised_at >= query.since)
    if query.shelved is not None:
        shelved = AlarmRow.shelved_until.is_not(None)
        where.append(shelved if query.shelved else ~shelved)
    if query.folded is not None:
        where.append(AlarmRow.fold.is_not(None) if query.folded else AlarmRow.fold.is_(None))
    for column, ids in (
        (AlarmRow.id, query.ids),
        (AlarmRow.site, query.sites),
        (AlarmRow.device, query.devices),
    ):
        if ids is not None:
            where.append(among(column, ids))
    return where + _words(query)


def _words(query: AlarmQuery) -> list[ColumnElement[bool]]:
    said = func.lower(
        func.concat_ws(
            " ", AlarmRow.name_zh, AlarmRow.name_en, AlarmRow.rule_id, AlarmRow.device, AlarmRow.point,
            type_=String,
        )
    )  # fmt: skip
    found = []
    for place, word in enumerate(words(query.text)):
        either: list[ColumnElement[bool]] = [said.like(f"%{_literal(word)}%")]
        if place < len(query.sites_named) and query.sites_named[place]:
            either.append(among(AlarmRow.site, query.sites_named[place]))
        if place < len(query.devices_named) and query.devices_named[place]:
            either.append(among(AlarmRow.device, query.devices_named[place]))
        found.append(or_(*either))
    return found


def words(text: str | None) -> list[str]:
    """Return what is searched for: each word must be found, in any case."""
    return (text or "").lower().split()


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def ordered(statement: Select[AlarmRow], query: AlarmQuery) -> Select[AlarmRow]:
    """Sort, and begin after the cursor. Problem 400 for a cursor that was not made here, for this order."""
    at, key, priority = AlarmRow.raised_at, AlarmRow.id, AlarmRow.priority
    if query.sort == "newest":
        statement = statement.order_by(at.desc(), key.desc())
        if query.cursor is not None:
            time_us, last = decode_cursor(query.cursor, int, str)
            statement = statement.where(tuple_(at, key) < tuple_(to_datetime(time_us), last))
        return statement
    statement = statement.order_by(priority, at, key)
    if query.cursor is not None:
        level, time_us, last = decode_cursor(query.cursor, str, int, str)
        statement = statement.where(tuple_(priority, at, key) > tuple_(level, to_datetime(time_us), last))
    return statement


def cursor_after(row: AlarmRow, sort: Sort) -> str:
    """Return the cursor of the page that begins after this row."""
    at = from_datetime(row.raised_at)
    return encode_cursor(at, row.id) if sort == "newest" else encode_cursor(row.priority, at, row.id)


async def page(session: AsyncSession, query: AlarmQuery) -> tuple[Sequence[AlarmRow], str | None]:
    """Return a page, and the cursor of the next; None at the end."""
    statement = ordered(select(AlarmRow).where(*conditions(query)), query).limit(query.limit + 1)
    rows = (await session.scalars(statement)).all()
    if len(rows) <= query.limit:
        return rows, None
    shown = rows[: query.limit]
    return shown, cursor_after(shown[-1], query.sort)


async def total(session: AsyncSession, query: AlarmQuery) -> int | None:
    """Count what the filter lets through, up to COUNTED; None: more. `facets` counts them all."""
    some = select(literal(1)).select_from(AlarmRow).where(*conditions(query)).limit(COUNTED + 1).subquery()
    found = await session.scalar(select(func.count()).select_from(some)) or 0
    return found if found <= COUNTED else None


FACETS: Final[dict[str, SQLColumnExpression[str]]] = {
    "priority": AlarmRow.priority,
    "state": AlarmRow.state,
    "site": AlarmRow.site,
    "category": AlarmRow.category,
    "kind": AlarmRow.kind,
    "assignee": func.coalesce(AlarmRow.assignee, NOBODY),
    "overlay": case(
        (AlarmRow.overlays.contains(["OOSRV"]) | AlarmRow.cover_codes.contains(["OOSRV"]), "OOSRV"),
        (AlarmRow.overlays.contains(["DSUPR"]) | AlarmRow.cover_codes.contains(["DSUPR"]), "DSUPR"),
        (AlarmRow.overlays.contains(["SHLVD"]), "SHLVD"),
        else_="",
    ),
}


async def facets(session: AsyncSession, query: AlarmQuery) -> dict[str, dict[str, int]]:
    """Count what the filter lets through by facet and value, the most first. One pass over the rows."""
    columns: list[ColumnElement[str]] = [column.label(name) for name, column in FACETS.items()]
    chosen = select(*columns).where(*conditions(query)).subquery()
    parts = [chosen.c[name] for name in FACETS]
    rows = await session.execute(
        select(func.grouping(*parts), *parts, func.count()).group_by(
            func.grouping_sets(*(tuple_(part) for part in parts))
        )
    )
    found: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    names = list(FACETS)
    for row in rows:
        # GROUPING sets a bit for each column that is not grouped by; the last column is the lowest bit.
        place = next(i for i in range(len(names)) if not int(row[0]) >> (len(names) - 1 - i) & 1)
        found[names[place]][str(row[1 + place])] = int(row[-1])
    return {
        name: dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        for name, counts in found.items()
    }
