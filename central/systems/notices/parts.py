"""The room's one part, put together from the centre's floors when it is first asked for."""

from __future__ import annotations

from collections.abc import Set
from ipaddress import ip_network
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from sqlalchemy import select

from central.notices.desk import Desk
from central.security.grants import held_by, rights_of
from central.security.models import User
from central.security.principal import Principal
from central.security.roles import Permission
from central.security.vault import FILE, Vault
from central.systems.centre import Centre


def desk_of(app: FastAPI) -> Desk:
    """Return this room's desk, built once per application."""
    if not hasattr(app.state, "notices_desk"):
        centre: Centre = app.state.centre

        async def sight_of(username: str) -> Set[str] | None:
            return await sites_of(app.state.centre, username)

        vault = Vault(centre.config.key_file or centre.config.data_dir / FILE)
        config = centre.config
        hooks, mail = ([*map(ip_network, one)] for one in (config.hooks_private, config.mail_private))
        app.state.notices_desk = Desk(centre.database, centre.clock, vault, sight_of, hooks, mail)
    desk: Desk = app.state.notices_desk
    return desk


async def sites_of(centre: Centre, username: str) -> Set[str] | None:
    """Return the sites that an account may read now, None: all. None at all for one that is switched off."""
    wanted = select(User.display_name, held_by()).where(User.username == username, User.disabled.is_(False))
    async with centre.database.session() as session:
        found = (await session.execute(wanted)).one_or_none()
    if found is None:
        return frozenset()
    principal = Principal(username, found[0], rights_of(found[1]), "token")
    return (await centre.security.reach.sight(principal, Permission.READ)).sites


async def work(app: FastAPI) -> None:
    """Decide and send, as long as the centre runs."""
    await desk_of(app).run()


def _desk(request: Request) -> Desk:
    return desk_of(request.app)


DeskPart = Annotated[Desk, Depends(_desk)]
