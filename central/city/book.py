"""The registry's book: every change in one transaction with what it was before, who made it, when and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from central.city.fields import FIELDS, HAVE_LIFE, Kind, Known
from central.city.layers import State, amend, difference, register
from central.city.lifecycle import Lifecycle, check_move
from central.kernel.problem import not_found
from central.store.base import Database
from central.store.registry import lock_registry
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime

Action = Literal["registered", "edited", "lifecycle", "attached", "detached"]

TABLES: Final[Mapping[Kind, str]] = {
    "site": "sites",
    "gateway": "gateways",
    "device": "devices",
    "point": "points",
}
_TYPES: Final = {
    "text": "text",
    "reference": "text",
    "number": "float8",
    "tags": "text[]",
    "contacts": "jsonb",
}

NOTE = """
INSERT INTO registry_changes (at, actor, kind, thing, action, before, after, reason)
SELECT %(at)s, %(actor)s, kind, thing, action, before, after, %(reason)s
FROM ROWS FROM (jsonb_to_recordset(%(rows)s)
    AS (kind text, thing text, action text, before jsonb, after jsonb))
    WITH ORDINALITY ORDER BY ordinality
"""

HISTORY = """
SELECT number, at, actor, action, before, after, reason FROM registry_changes
WHERE kind = %s AND thing = %s AND number < %s ORDER BY number DESC LIMIT %s
"""

ADD_SITES = """
INSERT INTO sites (id, {columns}, declared) SELECT id, {columns}, NULL
FROM jsonb_to_recordset(%(rows)s) AS d (id text, {typed})
"""

# What no gateway declares has no values: it is kept as a retired device is, until it is declared.
ADD_DEVICES = """
INSERT INTO devices (id, {columns}, gateway, key, profile, profile_version, protocol, retired_at, declared)
SELECT id, {columns}, split_part(id, '.', 1), split_part(id, '.', 2), '', 0, '', %(now)s, NULL
FROM jsonb_to_recordset(%(rows)s) AS d (id text, {typed})
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to one thing: fields, where new is True all of them, and the state that it moves to."""

    kind: Kind
    id: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    new: bool = False
    lifecycle: Lifecycle | None = None
    on: datetime | None = None
    """Since when it is in that state; None: now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the book."""

    number: int
    at: datetime
    actor: str
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one edit did, for the audit trail."""

    kind: Kind
    id: str
    before: dict[str, Any]
    after: dict[str, Any]


