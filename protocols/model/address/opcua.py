"""An OPC UA address: node, part, method or condition, and wishes to the server."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from protocols.model.address.base import Address
from protocols.model.strict import Strict


class OpcUaInput(Strict):
    """One input argument of a method: a `value` of its own, or what the command brings, within limits."""

    value: float | str | None = Field(default=None, description="always this; left out: from the command")
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _limits(self) -> OpcUaInput:
        if self.value is not None and (self.min is not None or self.max is not None):
            raise ValueError("a fixed value needs no limits; remove min and max, or value")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max; correct one of them")
        return self


class OpcUaMethod(Strict):
    """A method that a command calls, on the object that is the point's `node`."""

    node: str = Field(pattern=r"^[sigb]=.+", description="the method's own node id, in the same namespace")
    inputs: tuple[OpcUaInput, ...] = Field(default=(), max_length=32)
    output: int = Field(default=0, ge=0, le=31, description="which output says whether it was done")
    ok: tuple[float | str, ...] = Field(default=(), description="values of that output that mean it was")


class OpcUaAddress(Address):
    """Node of a point: the namespace by URI and the identifier (`s=…`, `i=…`), `{device}` is filled in.

    sampling_ms and the deadbands are wishes to the server, deadband in the node's own raw unit.
    """

    params: ClassVar = {"device": "device"}
    titles: ClassVar = {"节点": "node"}
    as_json: ClassVar = frozenset({"method"})

    namespace: str
    node: str = Field(pattern=r"^[sigb]=.+")
    part: str = Field(default="", description="part of an array or structure: [2], Speed, Motor.Phases[0]")
    rewrite: bool = Field(
        default=False, description="write the part by reading the whole value and writing it back, changed"
    )
    method: OpcUaMethod | None = Field(default=None, description="a command calls this method of the node")
    condition: str = Field(
        default="", description="name of an alarm of this source node, `*` for any: the point is its severity"
    )
    sampling_ms: float | None = Field(
        default=None, ge=-1, le=86_400_000, description="sampling interval; 0 as fast as the server can"
    )
    queue: int | None = Field(default=None, ge=1, le=10_000, description="values kept between two reports")
    deadband: float | None = Field(default=None, gt=0, description="smaller changes are not reported")
    deadband_percent: float | None = Field(
        default=None, gt=0, le=100, description="the same in per cent of the node's EURange"
    )

    @model_validator(mode="after")
    def _one_deadband(self) -> OpcUaAddress:
        if self.deadband is not None and self.deadband_percent is not None:
            raise ValueError("deadband and deadband_percent are two ways to say it; remove one of them")
        if self.rewrite and not self.part:
            raise ValueError("rewrite is about a part; give `part`, or remove rewrite")
        if sum((self.method is not None, bool(self.part), bool(self.condition))) > 1:
            raise ValueError("part, method and condition are three kinds of points; keep one of them")
        return self
