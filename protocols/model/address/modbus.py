"""A Modbus address: table, place, order of words."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from protocols.model.address.base import Address
from protocols.model.datatypes import REGISTERS, DataType, WordOrder


def wire_place(register: str) -> tuple[int, int]:
    """Return function code and wire address of a manual's `40001` or `400001`. Raises ValueError."""
    table = {"0": 1, "1": 2, "3": 4, "4": 3}.get(register[:1])
    if table is None or not register.isdecimal() or len(register) not in (5, 6) or int(register[1:]) < 1:
        raise ValueError(
            f"register {register!r} is none like 40001 or 400001 (0 coils, 1 inputs, 3 input registers, "
            "4 holding registers); coils need quotes: '00001'"
        )
    return table, int(register[1:]) - 1


def _manuals(schema: dict[str, Any]) -> None:
    """Let editors know the forms of manuals."""
    schema["required"] = []
    schema["properties"]["register"] = {
        "description": "40001 or 400001, as manuals print it",
        "type": ["integer", "string"],
    }
    schema["properties"]["number"] = {"description": "register counted from 1, with `fc`", "type": "integer"}


class ModbusAddress(Address):
    """Where a point lies. `address` is the wire address (0-based), whatever the manual prints.

    Two forms of manuals are taken instead and become it: `register` 40001 or 400001 (its first digit is the
    table, counted from 1), and `number` 1 (counted from 1, with `fc`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_manuals)

    params: ClassVar = {"unit": 1}
    titles: ClassVar = {
        "功能码": "fc",
        "地址": "address",
        "寄存器": "register",
        "字序": "order",
        "位": "bit",
        "长度": "length",
    }
    forms: ClassVar = ("register", "number")
    in_hex: ClassVar = frozenset({"address"})

    fc: Literal[1, 2, 3, 4]
    address: int = Field(ge=0, le=65535)
    order: WordOrder = "ABCD"
    length: int = Field(default=0, ge=0, le=125, description="registers of an ascii value")
    bit: int | None = Field(default=None, ge=0, le=15, description="bit of the register, LSB = 0")
    counter: bool = Field(default=False, description="only counts up: a jump is read twice (torn words)")

    @model_validator(mode="before")
    @classmethod
    def _wire(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        found = dict(data)
        written = [name for name in ("address", "register", "number") if name in found]
        if len(written) > 1:
            raise ValueError(f"{' and '.join(written)} are given; keep one of them")
        if "register" in found:
            fc, found["address"] = wire_place(str(found.pop("register")))
            if found.setdefault("fc", fc) != fc:
                raise ValueError(f"fc {found['fc']} is not the table of the register; leave `fc` out")
        elif "number" in found:
            number = found.pop("number")
            if not isinstance(number, int) or not 1 <= number <= 65_536:
                raise ValueError(f"number {number!r} is none of a manual that counts from 1; give 1 to 65536")
            found["address"] = number - 1
        return found

    def check(self, kind: DataType, *, writable: bool) -> None:
        """An ascii value says its length."""
        if kind == "ascii" and not self.length:
            raise ValueError("it is ascii; say its `length` in registers")

    def wire_bytes(self, kind: DataType) -> int:
        """Those of the registers; a coil has none."""
        if self.fc < 3:
            return 0
        return 2 * (1 if self.bit is not None else self.length if kind == "ascii" else REGISTERS[kind])
