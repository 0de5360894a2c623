"""Notices as the API takes and shows them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from central.kernel.shapes import Asked, Page, PriorityCode, Shape
from central.notices.bodies import Channel, Escalation, Lang, Subscription, Webhook
from central.notices.deliveries import State

_BAD = re.compile("[\0\ud800-\udfff]")
Name = Annotated[str, Field(min_length=1, max_length=100)]
SecretName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Secrets = Annotated[
    dict[SecretName, Annotated[SecretStr, Field(min_length=1, max_length=4000)] | None],
    Field(max_length=20, description="write-only; those left out stay, null forgets one"),
]


class Storable(Asked):
    """A request whose every text, however deep, can be stored."""

    @model_validator(mode="before")
    @classmethod
    def _deep(cls, fields: Any) -> Any:
        waiting = [fields]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str) and _BAD.search(one):
                raise ValueError(
                    "a text holds a character that cannot be stored (U+0000 or a lone surrogate)"
                )
            if isinstance(one, dict):
                waiting += [*one.keys(), *one.values()]
            if isinstance(one, list):
                waiting += one
        return fields


class ItemAsked(Storable):
    """What every setting has."""

    name: Name
    enabled: bool = True


class ChannelAsked(ItemAsked):
    """A channel to make, or to change into this."""

    body: Channel
    secrets: Secrets = Field(default_factory=dict)


class SubscriptionAsked(ItemAsked):
    """A subscription to make, or to change into this."""

    body: Subscription


class EscalationAsked(ItemAsked):
    """An escalation to make, or to change into this."""

    body: Escalation


class WebhookAsked(ItemAsked):
    """A webhook to make, or to change into this."""

    body: Webhook


class ItemOut(Shape):
    """What every setting shows."""

    id: int
    name: str
    enabled: bool
    made_at: datetime
    changed_at: datetime
    changed_by: str


class ChannelOut(ItemOut):
    """A channel; of its secrets only the names."""

    body: Channel
    secret_names: list[str]


class SubscriptionOut(ItemOut):
    """A subscription."""

    body: Subscription


class EscalationOut(ItemOut):
    """An escalation."""

    body: Escalation


class WebhookOut(ItemOut):
    """A webhook, and how it does."""

    body: Webhook
    failing_since: datetime | None = Field(description="without one success since")
    last_sent_at: datetime | None
    disabled_at: datetime | None = Field(description="when it was switched off by itself")
    disabled_why: str


class WebhookMade(WebhookOut):
    """A webhook with its secret."""

    secret: str = Field(description="`whsec_…`, shown this once: verify signatures with it")


class ChannelPage(Page[ChannelOut]):
    """The channels by name."""


class SubscriptionPage(Page[SubscriptionOut]):
    """The subscriptions by name."""


class EscalationPage(Page[EscalationOut]):
    """The escalations by name."""


class WebhookPage(Page[WebhookOut]):
    """The webhooks by name."""


class TrialAsked(Storable):
    """To whom a test message goes."""

    to: str = Field(default="", max_length=200, description="empty for a webhook channel")
    lang: Lang = "zh"


class TextAsked(Storable):
    """One message in one language, with its places: `${name}`."""

    subject: str = Field(max_length=300)
    body: str = Field(max_length=10_000)
    short: str = Field(max_length=1000, description="as an SMS says it")


class PreviewAsked(TextAsked):
    """A template to try. alarm: an occurrence to fill it with; left out: the newest one."""

    alarm: str | None = Field(default=None, max_length=100)


class TextOut(Shape):
    """A message as it would be sent."""

    subject: str
    body: str
    short: str
    alarm: str | None = Field(description="the occurrence that it was filled with; null: there is none yet")


class TemplateOut(Shape):
    """A template in one language."""

    name: str
    lang: Lang
    subject: str
    body: str
    short: str
    fields: list[str] = Field(description="what `${…}` may name")
    changed_at: datetime | None = Field(description="null: as built in")
    changed_by: str


class TemplatePage(Page[TemplateOut]):
    """Every template in every language."""


class DeliveryOut(Shape):
    """A message and its receipt."""

    id: str = Field(description="sent along against doubles: Message-ID, Idempotency-Key, webhook-id")
    kind: Literal["notice", "webhook"]
    item: int = Field(description="the channel or webhook")
    item_name: str
    rule_name: str = Field(description="the subscription or escalation behind it; empty for none")
    event: str
    alarm: str | None
    site: str | None
    priority: PriorityCode | None
    step: int | None = Field(description="of an escalation, from 1")
    recipient: str
    subject: str
    state: State
    attempts: int
    answer: str = Field(description="what the other side said last")
    digest: str | None = Field(description="the delivery that told it in a digest")
    made_at: datetime
    ended_at: datetime | None


class AttemptOut(Shape):
    """One try."""

    at: datetime
    outcome: Literal["sent", "refused", "failed"]
    answer: str
    took_ms: int


class DeliveryWhole(DeliveryOut):
    """A message with its text and every try."""

    body: str
    tries: list[AttemptOut]


class DeliveryPage(Page[DeliveryOut]):
    """Deliveries, newest first."""


class NextReceiver(Shape):
    """Somebody whom the next step tells."""

    channel: str
    recipient: str = Field(description="partly hidden; empty for a webhook channel")


class EscalatingOut(Shape):
    """An escalation of an alarm: how far it is, what comes next, or why it ended."""

    rule_name: str
    started_at: datetime
    last_step: int | None = Field(description="from 1; null: none was sent yet")
    last_at: datetime | None
    next_at: datetime | None = Field(description="null: nothing more comes")
    next_step: int | None = Field(description="from 1; the last one again where it repeats")
    next_to: list[NextReceiver]
    ended_at: datetime | None
    ended_why: Literal["", "acknowledged", "cleared", "closed", "covered", "rule-gone"]


class AlarmNotices(Shape):
    """Who was told of an alarm."""

    escalations: list[EscalatingOut]
    deliveries: list[DeliveryOut] = Field(description="newest first, at most 100; receivers partly hidden")
