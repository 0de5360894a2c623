"""Addresses as manuals print them become the wire's."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from protocols.model.address.modbus import ModbusAddress


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ({"fc": 4, "address": 0x34}, (4, 0x34)),
        ({"register": 40001}, (3, 0)), ({"register": "400001"}, (3, 0)), ({"register": 43060}, (3, 3059)),
        ({"register": 30013}, (4, 12)), ({"register": 10008}, (2, 7)), ({"register": "00001"}, (1, 0)),
        ({"register": 465536}, (3, 65535)), ({"register": 40001, "fc": 3}, (3, 0)),
        ({"fc": 3, "number": 3060}, (3, 3059)), ({"fc": 3, "number": 65536}, (3, 65535)),
    ],
)  # fmt: skip
def test_every_form_becomes_the_wire_address(written: dict[str, Any], wire: tuple[int, int]) -> None:
    address = ModbusAddress.model_validate(written)
    assert (address.fc, address.address) == wire
    assert ModbusAddress.model_validate(address.model_dump()) == address


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"register": 50001}, "none like 40001"), ({"register": 40000}, "none like 40001"),
        ({"register": 1}, "coils need quotes"), ({"register": 499999}, "65535"),
        ({"register": 40001, "fc": 4}, "leave `fc` out"),
        ({"register": 40001, "address": 0}, "keep one of them"),
        ({"fc": 3, "number": 0}, "counts from 1"), ({"fc": 3}, "Field required"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_told(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModbusAddress.model_validate(written)
    assert words in str(caught.value)
