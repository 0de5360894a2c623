"""What a restored centre must not believe of its past, and what it owes to its gateways.

Between the backup and the restore the world went on without this database. So, in one transaction:

- Commands and orders that were under way have ended: nobody wants a pump started by a restore. What a
  gateway says it did still replaces that.
- Inbox numbers go on beyond everything a gateway may have seen: a gateway asks for what comes after the
  last number it took, and would never fetch numbers that are given out a second time.
- Notices that were waiting are given up, and steps of alarms that nobody was told of are not told now: they
  went out long ago, or are about something that is long over. Escalations of alarms that are open go on.
- One-time codes for enrolment and links of wall screens that were not spent in the backup may have been
  since: they end.
- Marks of the streams stay as they are: what a gateway still has arrives once, known or not. How far each
  stream had come is kept, so that what never comes again is counted and said (`gaps`).

Tokens that were exchanged since are unknown here: such a gateway is refused with `unknown-gateway`, keeps
everything, and is let in by `citynerve gateway enrol-code`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from central.store.backup.bundle import Manifest
from protocols.errors import Rejected

DETAIL = "the centre was restored from a backup while this was under way; look at the device"

END_COMMANDS = """
UPDATE {table} SET finished_at = now(), detail = %(detail)s,
    state = CASE state WHEN 'pending' THEN 'expired' ELSE 'unknown' END,
    reason = CASE state WHEN 'pending' THEN 'expired' ELSE 'unknown' END
WHERE finished_at IS NULL
"""

INBOX = """
UPDATE gateways SET last_command = greatest(last_command, (extract(epoch FROM now())::bigint << 20))
"""
"""A number from the clock, not a step: the same backup restored twice must not give one number twice. It
rises by 2^20 a second, faster than orders are given, and stays below 2^52, a JSON number, until 2106."""

CODES = "UPDATE enrolment_codes SET spent_at = now() WHERE spent_at IS NULL"

LINKS = "UPDATE wall_screens SET link_digest = NULL, link_until = NULL WHERE link_digest IS NOT NULL"

NOTICES = (
    (
        "jobs",
        "UPDATE jobs SET state = 'dead', holder = '', error = 'the centre was restored from a backup'"
        " WHERE state = 'waiting'",
    ),
    (
        "deliveries",
        "UPDATE deliveries SET state = 'given_up', ended_at = now() WHERE state IN ('waiting', 'held')",
    ),
    ("alarm_tells", "DELETE FROM alarm_tells"),
)

REMEMBER = """
INSERT INTO restores (restored_at, taken_at, file, revision, actor)
VALUES (now(), %s, %s, %s, %s) RETURNING id, restored_at
"""

MARKS = """
INSERT INTO restored_marks (restore, gateway, boot, stream, upto)
SELECT %s, gateway, boot, stream, coalesce(upper(committed) - 1, 0) FROM ingest_marks
"""

GAPS = """
WITH newest AS (SELECT id, taken_at, restored_at FROM restores ORDER BY id DESC LIMIT 1),
known AS (
    SELECT m.gateway, m.boot, m.stream, m.committed,
        coalesce((SELECT r.upto FROM restored_marks r, newest WHERE r.restore = newest.id
            AND (r.gateway, r.boot, r.stream) = (m.gateway, m.boot, m.stream)), 0) AS upto
    FROM ingest_marks m, newest
)
SELECT gateway, stream, lower(gap), upper(gap) - 1
FROM known, unnest(int8multirange(int8range(upto + 1, upper(committed))) - committed) AS gap
WHERE upper(committed) > upto + 1
ORDER BY gateway, stream, lower(gap)
"""
"""Numbers beyond the backup's last that have not come although later ones have. A stream that the backup does
not know begins at 1. What is still on its way counts too, until it is here."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was done. since: when the backup was taken; what was acknowledged after it may be gone."""

    since: datetime
    restored_at: datetime
    commands_ended: int
    orders_ended: int
    notices_ended: int
    codes_ended: int
    """Codes for enrolment and links of wall screens."""
    tokens: int
    """API tokens that hold again, one that was revoked since among them perhaps."""
    gateways: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Batches `first` to `last` of a stream, which the centre had acknowledged before a restore."""

    gateway: str
    stream: str
    first: int
    last: int


def tend(connection: Connection[Any], manifest: Manifest, file: str, actor: str) -> Aftermath:
    """Set right what the restored rows would get wrong, inside the caller's transaction."""
    ended = {
        table: connection.execute(END_COMMANDS.format(table=table).encode(), {"detail": DETAIL}).rowcount
        for table in ("commands", "orders")
    }
    gateways = connection.execute(INBOX).rowcount
    notices = 0
    for table, statement in NOTICES:
        there = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
        if there is not None and there[0]:
            given_up = connection.execute(statement.encode()).rowcount
            notices += given_up if table == "deliveries" else 0
    codes = connection.execute(CODES).rowcount + connection.execute(LINKS).rowcount
    row = connection.execute(REMEMBER, (manifest.taken_at, file, manifest.revision, actor)).fetchone()
    tokens = connection.execute("SELECT count(*) FROM api_tokens").fetchone()
    if row is None or tokens is None:
        raise Rejected("restore", "the database did not remember the restore; run it again with --replace")
    connection.execute(MARKS, (row[0],))
    return Aftermath(
        since=manifest.taken_at,
        restored_at=row[1],
        commands_ended=ended["commands"],
        orders_ended=ended["orders"],
        notices_ended=notices,
        codes_ended=codes,
        tokens=tokens[0],
        gateways=gateways,
    )


def gaps(connection: Connection[Any]) -> list[Gap]:
    """Return what has not come again since the newest restore; empty where there was none."""
    return [Gap(*row) for row in connection.execute(GAPS).fetchall()]
