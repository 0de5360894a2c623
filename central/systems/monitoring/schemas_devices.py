"""What is told of one device: its story and its bus."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from central.kernel.shapes import Name, Page, PriorityCode, Shape
from central.systems.monitoring.device_story import Moment
from central.systems.monitoring.schemas import Device


class DeviceMoment(Shape):
    """One thing that happened to a device. What its kind has not is null or empty."""

    at: datetime
    key: str = Field(description="tells moments of one time apart")
    kind: Literal["alarm", "command", "registry", "state"]
    event: str = Field(description="of an alarm's journal, or what was done in the registry")
    alarm: str | None
    name: Name | None = Field(description="of the alarm")
    priority: PriorityCode | None
    command: str | None
    point: str | None = Field(description="that was commanded")
    value: float | str | None
    unit: str
    state: str = Field(description="of the command, at present")
    from_: str = Field(alias="from", serialization_alias="from", description="state before")
    to: str = Field(description="state after: of the alarm, the lifecycle, or how the device answered")
    fields: list[str] = Field(description="of the registry that were written")
    actor: str
    comment: str

    @classmethod
    def of(cls, one: Moment) -> Self:
        """Show a moment."""
        body = one.body
        name = {"zh": body["zh"], "en": body["en"]} if "zh" in body else None
        texts = {
            key: body.get(key) or "" for key in ("event", "from", "to", "unit", "state", "actor", "comment")
        }
        ids = {key: body.get(key) for key in ("alarm", "priority", "command", "point", "value")}
        return cls.model_validate(
            {"at": one.at, "key": one.key, "kind": one.kind, "name": name, "fields": body.get("fields", [])}
            | texts
            | ids
        )


class Story(Page[DeviceMoment]):
    """What happened, newest first. How it answered is known of the last two days only."""


class Neighbours(Shape):
    """The devices on the same bus."""

    connection: str | None = Field(description="key at the gateway; null: it has not shown its configuration")
    protocol: str
    items: list[Device]
