"""Routes of signed webhooks and what was sent to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import select

from central.kernel.problem import Problem, not_found
from central.kernel.shapes import Cursor, Limit, problems
from central.notices.deliveries import Delivery, State
from central.notices.desk import Desk
from central.notices.health import Health
from central.notices.signing import SECRET, new_secret
from central.security.grants import held_by, rights_of
from central.security.models import User
from central.security.permissions import MayManageHooks
from central.security.principal import Principal
from central.security.rights import may_give
from central.security.roles import Permission
from central.systems.centre import Centre, CentreDep
from central.systems.notices import schemas, views
from central.systems.notices.api import CHANGE, GONE, LIST, MADE, MAKE, ItemPath, note
from central.systems.notices.parts import DeskPart

router = APIRouter(tags=["webhooks"])

DeliveryPath = Annotated[str, Path(pattern=r"^msg_[0-9a-f]{32}$")]


@router.get("/webhooks", operation_id="listWebhooks", responses=LIST)
async def list_webhooks(who: MayManageHooks, desk: DeskPart) -> schemas.WebhookPage:
    """List the endpoints of other systems, and how they do."""
    health = await desk.healths.all()
    items = [views.webhook(one, health.get(one.id, Health())) for one in await desk.book.items("webhook")]
    return schemas.WebhookPage(items=items, total=len(items))


@router.post("/webhooks", operation_id="makeWebhook", status_code=MADE, responses=MAKE)
async def make_webhook(
    asked: schemas.WebhookAsked, who: MayManageHooks, desk: DeskPart, centre: CentreDep, request: Request
) -> schemas.WebhookMade:
    """Make an endpoint; its secret is in this answer and nowhere else. It gets what its owner may read.

    403 `beyond-yours`: the owner reads more than one may oneself.
    """
    await _may_own(centre, asked.body.owner, who)
    secret, by = new_secret(), who.username
    made = await desk.book.make(
        "webhook", asked.name, asked.body, {SECRET: secret}, by=by, enabled=asked.enabled
    )
    note(request, None, made)
    return schemas.WebhookMade(**dict(views.webhook(made, Health())), secret=secret)


@router.put("/webhooks/{webhook}", operation_id="changeWebhook", responses=CHANGE)
async def change_webhook(
    webhook: ItemPath, asked: schemas.WebhookAsked, who: MayManageHooks, desk: DeskPart, centre: CentreDep,
    request: Request,
) -> schemas.WebhookOut:  # fmt: skip
    """Change an endpoint. One that was switched off by itself begins anew when it is switched on."""
    await _may_own(centre, asked.body.owner, who)
    before = await desk.book.get("webhook", webhook)
    after = await desk.book.change(
        "webhook", webhook, asked.name, asked.body, {}, by=who.username, enabled=asked.enabled
    )
    if asked.enabled and not before.enabled:
        await desk.healths.enabled(webhook)
    note(request, before, after)
    return views.webhook(after, (await desk.healths.all()).get(webhook, Health()))


@router.delete("/webhooks/{webhook}", operation_id="deleteWebhook", status_code=GONE, responses=CHANGE)
async def delete_webhook(webhook: ItemPath, who: MayManageHooks, desk: DeskPart, request: Request) -> None:
    """Remove an endpoint; what was sent to it stays to be seen."""
    note(request, await desk.book.delete("webhook", webhook), None)


@router.post("/webhooks/{webhook}/secret", operation_id="renewWebhookSecret", responses=CHANGE)
async def renew_secret(
    webhook: ItemPath, who: MayManageHooks, desk: DeskPart, request: Request
) -> schemas.WebhookMade:
    """Make a new secret; the old one signs nothing from now on."""
    before = await desk.book.get("webhook", webhook)
    secret = new_secret()
    after = await desk.book.change(
        "webhook", webhook, before.name, before.body, {SECRET: secret}, by=who.username,
        enabled=before.enabled,
    )  # fmt: skip
    note(request, before, after, [SECRET])
    health = (await desk.healths.all()).get(webhook, Health())
    return schemas.WebhookMade(**dict(views.webhook(after, health)), secret=secret)


@router.post("/webhooks/{webhook}/ping", operation_id="pingWebhook", responses=CHANGE)
async def ping_webhook(webhook: ItemPath, who: MayManageHooks, desk: DeskPart) -> schemas.DeliveryOut:
    """Send a signed message of type `ping`."""
    return views.delivery(await desk.ping(await desk.book.get("webhook", webhook), who.username))


@router.get(
    "/webhook-deliveries", operation_id="listWebhookDeliveries", responses=problems(400, 401, 403, 422, 503)
)
async def list_deliveries(
    *,
    who: MayManageHooks,
    desk: DeskPart,
    webhook: Annotated[int | None, Query(ge=1, lt=1 << 62)] = None,
    state: State | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schemas.DeliveryPage:
    """List what was sent to endpoints, newest first."""
    found, after = await desk.deliveries.page(
        kind="webhook", item=webhook, state=state, limit=limit, cursor=cursor
    )
    return schemas.DeliveryPage(items=[views.delivery(one) for one in found], next_cursor=after)


@router.get(
    "/webhook-deliveries/{delivery}",
    operation_id="getWebhookDelivery",
    responses=problems(401, 403, 404, 422, 503),
)
async def get_delivery(delivery: DeliveryPath, who: MayManageHooks, desk: DeskPart) -> schemas.DeliveryWhole:
    """Return a message as it was signed, and every try."""
    found = await of_kind(desk, delivery, "webhook")
    return views.whole(found, await desk.deliveries.attempts(delivery))


@router.post("/webhook-deliveries/{delivery}/replay", operation_id="replayWebhookDelivery", responses=CHANGE)
async def replay(delivery: DeliveryPath, who: MayManageHooks, desk: DeskPart) -> schemas.DeliveryOut:
    """Send a message again: the same id and body, signed at that moment. 409 `not-over` while under way."""
    await of_kind(desk, delivery, "webhook")
    return views.delivery(await desk.replay(delivery))


async def of_kind(desk: Desk, delivery: str, kind: str) -> Delivery:
    """Return a delivery; Problem 404 where it is of another kind, which needs another permission."""
    found = await desk.deliveries.get(delivery)
    if found.kind != kind:
        raise not_found("delivery", delivery)
    return found


async def _may_own(centre: Centre, owner: str, who: Principal) -> None:
    """Problem 422 where there is no such account, 403 `beyond-yours` where it reads what `who` may not read.

    Else an endpoint of somebody with more rights would send on what its maker may not see.
    """
    async with centre.database.session() as session:
        held = await session.scalar(select(held_by()).where(User.username == owner))
    if held is None:
        problem = f"there is no account {owner!r}"
        errors = [{"field": "body.owner", "problem": problem}]
        raise Problem(422, "invalid", "The request is not valid", problem, errors=errors)
    reading = [replace(right, permissions=right.permissions & {Permission.READ}) for right in rights_of(held)]
    may_give(who.rights, reading)