class Book:
    """Reads and changes what people write. Rights are asked before."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def state(self, kind: Kind, key: str) -> tuple[State, int]:
        """Return a thing with both layers, and the number of its last change (0: none). Problem 404."""
        async with self._database.pool.connection() as connection:
            found = await read(connection, kind, [key])
            if key not in found:
                raise not_found(kind, key)
            return found[key], await _last(connection, kind, key)

    async def states(self, kind: Kind) -> dict[str, State]:
        """Return every thing of a kind, by id."""
        async with self._database.pool.connection() as connection:
            return await read(connection, kind, None)

    async def known(self, sites: AbstractSet[str] | None = None) -> Known:
        """Return what a value may point to now; sites: none but these."""
        async with self._database.pool.connection() as connection:
            return await known(connection, sites)

    async def history(
        self, kind: Kind, key: str, *, limit: int, before: int | None = None
    ) -> tuple[list[Entry], int | None]:
        """Return the changes of a thing, newest first, and the number to go on from; None at the end."""
        async with self._database.pool.connection() as connection:
            cursor = await connection.execute(HISTORY, (kind, key, before or 2**62, limit + 1))
            rows: list[Any] = await cursor.fetchall()
        entries = [Entry(*row) for row in rows[:limit]]
        return entries, entries[-1].number if len(rows) > limit else None

    async def write(
        self,
        edits: Sequence[Edit],
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
        sites: AbstractSet[str] | None = None,
    ) -> list[Change]:
        """Make all the edits or none; what changes nothing leaves no trace.

        sites: those that a thing may be put at; None: any.
        seen: the number of the last change that the person had read, where there is one thing.
        Raises Faults for values, Problem 404 for a missing thing, Rejected `changed-meanwhile`, `lifecycle`,
        `taken`, `no-gateway`.
        """
        now = to_datetime(self._clock())
        async with self._database.pool.connection() as connection, connection.transaction():
            await lock_registry(connection)
            if seen is not None and await _last(connection, edits[0].kind, edits[0].id) != seen:
                raise Rejected(
                    "changed-meanwhile", "somebody changed it meanwhile; look at it again, then change it"
                )
            changes: list[Change] = []
            # Sites before what stands on them.
            for kind in TABLES:
                mine = [edit for edit in edits if edit.kind == kind]
                if mine:
                    about = await known(connection, sites)
                    changes += await self._write(
                        connection, kind, mine, about, now, actor=actor, reason=reason
                    )
        return changes

    async def note(self, action: Action, change: Change, *, actor: str, reason: str) -> None:
        """Write down what was done to a thing beside its fields."""
        async with self._database.pool.connection() as connection, connection.transaction():
            await lock_registry(connection)
            await _note(connection, [(action, change)], to_datetime(self._clock()), actor, reason)

    async def _write(
        self,
        connection: AsyncConnection[Any],
        kind: Kind,
        edits: Sequence[Edit],
        about: Known,
        now: datetime,
        *,
        actor: str,
        reason: str,
    ) -> list[Change]:
        there = await read(connection, kind, [edit.id for edit in edits])
        added: list[State] = []
        changed: list[State] = []
        lines: list[tuple[Action, Change]] = []
        for edit in edits:
            if edit.new:
                if edit.id in there:
                    raise Rejected("taken", f"there is a {kind} {edit.id!r} already")
                state = register(kind, edit.id, edit.changes, about)
                state["lifecycle"] = (edit.lifecycle or Lifecycle.PLANNED).value
                state["lifecycle_at"] = edit.on or now
                there[edit.id] = state
                added.append(state)
                lines.append(("registered", Change(kind, edit.id, {}, _told(kind, state))))
                continue
            before = there.get(edit.id)
            if before is None:
                raise not_found(kind, edit.id)
            after = amend(kind, before, edit.changes, about)
            action: Action = "edited"
            if edit.lifecycle is not None and edit.lifecycle != before["lifecycle"]:
                check_move(Lifecycle(before["lifecycle"]), edit.lifecycle)
                after |= {"lifecycle": edit.lifecycle.value, "lifecycle_at": edit.on or now}
                action = "lifecycle"
            was, became = difference(kind, before, after)
            if not became:
                continue
            if action == "lifecycle":
                became["since"] = (edit.on or now).isoformat()
            changed.append(after)
            lines.append((action, Change(kind, edit.id, was, became)))
        await _add(connection, kind, added, now)
        await _update(connection, kind, changed)
        await _note(connection, lines, now, actor, reason)
        return [change for _, change in lines]


def _told(kind: Kind, state: State) -> dict[str, Any]:
    """Return what a new thing says, without what nobody said."""
    nothing = {**state, "written": {}, **{item.name: item.empty for item in FIELDS[kind]}, "lifecycle": None}
    return {name: value for name, value in difference(kind, nothing, state)[1].items() if "." not in name}


def no_gateway(gateway: str) -> Rejected:
    """Build the refusal of a device whose gateway is not there."""
    return Rejected(
        "no-gateway",
        f"there is no gateway {gateway!r}; make an enrolment code for it first, its devices then",
    )


async def read(connection: AsyncConnection[Any], kind: Kind, ids: list[str] | None) -> dict[str, State]:
    """Return things by id with both layers; None: every one."""
    life = ", lifecycle, lifecycle_at" if kind in HAVE_LIFE else ""
    columns = ", ".join(item.name for item in FIELDS[kind])
    statement = f"SELECT id, {columns}, declared, written{life} FROM {TABLES[kind]}"  # noqa: S608 - our own names
    async with connection.cursor(row_factory=dict_row) as cursor:
        if ids is None:
            await cursor.execute(statement.encode())
        else:
            await cursor.execute(f"{statement} WHERE id = ANY(%s)".encode(), (ids,))
        return {row["id"]: row for row in await cursor.fetchall()}


async def known(connection: AsyncConnection[Any], reach: AbstractSet[str] | None) -> Known:
    """Return the sites, within reach, and the departments that there are."""
    sites: list[Any] = await (await connection.execute("SELECT id FROM sites")).fetchall()
    departments: list[Any] = await (await connection.execute("SELECT id FROM departments")).fetchall()
    return Known(
        frozenset(row[0] for row in sites if reach is None or row[0] in reach),
        frozenset(row[0] for row in departments),
    )


async def _last(connection: AsyncConnection[Any], kind: Kind, key: str) -> int:
    cursor = await connection.execute(
        "SELECT coalesce(max(number), 0) FROM registry_changes WHERE kind = %s AND thing = %s", (kind, key)
    )
    row: Any = await cursor.fetchone()
    return int(row[0])


def _columns(kind: Kind) -> dict[str, str]:
    columns = {item.name: _TYPES[item.shape] for item in FIELDS[kind]} | {"written": "jsonb"}
    return columns | ({"lifecycle": "text", "lifecycle_at": "timestamptz"} if kind in HAVE_LIFE else {})


def _rows(states: Sequence[State]) -> Jsonb:
    return Jsonb(
        [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in state.items()
            }
            for state in states
        ]
    )


async def _add(connection: AsyncConnection[Any], kind: Kind, states: Sequence[State], now: datetime) -> None:
    if not states:
        return
    columns = _columns(kind)
    if kind == "device":
        named = {state["id"].partition(".")[0] for state in states}
        cursor = await connection.execute("SELECT id FROM gateways WHERE id = ANY(%s)", (list(named),))
        rows: list[Any] = await cursor.fetchall()
        if missing := sorted(named - {row[0] for row in rows}):
            raise no_gateway(missing[0])
    statement = (ADD_SITES if kind == "site" else ADD_DEVICES).format(
        columns=", ".join(columns), typed=", ".join(f"{name} {sort}" for name, sort in columns.items())
    )
    await connection.execute(statement.encode(), {"rows": _rows(states), "now": now})


async def _update(connection: AsyncConnection[Any], kind: Kind, states: Sequence[State]) -> None:
    if not states:
        return
    columns = _columns(kind)
    sets = ", ".join(f"{name} = d.{name}" for name in columns)
    typed = ", ".join(f"{name} {sort}" for name, sort in columns.items())
    statement = (
        f"UPDATE {TABLES[kind]} t SET {sets} "  # noqa: S608 - our own names
        f"FROM jsonb_to_recordset(%s) AS d (id text, {typed}) WHERE t.id = d.id"
    )
    await connection.execute(statement.encode(), (_rows(states),))


async def _note(
    connection: AsyncConnection[Any],
    lines: Sequence[tuple[Action, Change]],
    now: datetime,
    actor: str,
    reason: str,
) -> None:
    rows = [
        {"kind": c.kind, "thing": c.id, "action": action, "before": c.before, "after": c.after}
        for action, c in lines
    ]
    if rows:
        await connection.execute(NOTE, {"at": now, "actor": actor, "reason": reason, "rows": Jsonb(rows)})
