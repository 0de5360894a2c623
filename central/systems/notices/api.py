"""Routes of channels, subscriptions and escalations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Request, status
from pydantic import SecretStr

from central.kernel.shapes import problems
from central.notices.book import Item
from central.security.changes import changed
from central.security.permissions import MayManageNotices
from central.systems.notices import schemas, views
from central.systems.notices.parts import DeskPart

router = APIRouter(tags=["notices"])

ItemPath = Annotated[int, Path(ge=1, lt=1 << 62)]
LIST = problems(401, 403, 503)
MAKE = problems(401, 403, 409, 422, 503)
CHANGE = problems(401, 403, 404, 409, 422, 503)
MADE = status.HTTP_201_CREATED
GONE = status.HTTP_204_NO_CONTENT


@router.get("/notices/channels", operation_id="listNoticeChannels", responses=LIST)
async def list_channels(who: MayManageNotices, desk: DeskPart) -> schemas.ChannelPage:
    """List the channels; of their secrets only the names."""
    items = [views.channel(one) for one in await desk.book.items("channel")]
    return schemas.ChannelPage(items=items, total=len(items))


@router.post("/notices/channels", operation_id="makeNoticeChannel", status_code=MADE, responses=MAKE)
async def make_channel(
    asked: schemas.ChannelAsked, who: MayManageNotices, desk: DeskPart, request: Request
) -> schemas.ChannelOut:
    """Make a channel: an SMTP server, an SMS gateway, a chat robot. 409 `exists`: the name is taken."""
    secrets = {name: value for name, value in plain(asked.secrets).items() if value is not None}
    by = who.username
    made = await desk.book.make("channel", asked.name, asked.body, secrets, by=by, enabled=asked.enabled)
    note(request, None, made)
    return views.channel(made)


@router.put("/notices/channels/{channel}", operation_id="changeNoticeChannel", responses=CHANGE)
async def change_channel(
    channel: ItemPath, asked: schemas.ChannelAsked, who: MayManageNotices, desk: DeskPart, request: Request
) -> schemas.ChannelOut:
    """Change a channel. Secrets that are left out stay as they are."""
    before = await desk.book.get("channel", channel)
    after = await desk.book.change(
        "channel", channel, asked.name, asked.body, plain(asked.secrets), by=who.username,
        enabled=asked.enabled,
    )  # fmt: skip
    note(request, before, after, sorted(asked.secrets))
    return views.channel(after)


@router.delete(
    "/notices/channels/{channel}", operation_id="deleteNoticeChannel", status_code=GONE, responses=CHANGE
)
async def delete_channel(channel: ItemPath, who: MayManageNotices, desk: DeskPart, request: Request) -> None:
    """Remove a channel. 409 `in-use` while a subscription or an escalation has it."""
    note(request, await desk.book.delete("channel", channel), None)


@router.post("/notices/channels/{channel}/test", operation_id="testNoticeChannel", responses=CHANGE)
async def try_channel(
    channel: ItemPath, asked: schemas.TrialAsked, who: MayManageNotices, desk: DeskPart
) -> schemas.DeliveryOut:
    """Send a test message; GET /notices/deliveries/{id} says what became of it."""
    item = await desk.book.get("channel", channel)
    return views.delivery(await desk.test(item, asked.to, asked.lang, who.display_name))


@router.get("/notices/subscriptions", operation_id="listSubscriptions", responses=LIST)
async def list_subscriptions(who: MayManageNotices, desk: DeskPart) -> schemas.SubscriptionPage:
    """List who is told of what."""
    items = [views.subscription(one) for one in await desk.book.items("subscription")]
    return schemas.SubscriptionPage(items=items, total=len(items))


@router.post("/notices/subscriptions", operation_id="makeSubscription", status_code=MADE, responses=MAKE)
async def make_subscription(
    asked: schemas.SubscriptionAsked, who: MayManageNotices, desk: DeskPart, request: Request
) -> schemas.SubscriptionOut:
    """Have somebody told of alarms by priority, area, site, category and hours."""
    by = who.username
    made = await desk.book.make("subscription", asked.name, asked.body, {}, by=by, enabled=asked.enabled)
    note(request, None, made)
    return views.subscription(made)


@router.put("/notices/subscriptions/{subscription}", operation_id="changeSubscription", responses=CHANGE)
async def change_subscription(
    subscription: ItemPath, asked: schemas.SubscriptionAsked, who: MayManageNotices, desk: DeskPart,
    request: Request,
) -> schemas.SubscriptionOut:  # fmt: skip
    """Change a subscription."""
    before = await desk.book.get("subscription", subscription)
    after = await desk.book.change(
        "subscription", subscription, asked.name, asked.body, {}, by=who.username, enabled=asked.enabled
    )
    note(request, before, after)
    return views.subscription(after)


@router.delete(
    "/notices/subscriptions/{subscription}",
    operation_id="deleteSubscription",
    status_code=GONE,
    responses=CHANGE,
)
async def delete_subscription(
    subscription: ItemPath, who: MayManageNotices, desk: DeskPart, request: Request
) -> None:
    """Remove a subscription."""
    note(request, await desk.book.delete("subscription", subscription), None)


@router.get("/notices/escalations", operation_id="listEscalations", responses=LIST)
async def list_escalations(who: MayManageNotices, desk: DeskPart) -> schemas.EscalationPage:
    """List the escalations."""
    items = [views.escalation(one) for one in await desk.book.items("escalation")]
    return schemas.EscalationPage(items=items, total=len(items))


@router.post("/notices/escalations", operation_id="makeEscalation", status_code=MADE, responses=MAKE)
async def make_escalation(
    asked: schemas.EscalationAsked, who: MayManageNotices, desk: DeskPart, request: Request
) -> schemas.EscalationOut:
    """Have alarms told to more and more people until somebody answers. It begins with the next alarm."""
    by = who.username
    made = await desk.book.make("escalation", asked.name, asked.body, {}, by=by, enabled=asked.enabled)
    note(request, None, made)
    return views.escalation(made)


@router.put("/notices/escalations/{escalation}", operation_id="changeEscalation", responses=CHANGE)
async def change_escalation(
    escalation: ItemPath, asked: schemas.EscalationAsked, who: MayManageNotices, desk: DeskPart,
    request: Request,
) -> schemas.EscalationOut:  # fmt: skip
    """Change an escalation; what is under way goes on with its new steps. Switched off, it ends."""
    before = await desk.book.get("escalation", escalation)
    after = await desk.book.change(
        "escalation", escalation, asked.name, asked.body, {}, by=who.username, enabled=asked.enabled
    )
    note(request, before, after)
    return views.escalation(after)


@router.delete(
    "/notices/escalations/{escalation}", operation_id="deleteEscalation", status_code=GONE, responses=CHANGE
)
async def delete_escalation(
    escalation: ItemPath, who: MayManageNotices, desk: DeskPart, request: Request
) -> None:
    """Remove an escalation; what is under way ends."""
    note(request, await desk.book.delete("escalation", escalation), None)


def plain(secrets: Mapping[str, SecretStr | None]) -> dict[str, str | None]:
    """Return secrets as they are kept."""
    return {name: None if value is None else value.get_secret_value() for name, value in secrets.items()}


def note(
    request: Request, before: Item | None, after: Item | None, rewritten: list[str] | None = None
) -> None:
    """Write a change of a setting into the audit entry: its fields, and which secrets are others now."""
    known = after or before
    assert known is not None  # noqa: S101 - something was there, or is
    sides = [
        None if one is None else {**views.item(one), "kept_apart": list(one.secret_names)}
        for one in (before, after)
    ]
    if sides[1] is not None and rewritten:
        sides[1]["rewritten"] = rewritten
    changed(request, f"{known.kind} {known.name}", *sides)
