"""Routes of gateways: how they are, what they run, and what an administrator wants of them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Query, status

from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Cursor, Limit, problems
from central.link.order_rows import OrderKind, OrderView
from central.link.schemas import Gateway, GatewayPage, Order, OrderPage
from central.security.permissions import MayManageGateways, MayRead, require_whole
from central.systems.monitoring import schemas_gateways
from central.systems.monitoring.parts import Room
from protocols.errors import Rejected

router = APIRouter(tags=["monitoring"])

_ONE = problems(401, 403, 404, 503)
_CHANGE = problems(401, 403, 404, 409, 422, 503)


@router.get("/gateways", operation_id="listGateways", responses=problems(401, 403, 503))
async def list_gateways(who: MayRead, room: Room) -> GatewayPage:
    """List gateways by id: state, lag, backlog, clock offset."""
    found = await room.gateway_desk.list(who.sight)
    return GatewayPage(items=[Gateway.of(item) for item in found], total=len(found))


@router.post(
    "/gateways",
    operation_id="createGateway",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 422, 503),
)
async def create_gateway(
    asked: schemas_gateways.NewGateway, who: MayManageGateways, room: Room
) -> schemas_gateways.EnrolmentCode:
    """Expect a gateway: returns the one-time code that its technician enters.

    A gateway that is expected serves no site yet: that is for who sees the whole city.
    """
    require_whole(who)
    name = asked.name
    code = await room.gateways.new_code(
        asked.id, who.username, name.zh if name else None, name.en if name else None
    )
    return schemas_gateways.EnrolmentCode.of(code)


@router.post(
    "/gateways/{gateway_id}/enrolment-code",
    operation_id="renewEnrolmentCode",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 404, 409, 503),
)
async def renew_enrolment_code(
    gateway_id: str, who: MayManageGateways, room: Room
) -> schemas_gateways.EnrolmentCode:
    """Make a new one-time code for a known gateway, for instance after its disk was changed."""
    await room.gateway_desk.require(gateway_id, who.sight)
    code = await room.gateways.new_code(gateway_id, who.username)
    return schemas_gateways.EnrolmentCode.of(code)


@router.post(
    "/gateways/{gateway_id}/revoke",
    operation_id="revokeGateway",
    responses=problems(401, 403, 404, 409, 503),
)
async def revoke_gateway(gateway_id: str, who: MayManageGateways, room: Room) -> Gateway:
    """End a gateway's token at once; what it sends afterwards is refused."""
    await room.gateway_desk.require(gateway_id, who.sight)
    return Gateway.of(await room.gateways.revoke(gateway_id, who.username))


@router.get("/gateways/{gateway_id}", operation_id="getGateway", responses=_ONE)
async def get_gateway(gateway_id: str, who: MayRead, room: Room) -> schemas_gateways.GatewayDetail:
    """Return one gateway with what it said last: configuration, memory, backlog, clock, audit trail.

    What it said is shown to who sees all sites that it serves; to others `status` is null.
    """
    found = await room.gateway_desk.get(gateway_id, who.sight)
    whole = await room.gateway_desk.holds(gateway_id, who.sight)
    told = await room.gateways.statuses.get(gateway_id) if whole else None
    return schemas_gateways.GatewayDetail.of(found, told)


