"""Routes of templates, of what was sent to people, and of who was told of an alarm."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from central.kernel.problem import not_found
from central.kernel.shapes import Cursor, Limit, problems
from central.notices.bodies import Lang
from central.notices.deliveries import State
from central.notices.escalations import of_alarm
from central.notices.preview import preview
from central.notices.templates import checked
from central.notices.words import Text
from central.security.changes import changed
from central.security.permissions import MayManageNotices, MayRead
from central.security.roles import Permission
from central.systems.centre import CentreDep
from central.systems.notices import schemas, views
from central.systems.notices.api import CHANGE, LIST
from central.systems.notices.api_webhooks import DeliveryPath, of_kind
from central.systems.notices.parts import DeskPart

router = APIRouter(tags=["notices"])

TemplatePath = Annotated[str, Path(max_length=40, description="`raised`, `escalated`, …")]
SHOWN = 100


@router.get("/notices/templates", operation_id="listTemplates", responses=LIST)
async def list_templates(who: MayManageNotices, desk: DeskPart) -> schemas.TemplatePage:
    """List the templates in both languages: those of the centre's own, else as built in."""
    items = [views.template(one) for one in await desk.templates.all()]
    return schemas.TemplatePage(items=items, total=len(items))


@router.put("/notices/templates/{name}/{lang}", operation_id="putTemplate", responses=CHANGE)
async def put_template(
    name: TemplatePath, lang: Lang, asked: schemas.TextAsked, who: MayManageNotices, desk: DeskPart,
    request: Request,
) -> schemas.TemplateOut:  # fmt: skip
    """Write a template; 422 says line and column of what cannot be."""
    text = Text(asked.subject, asked.body, asked.short)
    before, after = await desk.templates.put(name, lang, text, who.username)
    changed(request, f"template {name}/{lang}", views.template(before), views.template(after))
    return views.template(after)


@router.delete("/notices/templates/{name}/{lang}", operation_id="resetTemplate", responses=CHANGE)
async def reset_template(
    name: TemplatePath, lang: Lang, who: MayManageNotices, desk: DeskPart, request: Request
) -> schemas.TemplateOut:
    """Go back to the template that is built in."""
    before, after = await desk.templates.reset(name, lang)
    changed(request, f"template {name}/{lang}", views.template(before), views.template(after))
    return views.template(after)


@router.post("/notices/templates/{name}/{lang}/preview", operation_id="previewTemplate", responses=CHANGE)
async def preview_template(
    name: TemplatePath, lang: Lang, asked: schemas.PreviewAsked, who: MayManageNotices, centre: CentreDep
) -> schemas.TextOut:
    """Fill a template with a real alarm, without saving it."""
    text = Text(asked.subject, asked.body, asked.short)
    checked(name, text)
    seen, alarm = await preview(
        centre.database, text, name, lang, clock=centre.clock, alarm=asked.alarm, sites=who.sight.sites
    )
    return schemas.TextOut(subject=seen.subject, body=seen.body, short=seen.short, alarm=alarm)


@router.get("/notices/deliveries", operation_id="listNotices", responses=problems(400, 401, 403, 422, 503))
async def list_notices(
    *,
    who: MayManageNotices,
    desk: DeskPart,
    channel: Annotated[int | None, Query(ge=1, lt=1 << 62)] = None,
    state: State | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> schemas.DeliveryPage:
    """List what was sent to people, with receipts, newest first."""
    found, after = await desk.deliveries.page(
        kind="notice", item=channel, state=state, limit=limit, cursor=cursor
    )
    return schemas.DeliveryPage(items=[views.delivery(one) for one in found], next_cursor=after)


@router.get(
    "/notices/deliveries/{delivery}", operation_id="getNotice", responses=problems(401, 403, 404, 422, 503)
)
async def get_notice(delivery: DeliveryPath, who: MayManageNotices, desk: DeskPart) -> schemas.DeliveryWhole:
    """Return a message as it was sent, and every try."""
    found = await of_kind(desk, delivery, "notice")
    return views.whole(found, await desk.deliveries.attempts(delivery))


@router.post("/notices/deliveries/{delivery}/replay", operation_id="replayNotice", responses=CHANGE)
async def replay_notice(delivery: DeliveryPath, who: MayManageNotices, desk: DeskPart) -> schemas.DeliveryOut:
    """Send a message again. 409 `not-over` while it is under way."""
    await of_kind(desk, delivery, "notice")
    return views.delivery(await desk.replay(delivery))


@router.get(
    "/alarms/{alarm_id}/notices", operation_id="getAlarmNotices", responses=problems(401, 403, 404, 422, 503)
)
async def alarm_notices(
    alarm_id: str, who: MayRead, desk: DeskPart, centre: CentreDep
) -> schemas.AlarmNotices:
    """Say who was told of an alarm, and how far its escalation is."""
    alarm = await centre.alarms.get(alarm_id)
    if alarm is None or not who.sight.sees(alarm.site):
        raise not_found("alarm", alarm_id)
    hidden = not who.may(Permission.MANAGE_NOTICES)
    told, _ = await desk.deliveries.page(kind="notice", alarm=alarm_id, limit=SHOWN)
    kept = {one.id: one for one in await desk.book.items("channel", "subscription", "escalation")}
    channels = {one.id: one.name for one in kept.values() if one.kind == "channel"}
    return schemas.AlarmNotices(
        escalations=[
            views.escalating(one, kept.get(one.rule), channels, hidden=hidden)
            for one in await of_alarm(centre.database, alarm_id)
        ],
        deliveries=[views.delivery(one, hidden=hidden) for one in told],
    )
