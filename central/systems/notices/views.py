"""Turns what notices keep into what the API shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from central.notices.book import Item
from central.notices.deliveries import Attempt, Delivery
from central.notices.escalations import Escalating, upcoming
from central.notices.health import Health
from central.notices.templates import Written
from central.notices.texts import FIELDS
from central.systems.notices import schemas


def item(one: Item) -> dict[str, Any]:
    """Return the fields that every setting shows."""
    return {
        "id": one.id, "name": one.name, "enabled": one.enabled, "made_at": one.made_at,
        "changed_at": one.changed_at, "changed_by": one.changed_by, "body": one.body,
    }  # fmt: skip


def channel(one: Item) -> schemas.ChannelOut:
    """Show a channel."""
    return schemas.ChannelOut(**item(one), secret_names=list(one.secret_names))


def subscription(one: Item) -> schemas.SubscriptionOut:
    """Show a subscription."""
    return schemas.SubscriptionOut(**item(one))


def escalation(one: Item) -> schemas.EscalationOut:
    """Show an escalation."""
    return schemas.EscalationOut(**item(one))


def webhook(one: Item, health: Health) -> schemas.WebhookOut:
    """Show a webhook."""
    return schemas.WebhookOut(
        **item(one), failing_since=health.failing_since, last_sent_at=health.last_sent_at,
        disabled_at=health.disabled_at, disabled_why=health.disabled_why,
    )  # fmt: skip


def template(one: Written) -> schemas.TemplateOut:
    """Show a template."""
    return schemas.TemplateOut(
        name=one.name, lang=one.lang, subject=one.text.subject, body=one.text.body, short=one.text.short,
        fields=sorted(FIELDS[one.name]), changed_at=one.changed_at, changed_by=one.changed_by,
    )  # fmt: skip


def delivery(one: Delivery, *, hidden: bool = False) -> schemas.DeliveryOut:
    """Show a delivery; hidden: its receiver only in part."""
    return schemas.DeliveryOut(**_delivery(one, hidden=hidden))


def whole(one: Delivery, tries: Sequence[Attempt]) -> schemas.DeliveryWhole:
    """Show a delivery with its text and every try."""
    shown = {**_delivery(one, hidden=False), "attempts": len(tries)}
    shown["answer"] = tries[-1].answer if tries else ""
    outs = [schemas.AttemptOut.model_validate(attempt) for attempt in tries]
    return schemas.DeliveryWhole(**shown, body=one.body, tries=outs)


def escalating(
    one: Escalating, rule: Item | None, channels: Mapping[int, str], *, hidden: bool
) -> schemas.EscalatingOut:
    """Show an escalation and what it does next; channels: their names. hidden: receivers only in part."""
    coming = None if one.ended_at else upcoming(one, rule)
    receivers = [] if coming is None else [
        schemas.NextReceiver(channel=channels[target.channel], recipient=masked(to) if hidden else to)
        for target in coming[1].targets if target.channel in channels
        for to in target.to or [""]
    ]  # fmt: skip
    shown = {name: getattr(one, name) for name in schemas.EscalatingOut.model_fields if hasattr(one, name)}
    shown["last_step"] = None if one.last_step is None else one.last_step + 1
    return schemas.EscalatingOut(
        **shown, next_step=None if coming is None else coming[0] + 1, next_to=receivers
    )


def masked(recipient: str) -> str:
    """Return a receiver as everybody may see him: `w…@city.example`, `138…00`."""
    name, at, host = recipient.rpartition("@")
    if at:
        return f"{name[:1]}…@{host}"
    return f"{recipient[:3]}…{recipient[-2:]}" if recipient else ""


def _delivery(one: Delivery, *, hidden: bool) -> dict[str, Any]:
    shown = {name: getattr(one, name) for name in schemas.DeliveryOut.model_fields}
    shown["step"] = None if one.step is None else one.step + 1
    if hidden:
        shown |= {"recipient": masked(one.recipient), "answer": ""}
    return shown