@router.get(
    "/gateways/{gateway_id}/orders",
    operation_id="listOrders",
    responses=problems(400, 401, 403, 404, 422, 503),
)
async def list_orders(
    *,
    gateway_id: str,
    who: MayRead,
    room: Room,
    kind: Annotated[OrderKind | None, Query(description="only orders of this kind")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> OrderPage:
    """List what the centre wanted of a gateway and what became of it, newest first."""
    await room.gateway_desk.require(gateway_id, who.sight)
    page = await room.outbox.orders.list(gateway_id, kind=kind, limit=limit, cursor=cursor)
    return OrderPage(items=[Order.of(item) for item in page.items], next_cursor=page.next_cursor)


@router.post(
    "/gateways/{gateway_id}/configurations",
    operation_id="pushConfiguration",
    status_code=status.HTTP_202_ACCEPTED,
    responses=_CHANGE,
)
async def push_configuration(
    gateway_id: str, asked: schemas_gateways.PushedConfiguration, who: MayManageGateways, room: Room
) -> Order:
    """Push a whole configuration. The gateway checks it, tries it, and goes back where it does harm."""
    await room.gateway_desk.require(gateway_id, who.sight)
    return await _ordered(
        gateway_id,
        room.wishes.configure(
            gateway_id,
            asked.text,
            actor=who.username,
            profiles=asked.profiles,
            note=asked.note,
            probation_s=asked.probation_s,
            base=asked.base,
            expires_in_s=asked.expires_in_s,
        ),
    )


@router.get("/gateways/{gateway_id}/configurations/{digest}", operation_id="getConfiguration", responses=_ONE)
async def get_configuration(
    gateway_id: str, digest: str, who: MayManageGateways, room: Room
) -> schemas_gateways.Configuration:
    """Return a configuration that a gateway ran, by its digest; `running` is the present one's."""
    await room.gateway_desk.require(gateway_id, who.sight)
    if digest == "running":
        told = await room.gateways.statuses.get(gateway_id)
        digest = "" if told is None else told.status.config.digest
    found = await room.gateways.statuses.config(gateway_id, digest)
    if found is None:
        raise not_found("configuration", f"{gateway_id}/{digest}")
    return schemas_gateways.Configuration.model_validate(found)


@router.get(
    "/gateways/{gateway_id}/orders/{order_id}/configuration",
    operation_id="getPushedConfiguration",
    responses=_ONE,
)
async def get_pushed_configuration(
    gateway_id: str, order_id: str, who: MayManageGateways, room: Room
) -> schemas_gateways.PushedText:
    """Return the text of a push, whatever became of it."""
    await room.gateway_desk.require(gateway_id, who.sight)
    row = await room.outbox.orders.get(order_id)
    if row is None or row.gateway != gateway_id or row.kind != "config":
        raise not_found("push", order_id)
    return schemas_gateways.PushedText.model_validate(row.body)


@router.post(
    "/gateways/{gateway_id}/rotate",
    operation_id="rotateToken",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(401, 403, 404, 409, 503),
)
async def rotate_token(gateway_id: str, who: MayManageGateways, room: Room) -> Order:
    """Ask a gateway to fetch a new token; the old one ends when the new one is first used."""
    await room.gateway_desk.require(gateway_id, who.sight)
    return await _ordered(gateway_id, room.wishes.rotate(gateway_id, who.username))


@router.post(
    "/gateways/{gateway_id}/updates",
    operation_id="updateGateway",
    status_code=status.HTTP_202_ACCEPTED,
    responses=_CHANGE,
)
async def update_gateway(
    gateway_id: str, asked: schemas_gateways.WantedVersion, who: MayManageGateways, room: Room
) -> Order:
    """Ask a gateway to install a staged version; one that is not well afterwards goes back by itself."""
    await room.gateway_desk.require(gateway_id, who.sight)
    return await _ordered(gateway_id, room.wishes.update(gateway_id, asked.version, who.username))


@router.get("/packages", operation_id="listPackages", responses=problems(401, 403, 503))
async def list_packages(who: MayRead, room: Room) -> schemas_gateways.PackagePage:
    """List the staged software packages, newest first. They serve no site: for who sees the whole city."""
    require_whole(who)
    found = await room.packages.list()
    items = [schemas_gateways.Package.model_validate(item) for item in found]
    return schemas_gateways.PackagePage(items=items, total=len(items))


@router.post(
    "/gateways/{gateway_id}/audit/accept",
    operation_id="acceptAuditTrail",
    responses=problems(401, 403, 404, 503),
)
async def accept_audit_trail(
    gateway_id: str, who: MayManageGateways, room: Room
) -> schemas_gateways.GatewayDetail:
    """Take a gateway's local audit trail as it is from now on: after somebody looked into the warning."""
    await room.gateway_desk.require(gateway_id, who.sight)
    try:
        await room.gateways.statuses.accept_audit(gateway_id, who.username)
    except KeyError:
        raise not_found("gateway", gateway_id) from None
    return await get_gateway(gateway_id, who, room)


async def _ordered(gateway: str, order: Awaitable[OrderView]) -> Order:
    """Answer an order that was asked for, in the words of HTTP where it is refused."""
    try:
        return Order.of(await order)
    except KeyError:
        raise not_found("gateway", gateway) from None
    except Rejected as error:
        if error.reason in {"too-large", "withheld", "probation", "expiry", "not-storable"}:
            raise Problem(422, error.reason, "The request is not valid", str(error)) from error
        raise
