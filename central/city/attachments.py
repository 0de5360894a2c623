"""Photos and documents at sites and devices: what may come in, how it is kept, how it goes out again.

What a file is, is read from its first bytes; its name and the sender's word are not trusted. Photos lose
what a camera wrote about where, when and with what they were taken, but for which side is up.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, select

from central.city.book import Action, Book, Change
from central.city.fields import Kind
from central.city.imagefile import without_metadata
from central.kernel.problem import Problem, not_found
from central.store.base import Database
from central.store.registry import Attachment
from protocols.model.clock import Clock, to_datetime

MOST_BYTES: Final = 20 * 1024 * 1024
MOST_OF_ONE: Final = 200
_ZIP: Final = b"PK\x03\x04"
_OFFICE: Final = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)
INLINE: Final = frozenset({"image/jpeg", "image/png", "image/webp"})
"""What a browser may show in the page: pictures of dots, which cannot act."""
MEDIA_TYPES: Final = (*sorted(INLINE), "application/pdf", *_OFFICE.values(), "text/plain; charset=utf-8")
"""What is served, as its header says it."""
POSSIBLE: Final = "JPEG, PNG, WebP, PDF, Word (.docx), Excel (.xlsx), plain text"


@dataclass(frozen=True, slots=True)
class Content:
    """What is served."""

    name: str
    media_type: str
    sha256: str
    body: bytes


class Attachments:
    """Keeps them in the database, so that a backup has them."""

    def __init__(self, database: Database, clock: Clock, book: Book) -> None:
        self._database = database
        self._clock = clock
        self._book = book

    async def of(self, kind: Kind, key: str) -> list[Attachment]:
        """Return what is attached to a thing, newest first, without the contents."""
        statement = select(Attachment).where(Attachment.kind == kind, Attachment.thing == key)
        async with self._database.session() as session:
            return list(
                await session.scalars(statement.order_by(Attachment.created_at.desc(), Attachment.id))
            )

    async def get(self, key: str) -> Attachment:
        """Return one, without its content. Problem 404."""
        async with self._database.session() as session:
            found = await session.get(Attachment, key)
        if found is None:
            raise not_found("attachment", key)
        return found

    async def content(self, key: str) -> Content:
        """Return what is to be served. Problem 404."""
        columns = (Attachment.name, Attachment.media_type, Attachment.sha256, Attachment.content)
        async with self._database.session() as session:
            row = (await session.execute(select(*columns).where(Attachment.id == key))).one_or_none()
        if row is None:
            raise not_found("attachment", key)
        return Content(*row)

    async def add(self, kind: Kind, key: str, *, name: str, note: str, body: bytes, actor: str) -> Attachment:
        """Keep a file. Problem 413 `too-large`, 415 `file-type`, 409 `too-many`."""
        if len(body) > MOST_BYTES:
            raise Problem(
                413,
                "too-large",
                "The file is too large",
                f"It has {len(body)} bytes; at most {MOST_BYTES} are possible. Make photos smaller.",
            )
        media_type = sniff(body)
        if media_type is None:
            raise Problem(
                415,
                "file-type",
                "This type of file is not kept",
                f"By its content it is none of: {POSSIBLE}.",
            )
        kept = without_metadata(media_type, body)
        made = Attachment(
            id=secrets.token_hex(12),
            kind=kind,
            thing=key,
            name=file_name(name),
            media_type=media_type,
            size=len(kept),
            sha256=hashlib.sha256(kept).hexdigest(),
            note=note,
            created_at=to_datetime(self._clock()),
            created_by=actor,
            content=kept,
        )
        mine = (Attachment.kind == kind, Attachment.thing == key)
        async with self._database.session() as session:
            if (await session.scalar(select(func.count()).where(*mine)) or 0) >= MOST_OF_ONE:
                raise Problem(
                    409,
                    "too-many",
                    "Too many files",
                    f"There are {MOST_OF_ONE}; remove one that is out of date.",
                )
            session.add(made)
        await self._note(made, actor, attached=True)
        return made

    async def remove(self, found: Attachment, actor: str) -> None:
        """Remove one for good; that it was there stays in the history."""
        async with self._database.session() as session:
            await session.execute(delete(Attachment).where(Attachment.id == found.id))
        await self._note(found, actor, attached=False)

    async def _note(self, item: Attachment, actor: str, *, attached: bool) -> None:
        action: Action = "attached" if attached else "detached"
        await self._book.note(action, told(item, attached=attached), actor=actor, reason=item.note)


def told(item: Attachment, *, attached: bool) -> Change:
    """Return what the history and the audit trail say of an attachment."""
    about = {"attachment": {"name": item.name, "size": item.size, "sha256": item.sha256}}
    kind: Kind = item.kind  # type: ignore[assignment]  # written by `add` only
    return Change(kind, item.thing, {} if attached else about, about if attached else {})


def sniff(body: bytes) -> str | None:
    """Return the media type by the content; None for what is not kept, such as SVG, HTML and programs."""
    for magic, media_type in _MAGIC:
        if body.startswith(magic):
            return media_type
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body.startswith(_ZIP):
        return next((found for folder, found in _OFFICE.items() if folder in body), None)
    return "text/plain" if _plain(body) else None


def _plain(body: bytes) -> bool:
    """Say whether it is text that no browser takes for a page, whatever it is called."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(text.strip()) and "\0" not in text and not text.lstrip("\ufeff \t\r\n").startswith("<")


def file_name(name: str) -> str:
    """Return a name without folders and without what a header or a disk does not take."""
    plain = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(mark for mark in plain if mark.isprintable() and mark not in '"<>|:*?;').strip(" .")
    return kept[:150] or "file"
