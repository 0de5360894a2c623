"""Routes of the registry: search, lists, one thing, its changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from central.city.fields import Kind
from central.city.lifecycle import Lifecycle
from central.city.search import LONGEST
from central.kernel.shapes import Cursor, Limit, cut_page, decode_cursor, encode_cursor, problems
from central.security.permissions import MayEditRegistry, MayRead
from central.systems.registry import schemas
from central.systems.registry.parts import Desk, TellAudit

router = APIRouter(tags=["registry"])

_LIST = problems(400, 401, 403, 422, 503)
_ONE = problems(401, 403, 404, 422, 503)
_CHANGE = problems(401, 403, 404, 409, 422, 503)
KIND_OF: dict[schemas.Plural, Kind] = {
    "sites": "site",
    "gateways": "gateway",
    "devices": "device",
    "points": "point",
}
Text = Annotated[str | None, Query(max_length=200)]


@router.get("/search", operation_id="search", responses=problems(401, 403, 422, 503))
async def search(
    *,
    who: MayRead,
    desk: Desk,
    q: Annotated[str, Query(min_length=1, max_length=LONGEST, description="words; all must be found")],
    kind: Annotated[list[schemas.KindName], Query(default_factory=list, description="none: every kind")],
    limit: Annotated[int, Query(ge=1, le=50, description="how many of each kind at most")] = 8,
) -> schemas.SearchResult:
    """Find sites, gateways, devices and points by name, code, tag, place or department, 中文 or English."""
    return await desk.search(who.sight, q, list(kind), limit)


@router.get("/registry/{kind}/facets", operation_id="getRegistryFacets", responses=_ONE)
async def get_facets(kind: schemas.Plural, who: MayRead, desk: Desk) -> schemas.Facets:
    """Return what the things of a kind can be filtered by."""
    return await desk.facets(who.sight, KIND_OF[kind])


@router.get("/registry/{kind}", operation_id="listRegistry", responses=_LIST)
async def list_things(
    *,
    kind: schemas.Plural,
    who: MayRead,
    desk: Desk,
    site: Text = None,
    gateway: Text = None,
    device: Text = None,
    type: Text = None,
    district: Text = None,
    department: Text = None,
    lifecycle: Lifecycle | None = None,
    tag: Text = None,
    declared: Annotated[bool | None, Query(description="false: planned, no gateway has declared it")] = None,
    q: Annotated[str | None, Query(max_length=LONGEST, description="words in id, names or tags")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schemas.ThingPage:
    """List the registered things of a kind by id, planned and retired ones too."""
    found = await desk.things(
        who.sight,
        KIND_OF[kind],
        site=site,
        gateway=gateway,
        device=device,
        type_=type,
        district=district,
        department=department,
        lifecycle=lifecycle,
        tag=tag,
        declared=declared,
        q=q,
    )
    items, following = cut_page(found, limit, cursor)
    return schemas.ThingPage(items=items, next_cursor=following, total=len(found))


@router.post(
    "/registry/{kind}",
    operation_id="registerThing",
    status_code=status.HTTP_201_CREATED,
    responses=_CHANGE,
)
async def register_thing(
    kind: schemas.Registered, asked: schemas.NewThing, who: MayEditRegistry, desk: Desk, tell: TellAudit
) -> schemas.ThingDetail:
    """Register a site or device that no gateway declares yet."""
    return await desk.register(who, KIND_OF[kind], asked, tell)


@router.get("/registry/{kind}/{thing_id}", operation_id="getThing", responses=_ONE)
async def get_thing(kind: schemas.Plural, thing_id: str, who: MayRead, desk: Desk) -> schemas.ThingDetail:
    """Return one thing: what people wrote, what its gateway declares, its contacts and attachments."""
    return await desk.thing(who.sight, KIND_OF[kind], thing_id)


@router.patch("/registry/{kind}/{thing_id}", operation_id="changeThing", responses=_CHANGE)
async def change_thing(
    kind: schemas.Plural,
    thing_id: str,
    asked: schemas.ChangeThing,
    who: MayEditRegistry,
    desk: Desk,
    tell: TellAudit,
) -> schemas.ThingDetail:
    """Write fields; null takes back what people wrote, so that the gateway's word is in force again."""
    return await desk.change(who, KIND_OF[kind], thing_id, asked, tell)


@router.post("/registry/{kind}/{thing_id}/lifecycle", operation_id="moveThing", responses=_CHANGE)
async def move_thing(
    kind: schemas.Standing,
    thing_id: str,
    asked: schemas.MoveThing,
    who: MayEditRegistry,
    desk: Desk,
    tell: TellAudit,
) -> schemas.ThingDetail:
    """Move a thing in its life: planned 规划, active 在用, maintenance 检修, retired 退役."""
    return await desk.move(who, KIND_OF[kind], thing_id, asked, tell)


@router.get(
    "/registry/{kind}/{thing_id}/history",
    operation_id="listThingHistory",
    responses=problems(400, 401, 403, 404, 422, 503),
)
async def list_history(
    *,
    kind: schemas.Plural,
    thing_id: str,
    who: MayRead,
    desk: Desk,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> schemas.HistoryPage:
    """List what was changed at a thing, newest first: who, when, why, before and after."""
    before = None if cursor is None else decode_cursor(cursor, int)[0]
    items, following = await desk.history(who.sight, KIND_OF[kind], thing_id, limit, before)
    return schemas.HistoryPage(
        items=items, next_cursor=None if following is None else encode_cursor(following)
    )
