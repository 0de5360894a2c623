"""What people set up: channels, subscriptions, escalations and webhooks, as they are written and kept."""

from __future__ import annotations

import json
import re
from datetime import datetime, time
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from central.kernel.shapes import Asked, PriorityCode
from central.notices.texts import PLAIN, check, fill

Lang = Literal["zh", "en"]
SubscribedEvent = Literal["raised", "cleared", "acknowledged", "unacknowledged", "webhook_disabled"]
WebhookEvent = Literal["alarm.raised", "alarm.acknowledged", "alarm.cleared", "alarm.changed"]
Until = Literal["acknowledged", "acknowledged_or_cleared", "cleared"]

HEADER: Final = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")
OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "idempotency-key"}
)
Text = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Field(ge=1, lt=1 << 62)]


def check_url(url: str) -> str:
    """Return the address of an http(s) server; ValueError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{error}; write https://host/path") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("only http:// and https:// addresses are called; write https://host/path")
    if parts.username or parts.password:
        raise ValueError("write credentials as a secret and use it in a header, not in the address")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("an address has no spaces or control characters; write them as %20")
    return url


class Email(Asked):
    """An SMTP server to hand messages to."""

    kind: Literal["email"]
    host: Text
    port: int = Field(ge=1, le=65535, description="587 with starttls, 465 with tls, 25 with none")
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = Field(max_length=200, pattern=r"^[^@\s<>]+@[^@\s<>]+$", examples=["alarms@city.example"])
    user: str = Field(default="", max_length=200, description="empty: no sign-in; secret `password`")
    trusted: str = Field(
        default="",
        max_length=20_000,
        description="PEM of the authority that signed the server; empty: the system's",
    )

    @field_validator("host", "sender", "user")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise ValueError("one line without control characters")
        return text


class Http(Asked):
    """An HTTP request as data: an SMS gateway (`sms`, once per number), or a chat robot (`webhook`).

    url, headers and body are templates: `${to}`, `${subject}`, `${text}`, `${short}`, `${id}`, and
    `${secret_x}` for the secret x. What is put in is escaped for the place: a JSON string, a form
    field, an address.
    """

    kind: Literal["sms", "webhook"]
    url: str = Field(max_length=2000)
    method: Literal["GET", "POST", "PUT"] = "POST"
    headers: dict[str, Annotated[str, Field(max_length=2000)]] = Field(default={}, max_length=20)
    body: str = Field(default='{"id": "${id}", "text": "${text}"}', max_length=10_000)
    encoding: Literal["json", "form", "text"] = "json"
    answer_field: str = Field(
        default="",
        max_length=200,
        description="dotted path into the JSON answer, `data.code`; empty: not looked at",
    )
    answer_equals: str = Field(default="", max_length=200, description="what stands there when it was taken")

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        # The host is fixed: no recipient or text may choose where a secret goes.
        fixed = urlsplit(url)
        if "$" in fixed.netloc or "$" in fixed.scheme:
            raise ValueError("scheme and host stand as they are; templates are for path and query")
        check_url(url)
        return url

    @model_validator(mode="after")
    def _templates(self) -> Http:
        check("url", self.url, PLAIN, secrets=True)
        for name, value in self.headers.items():
            if not HEADER.match(name) or name.lower() in OWN_HEADERS:
                raise ValueError(f"headers: {name!r} cannot be set here")
            if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise ValueError(f"headers: {name} must be one line")
            check(f"headers.{name}", value, PLAIN, secrets=True)
        check("body", self.body, PLAIN, secrets=True)
        if self.encoding == "json" and self.method != "GET":
            try:
                json.loads(fill(self.body, {}))
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"body, line {error.lineno}, column {error.colno}: {error.msg}; it must be JSON"
                ) from error
        return self


class Channel(Asked):
    """A way to people. per_minute: what one receiver gets at most; more waits and comes as one digest."""

    settings: Annotated[Email | Http, Field(discriminator="kind")]
    per_minute: int = Field(default=10, ge=1, le=600)


class Hours(Asked):
    """A weekly time of day; `until` before `from` goes over midnight, and belongs to the day it began on."""

    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default=[], max_length=7, description="1 Monday to 7 Sunday; none: every day"
    )
    from_: time = Field(alias="from")
    until: time

    def hold(self, local: datetime) -> bool:
        """Say whether the local time lies within."""
        at = local.time().replace(tzinfo=None)
        if self.from_ <= self.until:
            day, inside = local.isoweekday(), self.from_ <= at < self.until
        else:
            day = local.isoweekday() if at >= self.from_ else (local.isoweekday() - 2) % 7 + 1
            inside = at >= self.from_ or at < self.until
        return inside and (not self.days or day in self.days)


class Filter(Asked):
    """Which alarms. An empty list lets everything through; all lists must let an alarm through."""

    priorities: list[PriorityCode] = Field(default=[], max_length=4)
    areas: list[Text] = Field(default=[], max_length=200, description="districts (区)")
    sites: list[Text] = Field(default=[], max_length=500)
    categories: list[Text] = Field(default=[], max_length=100)

    def lets(self, *, priority: str, area: str, site: str, category: str) -> bool:
        """Say whether such an alarm is meant."""
        pairs = (
            (priority, self.priorities), (area, self.areas), (site, self.sites), (category, self.categories)
        )  # fmt: skip
        return all(not allowed or value in allowed for value, allowed in pairs)


class Target(Asked):
    """Who is told, and how."""

    channel: Number
    to: list[Text] = Field(default=[], max_length=100, description="addresses or numbers; none for a webhook")
    lang: Lang = "zh"


class Timed(Asked):
    """What has hours, and shows times: in this zone."""

    filter: Filter = Filter()
    hours: Hours | None = Field(default=None, description="left out: at all times")
    zone: str = Field(default="Asia/Shanghai", max_length=64, examples=["Asia/Shanghai"])

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no time zone; write one such as Asia/Shanghai") from error
        return zone

    def awake(self, at: datetime) -> bool:
        """Say whether its hours hold at that time."""
        return self.hours is None or self.hours.hold(at.astimezone(ZoneInfo(self.zone)))


class Subscription(Timed):
    """Who is told of which alarms, and when."""

    events: list[SubscribedEvent] = Field(min_length=1, max_length=5)
    after_minutes: int = Field(
        default=15, ge=1, le=10_080, description="of `unacknowledged`: told after so long"
    )
    targets: list[Target] = Field(min_length=1, max_length=10)


class EscalationStep(Asked):
    """One step of an escalation, so many minutes after the alarm was raised."""

    after_minutes: int = Field(ge=0, le=10_080)
    targets: list[Target] = Field(min_length=1, max_length=10)


class Escalation(Timed):
    """Steps until somebody answers. repeat_minutes: the last step again and again; 0: once.

    hours limit which alarms begin it; one that has begun goes on.
    """

    steps: list[EscalationStep] = Field(min_length=1, max_length=10)
    repeat_minutes: int = Field(default=0, ge=0, le=10_080)
    until: Until = "acknowledged"

    @model_validator(mode="after")
    def _rising(self) -> Escalation:
        minutes = [step.after_minutes for step in self.steps]
        if minutes != sorted(set(minutes)):
            raise ValueError("steps: each later than the one before it")
        return self


class Webhook(Asked):
    """An endpoint of another system. owner: the account whose sight it is limited to."""

    url: str = Field(max_length=2000)
    owner: str = Field(min_length=1, max_length=64)
    events: list[WebhookEvent] = Field(
        default=["alarm.raised", "alarm.acknowledged", "alarm.cleared"], min_length=1, max_length=4
    )
    filter: Filter = Filter()

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        return check_url(url)


Body = Channel | Subscription | Escalation | Webhook
