"""An SNMP address: an object by its number."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from protocols.model.address.base import Address
from protocols.model.datatypes import DataType

TYPES = ("bool", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "text")


class SnmpAddress(Address):
    """Object of a point by its whole numeric id (a scalar ends in .0); `{index}` is a table's row."""

    params: ClassVar = {"index": "1"}

    oid: str = Field(
        pattern=r"^[012]\.\d{1,10}(\.(\d{1,10}|\{index\}))+$", description="1.3.6.1.2.1.33.1.2.4.0"
    )
    bit: int | None = Field(
        default=None,
        ge=0,
        le=255,
        description="bit of BITS, 0 is the first octet's highest; of a number, LSB = 0",
    )
    when_true: int = Field(default=1, description="number that means true in a bool; TruthValue says 1")
    when_false: int = Field(default=2, description="number that means false in a bool; TruthValue says 2")
    write_as: Literal["integer", "unsigned", "timeticks", "octets", "ip"] = Field(
        default="integer", description="the object's syntax, for writes"
    )

    @model_validator(mode="after")
    def _whole(self) -> SnmpAddress:
        if self.when_true == self.when_false:
            raise ValueError("when_true and when_false are the same number; give the object's two")
        return self

    def check(self, kind: DataType, *, writable: bool) -> None:
        """SNMP has numbers, switches and texts, and no bit of them is written alone."""
        if kind not in TYPES:
            raise ValueError(f"SNMP has no {kind}; use one of {', '.join(TYPES)}")
        if writable and self.bit is not None:
            raise ValueError("a bit of an SNMP object cannot be written; remove `writable`")
