"""Where a point lies: a slot of its counter."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from protocols.model.address.base import Address
from protocols.model.datatypes import DataType


class CounterAddress(Address):
    """A slot, counted from 0."""

    params: ClassVar = {"name": "counter1"}
    titles: ClassVar = {"槽位": "slot"}

    slot: int = Field(ge=0, le=99, description="the slot's number, as its door shows it")

    def check(self, kind: DataType, *, writable: bool) -> None:
        """Counters count."""
        if kind in ("ascii", "text"):
            raise ValueError(f"a slot holds no {kind}; use f64")
