"""Gateways and commands as the API shows them; more than one room does."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, cast

from pydantic import Field

from central.kernel.shapes import Name, Page, Shape
from central.link.command_rows import CommandView
from central.link.gateways import GatewayState, GatewayView
from central.link.order_rows import OrderKind, OrderView
from protocols.model.command import CommandState, CommandStep

ConfigState = Literal["same", "edited", "probation", "refused", "rolled-back"]


class Gateway(Shape):
    """A gateway and how it is doing."""

    id: str
    name: Name
    state: GatewayState
    last_seen: datetime | None
    lag_s: float | None = Field(description="age of the newest source time received, seconds")
    backlog_batches: int | None = Field(description="batches still in its buffer, as it last said")
    backlog_readings: int | None = Field(description="readings still in its buffer, as it last said")
    clock_offset_ms: float | None = Field(description="the centre's clock minus the gateway's, milliseconds")
    software: str
    points: int
    devices: int
    set_aside: int | None = Field(description="batches that the centre refused and the gateway keeps")
    token_at: datetime | None = Field(description="when its present token was made")
    config_state: ConfigState | None = Field(
        description="whether it runs the configuration it was given, as it last said"
    )
    storage_left_s: float | None = Field(
        description="how long its memory lasts without the centre at the present rate, seconds"
    )
    local_manual: list[str] = Field(description="devices that a technician holds; `*`: the whole gateway")
    audit_warning: Literal["", "cut", "rewritten"] = Field(
        description="cut: its audit trail has fewer entries than before; rewritten: another seal under a"
        " number that was seen; empty while it can be believed"
    )

    @classmethod
    def of(cls, view: GatewayView) -> Gateway:
        """Show a gateway."""
        return cls(
            id=view.id,
            name=Name(zh=view.name_zh, en=view.name_en),
            state=view.state,
            last_seen=view.last_seen,
            lag_s=view.lag_s,
            backlog_batches=view.backlog_batches,
            backlog_readings=view.backlog_readings,
            clock_offset_ms=view.clock_offset_ms,
            software=view.software,
            points=view.points,
            devices=view.devices,
            set_aside=view.set_aside,
            token_at=view.token_at,
            config_state=cast(ConfigState | None, view.config_state),
            storage_left_s=view.storage_left_s,
            local_manual=list(view.local_manual),
            audit_warning=cast(Literal["", "cut", "rewritten"], view.audit_warning),
        )


class GatewayPage(Page[Gateway]):
    """Gateways by id."""


class Command(Shape):
    """One write to one point, and what became of it."""

    id: str
    point: str
    device: str
    gateway: str
    value: float | str = Field(description="in the point's unit; text for points that speak text")
    unit: str = Field(description="UCUM code of the point's unit")
    state: CommandState
    issued_at: datetime
    issued_by: str
    expires_at: datetime = Field(description="it is never written after this time")
    delivered_at: datetime | None = Field(description="when the gateway took it")
    finished_at: datetime | None
    read_back: float | str | None = Field(description="what the device showed after the write")
    reason: str = Field(description="stable code of how it ended; empty while it is under way")
    detail: str
    step: CommandStep = Field(description="direct, or one half of select-before-operate")
    local: bool = Field(description="the gateway did it by itself: an action, or a person beside it")

    @classmethod
    def of(cls, view: CommandView) -> Command:
        """Show a command."""
        return cls(
            id=view.id,
            point=view.point,
            device=view.device,
            gateway=view.gateway,
            value=view.value,
            unit=view.unit,
            state=CommandState(view.state),
            issued_at=view.issued_at,
            issued_by=view.issued_by,
            expires_at=view.expires_at,
            delivered_at=view.delivered_at,
            finished_at=view.finished_at,
            read_back=view.read_back,
            reason=view.reason,
            detail=view.detail,
            step=cast(CommandStep, view.step),
            local=view.local,
        )


class CommandPage(Page[Command]):
    """Commands, newest first."""


class Order(Shape):
    """Something the centre wants of a gateway that is no command to a device."""

    id: str
    gateway: str
    kind: OrderKind
    subject: str = Field(description="what it is about, in short: the rule, the note, the version")
    state: CommandState
    issued_at: datetime
    issued_by: str
    expires_at: datetime = Field(description="the gateway does not begin it after this time")
    delivered_at: datetime | None = Field(description="when the gateway took it")
    finished_at: datetime | None
    reason: str = Field(description="stable code of how it ended; empty when all went well")
    detail: str

    @classmethod
    def of(cls, view: OrderView) -> Order:
        """Show an order."""
        return cls.model_validate(view)


class OrderPage(Page[Order]):
    """Orders, newest first."""
