"""What PostgreSQL says there is to keep: tables with their columns, partitions, sequences, the revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

LEFT_OUT: Final = frozenset({"sessions", "oidc_attempts"})
"""Tables of which only the shape is kept: a restore signs nobody in again, nor ends a sign-in half-way."""

TABLES = """
SELECT c.relname, parent.relname, pg_get_expr(c.relpartbound, c.oid),
    array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relname <> 'alembic_version'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
GROUP BY c.oid, c.relname, parent.relname
ORDER BY c.relname
"""

SEQUENCES = """
SELECT sequencename, last_value FROM pg_sequences
WHERE schemaname = current_schema() AND last_value IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table that holds rows. columns are those that are stored, not computed by the server."""

    name: str
    columns: tuple[str, ...]
    parent: str | None
    bound: str | None


def tables(connection: Connection[Any]) -> list[Table]:
    """Return the tables of the schema by name; partitions stand for the table that they are of."""
    rows = connection.execute(TABLES).fetchall()
    return [Table(name, tuple(columns), parent, bound) for name, parent, bound, columns in rows]


def sequences(connection: Connection[Any]) -> dict[str, int]:
    """Return the last number that each sequence gave out; those never asked are left out."""
    return dict(connection.execute(SEQUENCES).fetchall())


def revision(connection: Connection[Any]) -> str | None:
    """Return the revision of the tables; None where there are none of ours."""
    found = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])
