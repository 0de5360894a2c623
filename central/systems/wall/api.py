"""Routes of the wall: what to show, layouts and their versions, the screens and their links."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status

from central.kernel.shapes import problems
from central.security.changes import changed
from central.security.permissions import WALL_COOKIE, MayEditWall, MayRead, require_own_origin
from central.security.walls import COOKIE_S, WallScreen
from central.systems.wall import schemas
from central.systems.wall.parts import Room

router = APIRouter(tags=["wall"])

LayoutKey = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


@router.get("/wall", operation_id="getWall", responses=problems(401, 403, 503))
async def get_wall(who: MayRead, room: Room) -> schemas.WallOut:
    """Return what the screen that asks is to show."""
    screen = await room.walls.get(who)
    known = {item.id for item in (await room.layouts.list()).items}
    if screen is None or screen.layout not in known:
        return schemas.WallOut(screen="" if screen is None else screen.name, layout=None)
    return schemas.WallOut(screen=screen.name, layout=await room.layouts.shown(screen.layout, who.sight))


@router.post(
    "/wall/session",
    operation_id="takeWallLink",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 422, 503),
)
async def take_wall_link(asked: schemas.TakeLink, request: Request, response: Response, room: Room) -> None:
    """Take the one-time code of a link; sets the cookie of a screen that may read, and nothing else."""
    require_own_origin(request, strict=False)
    secret, screen = await room.walls.take(asked.code.get_secret_value())
    request.state.audit_actor = f"wall:{screen.id}"
    secure: bool = request.app.state.centre.config.secure or request.url.scheme == "https"
    response.set_cookie(
        WALL_COOKIE, secret, max_age=COOKIE_S, httponly=True, samesite="strict", secure=secure
    )


@router.get("/wall-layouts", operation_id="listWallLayouts", responses=problems(401, 403, 503))
async def list_wall_layouts(who: MayRead, room: Room) -> schemas.LayoutPage:
    """List layouts by id."""
    return await room.layouts.list()


@router.get(
    "/wall-layouts/{layout_id}", operation_id="getWallLayout", responses=problems(401, 403, 404, 422, 503)
)
async def get_wall_layout(
    layout_id: LayoutKey,
    who: MayRead,
    room: Room,
    version: Annotated[int | None, Query(ge=0, le=1_000_000, description="left out: the newest")] = None,
) -> schemas.LayoutOut:
    """Return a layout, with the points of its panels that one may see."""
    return await room.layouts.shown(layout_id, who.sight, version)


@router.get(
    "/wall-layouts/{layout_id}/versions",
    operation_id="listWallLayoutVersions",
    responses=problems(401, 403, 422, 503),
)
async def list_wall_layout_versions(layout_id: LayoutKey, who: MayEditWall, room: Room) -> schemas.LayoutPage:
    """List the saved versions of a layout, the newest first: who changed it, and when."""
    return await room.layouts.versions(layout_id)


@router.put(
    "/wall-layouts/{layout_id}",
    operation_id="saveWallLayout",
    responses=problems(401, 403, 409, 422, 503),
)
async def save_wall_layout(
    layout_id: LayoutKey, asked: schemas.SaveLayout, who: MayEditWall, room: Room, request: Request
) -> schemas.LayoutOut:
    """Save a layout as a new version; 422 `bad-layout` names each panel that is wrong."""
    saved = await room.layouts.save(layout_id, asked, who)
    changed(request, f"layout {layout_id}", {"version": asked.version}, {"version": saved.version})
    return saved


@router.delete(
    "/wall-layouts/{layout_id}",
    operation_id="removeWallLayout",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def remove_wall_layout(
    layout_id: LayoutKey,
    who: MayEditWall,
    room: Room,
    request: Request,
    version: Annotated[int, Query(ge=0, le=1_000_000, description="the newest that you know")],
) -> None:
    """Take a layout away; one of the product's becomes as it was brought."""
    await room.layouts.remove(layout_id, version, who)
    changed(request, f"layout {layout_id}", {"version": version}, None)


@router.get("/wall-screens", operation_id="listWallScreens", responses=problems(401, 403, 503))
async def list_wall_screens(who: MayEditWall, room: Room) -> schemas.ScreenPage:
    """List the screens, the newest first."""
    items = [_show(screen) for screen in await room.walls.list()]
    return schemas.ScreenPage(items=items, total=len(items))


@router.post(
    "/wall-screens",
    operation_id="makeWallScreen",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 422, 503),
)
async def make_wall_screen(
    asked: schemas.NewScreen, who: MayEditWall, room: Room, request: Request
) -> schemas.ScreenLink:
    """Make a screen with a link; it never shows more than its maker may read."""
    code, screen = await room.walls.make(who, asked.name, asked.layout, asked.areas, asked.departments)
    changed(request, f"screen {screen.id}", None, asked)
    return _link(code, screen)


@router.post(
    "/wall-screens/{screen_id}/link",
    operation_id="renewWallLink",
    responses=problems(401, 403, 404, 422, 503),
)
async def renew_wall_link(screen_id: str, who: MayEditWall, room: Room) -> schemas.ScreenLink:
    """Make a new link for a screen, for another browser; the one before shows nothing once it is taken."""
    code, screen = await room.walls.renew(who, screen_id)
    return _link(code, screen)


@router.delete(
    "/wall-screens/{screen_id}",
    operation_id="revokeWallScreen",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def revoke_wall_screen(screen_id: str, who: MayEditWall, room: Room, request: Request) -> None:
    """Revoke a screen: what it shows ends within a minute, and its link with it."""
    await room.walls.revoke(screen_id)
    changed(request, f"screen {screen_id}", {"id": screen_id}, None)


def _show(screen: WallScreen) -> schemas.Screen:
    return schemas.Screen.model_validate(screen)


def _link(code: str, screen: WallScreen) -> schemas.ScreenLink:
    assert screen.link_until is not None  # noqa: S101 - both callers have just set it
    return schemas.ScreenLink(screen=_show(screen), code=code, expires_at=screen.link_until)
