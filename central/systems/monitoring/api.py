"""Routes of monitoring: overview, map, sites, devices, points, values, live feed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from central.kernel.bus import KINDS
from central.kernel.shapes import Cursor, Limit, PriorityCode, cut_page, problems
from central.security.permissions import MayRead, principal_of
from central.security.roles import Permission
from central.systems.monitoring import live, schemas
from central.systems.monitoring.parts import Room

router = APIRouter(tags=["monitoring"])

NamedDevices = Annotated[
    list[str], Query(default_factory=list, alias="id", description="device ids: only these", max_length=200)
]
PointIds = Annotated[list[str], Query(default_factory=list, description="point ids", max_length=1000)]
DeviceIds = Annotated[
    list[str], Query(default_factory=list, description="device ids: all their points", max_length=200)
]
SiteIds = Annotated[
    list[str], Query(default_factory=list, description="site ids: all their points", max_length=200)
]
Words = Annotated[str | None, Query(max_length=200, description="words in the id or a name")]


class EventStream(StreamingResponse):
    """A response that never ends, of Server-Sent Events."""

    media_type = "text/event-stream"


@router.get("/overview", operation_id="getOverview", responses=problems(401, 403, 503))
async def get_overview(who: MayRead, room: Room) -> schemas.Overview:
    """Return the city in numbers."""
    return await room.overview.overview(who.sight)


@router.get("/map", operation_id="getMap", responses=problems(401, 403, 503))
async def get_map(who: MayRead, room: Room) -> schemas.CityMap:
    """Return the city's own map: districts, roads, water and parks as GeoJSON."""
    return await room.city_map(who.sight)


@router.get("/sites", operation_id="listSites", responses=problems(400, 401, 403, 422, 503))
async def list_sites(who: MayRead, room: Room, limit: Limit = 100, cursor: Cursor = None) -> schemas.SitePage:
    """List sites by id, each with its worst active alarm."""
    sites = await room.monitoring.sites(who.sight)
    items, following = cut_page(sites, limit, cursor)
    return schemas.SitePage(items=items, next_cursor=following, total=len(sites))


@router.get("/sites/{site_id}", operation_id="getSite", responses=problems(401, 403, 404, 503))
async def get_site(site_id: str, who: MayRead, room: Room) -> schemas.SiteDetail:
    """Return one site with its devices."""
    return await room.monitoring.site(site_id, who.sight)


@router.get("/devices", operation_id="listDevices", responses=problems(400, 401, 403, 422, 503))
async def list_devices(
    *,
    who: MayRead,
    room: Room,
    ids: NamedDevices,
    site: str | None = None,
    gateway: str | None = None,
    kind: str | None = None,
    q: Words = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schemas.DevicePage:
    """List devices by id."""
    return await room.monitoring.devices(
        who.sight, limit, cursor, ids=ids, site=site, gateway=gateway, kind=kind, q=q
    )


@router.get("/devices/{device_id}", operation_id="getDevice", responses=problems(401, 403, 404, 503))
async def get_device(device_id: str, who: MayRead, room: Room) -> schemas.DeviceDetail:
    """Return one device with its points, their newest values and their rules."""
    return await room.monitoring.device(device_id, who.sight)


@router.get("/points", operation_id="listPoints", responses=problems(400, 401, 403, 422, 503))
async def list_points(
    *,
    who: MayRead,
    room: Room,
    device: str | None = None,
    q: Words = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schemas.PointPage:
    """List points by id, with their newest values."""
    points = await room.monitoring.points(who.sight, device=device, q=q)
    items, following = cut_page(points, limit, cursor)
    return schemas.PointPage(items=items, next_cursor=following, total=len(points))


@router.get("/points/{point_id}", operation_id="getPoint", responses=problems(401, 403, 404, 503))
async def get_point(point_id: str, who: MayRead, room: Room) -> schemas.Point:
    """Return one point with its newest value and its rules."""
    return await room.monitoring.point(point_id, who.sight)


@router.get(
    "/latest",
    operation_id="listLatest",
    response_model=schemas.LatestPage,
    responses=problems(401, 403, 422, 503),
)
async def list_latest(
    who: MayRead, room: Room, point: PointIds, device: DeviceIds, site: SiteIds
) -> Response:
    """Return the newest readings of points, devices and sites, with age and quality."""
    chosen = await room.monitoring.asked(who.sight, points=point, devices=device, sites=site)
    items = room.lines.batch([item.series for item in chosen], {item.series: item for item in chosen})
    body = b'{"items":' + items + b',"next_cursor":null,"total":null}'
    return Response(body, media_type="application/json")


@router.get(
    "/live",
    operation_id="openLive",
    response_class=EventStream,
    responses={
        200: {
            "description": "Server-Sent Events: `event:` is the name of a field of this schema, "
            "`data:` is that field as JSON; a comment every 15 s keeps the line open",
            "model": live.LiveMessages,
        },
        **problems(401, 403, 409, 422, 503),
    },
)
async def open_live(
    *,
    who: MayRead,
    room: Room,
    request: Request,
    point: PointIds,
    device: DeviceIds,
    site: SiteIds,
    kinds: Annotated[
        str | None,
        Query(description="comma separated: readings,alarm,gateway,event,case,command,order,overview"),
    ] = None,
    at: Annotated[
        list[str],
        Query(default_factory=list, max_length=200, description="site ids: of nothing else is told"),
    ],
    area: Annotated[
        list[str],
        Query(default_factory=list, max_length=50, description="districts: all their sites, as `at`"),
    ],
    priority: Annotated[
        list[PriorityCode], Query(default_factory=list, max_length=4, description="alarms of these only")
    ],
    last: Annotated[
        str | None,
        Header(alias="Last-Event-ID", max_length=64, description="id that was told last: what came since"),
    ] = None,
) -> EventStream:
    """Open the live feed. Readings come for the points named, by themselves, by device or by site."""
    wanted = live.parse_kinds(kinds)
    sight = await room.monitoring.narrowed(who.sight, at, area)

    async def allowed() -> bool:
        now = await principal_of(request, Permission.READ)
        return now is not None and now.sight == who.sight

    points = await room.monitoring.choose(sight, points=point, devices=device, sites=site)
    stream = live.LiveStream(
        room.feed,
        room.audience(sight),
        room.clock,
        points=points if "readings" in wanted else [],
        lines=room.lines,
        kinds=[kind for kind in KINDS if kind in wanted],
        allowed=allowed,
        priorities=priority,
        after=last,
        who=who.username,
    )
    return EventStream(stream.events(), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
