"""How a device model is told from others, and what its raw values must become: the proof of a profile.

A golden vector is a pair that somebody worked out by hand, or read off a real device beside its display.
Tests serve `raw` over the wire and expect `value` at the other end; `citynerve-edge profile check` decodes it
without any device.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from protocols.model.quality import Quality, quality_class, quality_name

QUALITIES: Final = {quality_name(code): code for code in Quality}
"""Every quality by the name that people write: Good, BadSensorFailure, …"""
_HEX: Final = re.compile(r"([0-9A-Fa-f]{2}\s*)+")


class Identity(BaseModel):
    """What a device says of itself (Modbus 43/14): words that its vendor and product must contain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str = Field(min_length=1)
    product: str = Field(default="", description="left out: any product of that vendor")


class Probe(BaseModel):
    """A point whose value tells this model from others: within [low, high], in the point's unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    point: str
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Probe:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}; swap them")
        return self


class Golden(BaseModel):
    """A raw value of a point, and the reading that it must become.

    raw: for Modbus registers and binary payloads the bytes of the value as they stand on the wire, in hex
    (a bit of a register: the register); else the number, switch or text that the device tells, or null.
    value in the point's unit; none where the quality is bad.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    point: str
    raw: StrictBool | StrictInt | StrictFloat | StrictStr | None
    value: float | str | None = None
    quality: str = Field(default="Good", description="such as BadSensorFailure for a sentinel")

    @model_validator(mode="after")
    def _whole(self) -> Golden:
        if self.quality not in QUALITIES:
            raise ValueError(f"quality {self.quality!r} is not known; use one of {', '.join(QUALITIES)}")
        bad = quality_class(QUALITIES[self.quality]) == "bad"
        if bad != (self.value is None):
            raise ValueError(
                f"the vector of {self.point!r} is {self.quality} "
                + ("and has a value; remove `value`" if bad else "and has no value; give `value`")
            )
        return self

    @property
    def code(self) -> Quality:
        """The quality's code."""
        return QUALITIES[self.quality]

    def data(self, size: int) -> bytes:
        """Return the bytes that `raw` writes in hex. Raises ValueError unless there are `size` of them."""
        if not isinstance(self.raw, str) or not _HEX.fullmatch(self.raw):
            raise ValueError(
                f'raw {self.raw!r} of {self.point!r} is not hex; write its bytes in quotes, as "43 66 33 33"'
            )
        data = bytes.fromhex(self.raw)
        if len(data) != size:
            raise ValueError(f"raw of {self.point!r} has {len(data)} bytes, its place has {size}; correct it")
        return data
