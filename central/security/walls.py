"""Wall screens: principals without a password that may read a part of the city, and nothing else.

A screen is made with a link `/wall#code`. What follows the `#` never leaves the browser by itself, so it is
in no log and no Referer; the page hands it in once and gets a cookie. The code works once and for a day; the
cookie works until the screen is revoked or another browser takes a new link.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ARRAY, Text, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from central.kernel.problem import Problem, not_found
from central.security.grants import part
from central.security.principal import SCREEN, Principal
from central.security.rights import Right, may_give
from central.security.roles import Permission
from central.security.secret import digest, new_secret
from central.store.base import Base, Database
from protocols.model.clock import Clock, to_datetime

LINK_LIFETIME: Final = timedelta(days=1)
COOKIE_S: Final = 400 * 86_400
"""The longest that browsers keep a cookie (RFC 6265bis, 5.5)."""
LINK_PREFIX: Final = "cnw_"
_SEEN_EVERY: Final = timedelta(minutes=1)


class WallScreen(Base):
    """A screen; `digest` is of its cookie, `link_digest` of a link that nobody has taken yet."""

    __tablename__ = "wall_screens"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    layout: Mapped[str] = mapped_column(default="")
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    departments: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    digest: Mapped[bytes | None] = mapped_column(unique=True, default=None)
    link_digest: Mapped[bytes | None] = mapped_column(unique=True, default=None)
    link_until: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    linked_at: Mapped[datetime | None] = mapped_column(default=None)
    seen_at: Mapped[datetime | None] = mapped_column(default=None)


class Walls:
    """Makes, links, finds and revokes screens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self) -> Sequence[WallScreen]:
        """Return every screen, the newest first."""
        async with self._database.session() as session:
            statement = select(WallScreen).order_by(WallScreen.created_at.desc(), WallScreen.id)
            return (await session.scalars(statement)).all()

    async def make(
        self, maker: Principal, name: str, layout: str, areas: Sequence[str], departments: Sequence[str]
    ) -> tuple[str, WallScreen]:
        """Make a screen and its link; Problem 403 `beyond-yours` for more than the maker may read."""
        may_give(maker.rights, [_right(areas, departments)])
        code, key = new_secret(LINK_PREFIX)
        now = to_datetime(self._clock())
        screen = WallScreen(
            id=uuid.uuid4().hex[:12],
            name=name,
            layout=layout,
            areas=sorted(areas),
            departments=sorted(departments),
            link_digest=key,
            link_until=now + LINK_LIFETIME,
            created_at=now,
            created_by=maker.username,
        )
        async with self._database.session() as session:
            session.add(screen)
        return code, screen

    async def renew(self, maker: Principal, screen_id: str) -> tuple[str, WallScreen]:
        """Make a new link; 404 where there is no such screen, 403 where it shows more than the maker sees."""
        code, key = new_secret(LINK_PREFIX)
        async with self._database.session() as session:
            screen = await session.get(WallScreen, screen_id)
            if screen is None:
                raise not_found("screen", screen_id)
            may_give(maker.rights, [_right(screen.areas, screen.departments)])
            screen.link_digest = key
            screen.link_until = to_datetime(self._clock()) + LINK_LIFETIME
        return code, screen

    async def take(self, code: str) -> tuple[str, WallScreen]:
        """Spend a link; return the cookie's secret. Problem 401 `link-spent`, whatever is wrong with it."""
        secret, key = new_secret()
        now = to_datetime(self._clock())
        statement = select(WallScreen).where(WallScreen.link_digest == digest(code)).with_for_update()
        async with self._database.session() as session:
            screen = await session.scalar(statement)
            if screen is None or screen.link_until is None or now >= screen.link_until:
                raise Problem(
                    401,
                    "link-spent",
                    "The link has been used, has ended or was revoked",
                    "A link works once and for a day; make a new one in the settings of the wall.",
                )
            screen.digest, screen.linked_at = key, now
            screen.link_digest = screen.link_until = None
        return secret, screen

    async def revoke(self, screen_id: str) -> None:
        """End a screen and its link; Problem 404 where there is none."""
        statement = delete(WallScreen).where(WallScreen.id == screen_id).returning(WallScreen.id)
        async with self._database.session() as session:
            if await session.scalar(statement) is None:
                raise not_found("screen", screen_id)

    async def by_cookie(self, secret: str) -> Principal | None:
        """Return the screen that a cookie stands for; None when it was revoked."""
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            screen = await session.scalar(select(WallScreen).where(WallScreen.digest == digest(secret)))
            if screen is None:
                return None
            if screen.seen_at is None or now - screen.seen_at > _SEEN_EVERY:
                screen.seen_at = now
            right = _right(screen.areas, screen.departments)
            return Principal(f"{SCREEN}{screen.id}", screen.name, (right,), "token", screen.id)

    async def get(self, who: Principal) -> WallScreen | None:
        """Return the screen that asks; None for a person."""
        if not who.is_screen:
            return None
        async with self._database.session() as session:
            return await session.get(WallScreen, who.key)


def _right(areas: Sequence[str], departments: Sequence[str]) -> Right:
    return Right("wall", frozenset({Permission.READ}), part(areas), part(departments))
