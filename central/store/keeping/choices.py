"""Choosing classes: of one point, or of every point of a kind of device."""

from __future__ import annotations

from dataclasses import dataclass

from central.store.base import Database
from central.store.keeping.classes import CLASS_OF, RetentionClass
from protocols.errors import Rejected

POINTS = f"""
SELECT {CLASS_OF} AS class, d.kind, count(*) FROM points p JOIN devices d ON d.id = p.device
LEFT JOIN retention_kinds k ON k.kind = d.kind WHERE p.retired_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - made of a constant
POINT = f"""
SELECT p.retention, {CLASS_OF}, d.site FROM points p JOIN devices d ON d.id = p.device
LEFT JOIN retention_kinds k ON k.kind = d.kind WHERE p.id = %s
"""  # noqa: S608 - made of a constant
AGAIN = "UPDATE kept_days SET thinned = '{}' WHERE dropped_at IS NULL AND thinned <> '{}'"
"""After a change of classes each day is looked at again: what is now due in it goes."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many points of a kind of device are in a class."""

    retention: RetentionClass
    kind: str
    points: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The class of a point. own: chosen for this point; None where its device's kind decides."""

    point: str
    own: RetentionClass | None
    retention: RetentionClass
    site: str


class Choices:
    """The classes of a centre's points."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def shares(self) -> list[Share]:
        """Return how the points are spread over classes and kinds."""
        async with self._database.pool.connection() as connection:
            rows = await (await connection.execute(POINTS.encode())).fetchall()
        return [Share(*row) for row in rows]  # type: ignore[arg-type]  # as the query selects them

    async def kinds(self) -> dict[str, RetentionClass]:
        """Return the classes that were chosen for kinds of devices."""
        async with self._database.pool.connection() as connection:
            rows = await (
                await connection.execute("SELECT kind, class FROM retention_kinds ORDER BY kind")
            ).fetchall()
        return dict(rows)  # type: ignore[arg-type]  # as the query selects them

    async def point(self, point: str) -> Choice | None:
        """Return the class of a point, None for one that is not there."""
        async with self._database.pool.connection() as connection:
            row = await (await connection.execute(POINT.encode(), (point,))).fetchone()
        return None if row is None else Choice(point, *row)  # type: ignore[arg-type]

    async def set_point(self, point: str, retention: RetentionClass | None) -> Choice:
        """Choose the class of a point; None: that of its device's kind. Rejected (`unknown-point`)."""
        async with self._database.pool.connection() as connection, connection.transaction():
            done = await connection.execute(
                "UPDATE points SET retention = %s WHERE id = %s", (retention, point)
            )
            if not done.rowcount:
                raise Rejected("unknown-point", f"there is no point {point!r}")
            await connection.execute(AGAIN)
        chosen = await self.point(point)
        assert chosen is not None  # noqa: S101 - points are never deleted
        return chosen

    async def set_kind(self, kind: str, retention: RetentionClass | None, actor: str) -> None:
        """Choose the class of all points of a kind of device that have none of their own; None: standard."""
        async with self._database.pool.connection() as connection, connection.transaction():
            if retention is None:
                await connection.execute("DELETE FROM retention_kinds WHERE kind = %s", (kind,))
            else:
                await connection.execute(
                    "INSERT INTO retention_kinds (kind, class, changed_by) VALUES (%s, %s, %s)"
                    " ON CONFLICT (kind) DO UPDATE SET class = excluded.class, changed_at = now(),"
                    " changed_by = excluded.changed_by",
                    (kind, retention, actor),
                )
            await connection.execute(AGAIN)
