"""Templates as they are in force: those built in, and over them what the centre's people wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from psycopg import AsyncConnection

from central.kernel.problem import Problem, not_found
from central.notices.bodies import Lang
from central.notices.texts import FIELDS, check, fill
from central.notices.words import BUILT_IN, Text
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

LANGS: Final[tuple[Lang, ...]] = get_args(Lang)
OWN = "SELECT name, lang, subject, body, short, changed_at, changed_by FROM notice_templates"
PUT = """
INSERT INTO notice_templates (name, lang, subject, body, short, changed_at, changed_by)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (name, lang) DO UPDATE SET subject = excluded.subject, body = excluded.body,
    short = excluded.short, changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""


@dataclass(frozen=True, slots=True)
class Written:
    """One template in one language. changed_at: None where it is as built in."""

    name: str
    lang: Lang
    text: Text
    changed_at: datetime | None = None
    changed_by: str = ""


class Templates:
    """Reads, writes and fills templates."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def all(self) -> list[Written]:
        """Return every template in every language."""
        async with self._database.pool.connection() as connection:
            own = await self._own(connection)
        return [
            own.get((name, lang)) or Written(name, lang, BUILT_IN[name, lang])
            for name in FIELDS
            for lang in LANGS
        ]

    async def texts(self, connection: AsyncConnection[Any]) -> Mapping[tuple[str, str], Text]:
        """Return what is in force, by name and language."""
        own = await self._own(connection)
        return {**BUILT_IN, **{key: written.text for key, written in own.items()}}

    async def put(self, name: str, lang: Lang, text: Text, by: str) -> tuple[Written, Written]:
        """Write a template; returns it before and after. Problems 404, and 422 with line and column."""
        checked(name, text)
        before = await self.get(name, lang)
        row = (name, lang, text.subject, text.body, text.short, to_datetime(self._clock()), by)
        async with self._database.pool.connection() as connection:
            await connection.execute(PUT, row)
        return before, await self.get(name, lang)

    async def reset(self, name: str, lang: Lang) -> tuple[Written, Written]:
        """Go back to what is built in; returns it before and after."""
        before = await self.get(name, lang)
        async with self._database.pool.connection() as connection:
            await connection.execute(
                "DELETE FROM notice_templates WHERE name = %s AND lang = %s", (name, lang)
            )
        return before, await self.get(name, lang)

    async def get(self, name: str, lang: Lang) -> Written:
        """Return one. Problem 404."""
        for written in await self.all():
            if (written.name, written.lang) == (name, lang):
                return written
        raise not_found("template", f"{name}/{lang}")

    async def _own(self, connection: AsyncConnection[Any]) -> dict[tuple[str, str], Written]:
        rows = await (await connection.execute(OWN)).fetchall()
        return {(row[0], row[1]): Written(row[0], row[1], Text(*row[2:5]), row[5], row[6]) for row in rows}


def checked(name: str, text: Text) -> None:
    """Problem 404 for a template that there is not, 422 for one with a fault, with its place."""
    if name not in FIELDS:
        raise not_found("template", name)
    wrong = []
    for field in ("subject", "body", "short"):
        try:
            check(field, getattr(text, field), FIELDS[name])
        except ValueError as error:
            wrong.append({"field": field, "problem": str(error)})
    if wrong:
        detail = "; ".join(one["problem"] for one in wrong)
        raise Problem(422, "invalid", "The template is not valid", detail, errors=wrong)


def filled(text: Text, values: Mapping[str, str]) -> Text:
    """Return a message with its values; a subject is one line."""
    subject = " ".join(fill(text.subject, values).split())
    return Text(subject, fill(text.body, values), fill(text.short, values))
