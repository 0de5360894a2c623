"""What was encoded plausibly is found again near the top, whatever the type, the order and the neighbours."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tools.decode import ORDERS, Guess, decode, fits, value_of
from edge.tools.profiles import known_profiles
from protocols.errors import Rejected
from protocols.field.base import BoundPoint
from protocols.field.modbus.encode import encode
from protocols.model.address.modbus import ModbusAddress
from protocols.model.datatypes import WordOrder
from protocols.model.device import point_model

PROFILES = known_profiles()
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
orders = st.sampled_from(ORDERS)
usual_orders = st.sampled_from(ORDERS[:2])


def words(kind: str, value: float | str, order: WordOrder = "ABCD", length: int = 0) -> list[int]:
    """Encode with the driver's own code, which decoding shares nothing with."""
    point = point_model("modbus").model_validate(
        {"key": "p", "name": {"zh": "点", "en": "P"}, "type": kind,
         "modbus": {"fc": 3, "address": 0, "order": order, "length": length}}
    )  # fmt: skip
    return encode(BoundPoint(0, "d", point), value)


def place(guesses: Sequence[Guess], kind: str, value: float | str) -> int:
    """How far down (0 is the top) a reading at offset 0 stands; an error where it is not listed."""
    for at, guess in enumerate(guesses):
        if guess.type == kind and guess.offset == 0 and guess.value == value:
            return at
    raise AssertionError(f"{kind} {value!r} is not among {guesses[:5]}")


measured = st.integers(1, 99_999).map(lambda n: n / 100)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("sm16", -205), ("sm32", -70_000), ("unix32", 1_795_422_615), ("unix64", 1_795_422_615.5),
     ("date3", 1_795_422_615), ("date6", 1_795_422_615), ("bcd32", 20_261_123), ("i64", -5)],
)  # fmt: skip
@pytest.mark.parametrize("order", ORDERS)
def test_every_type_of_a_profile_can_be_read(kind: str, value: float, order: WordOrder) -> None:
    assert value_of(words(kind, value, order), kind, order) == value


def test_what_is_no_date_is_no_value() -> None:
    assert value_of([0xFFFF, 0xFFFF, 0xFFFF], "date3", "ABCD") is None


@given(measured, usual_orders)
def test_a_measured_float_is_on_top(value: float, order: WordOrder) -> None:
    assert place(decode(words("f32", value, order)), "f32", value) <= 1


@given(st.floats(0.5, 5000, width=32), usual_orders)
def test_a_float_of_all_digits_is_near_the_top(value: float, order: WordOrder) -> None:
    registers = words("f32", value, order)
    shown = value_of(registers, "f32", order)
    assert isinstance(shown, float)
    assert place(decode(registers), "f32", shown) <= 4


@given(measured, orders)
def test_a_double_is_on_top(value: float, order: WordOrder) -> None:
    assert place(decode(words("f64", value, order)), "f64", value) <= 1


@given(st.integers(70_000, 9_000_000), usual_orders)
def test_a_counter_is_near_the_top(value: int, order: WordOrder) -> None:
    guesses = decode(words("u32", value, order))
    assert place(guesses, "u32", value) <= 3


@given(st.integers(-500, -1))
def test_a_small_negative_number_is_seen_as_one(value: int) -> None:
    guesses = decode(words("i16", value))
    assert place(guesses, "i16", value) < place(guesses, "u16", value % 65536)


@given(
    st.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789-", min_size=6, max_size=16), st.sampled_from(["ABCD", "BADC"])
)
def test_text_is_found(value: str, order: WordOrder) -> None:
    assert place(decode(words("ascii", value, order, 8)), "ascii", value) < 8


@given(st.integers(10, 99_999_999))
def test_decimal_digits_are_listed(value: int) -> None:
    assert place(decode(words("bcd32", value)), "bcd32", value) < 12


@given(st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001 - fields of a register have no zone
def test_six_fields_are_a_date(moment: datetime) -> None:
    fields = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    best = decode(fields)[0]
    assert (best.type, best.value) == ("date6", f"{moment:%Y-%m-%dT%H:%M:%SZ}")


def test_other_forms_of_a_date() -> None:
    seconds = int(NOW.timestamp())
    unix = decode([seconds >> 16, seconds & 0xFFFF], now=NOW)
    assert place(unix, "unix-s", "2026-11-22T10:00:00Z") == 0
    packed = decode([0x0000, 22 << 8 | 10, 26 << 8 | 11], now=NOW)
    assert place(packed, "date3", "2026-11-22T10:00:00Z") == 0
    assert not [guess for guess in decode([13 << 8, 45 << 8 | 1, 26 << 8 | 13]) if guess.type == "date3"]


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=12), st.integers(0, 3))
def test_any_registers_are_answered_in_order(registers: list[int], before: int) -> None:
    guesses = decode(
        registers, before=min(before, len(registers) - 1), address=100, profiles=PROFILES.values()
    )
    assert [guess.score for guess in guesses] == sorted((guess.score for guess in guesses), reverse=True)
    assert all(-before <= guess.offset < len(registers) for guess in guesses)
    shown = [(g.offset, g.registers, str(g.value), g.profile, g.point) for g in guesses]
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(
    ("registers", "kind", "order", "value"),
    [
        ([0x4248, 0x0000], "f32", "ABCD", 50.0),
        ([0x4366, 0x3333], "f32", "ABCD", 230.2),
        ([0x806B, 0x4212], "f32", "CDAB", 36.62541),
        ([0xFF33], "i16", "ABCD", -205),
    ],
)
def test_vectors_of_the_field(registers: list[int], kind: str, order: str, value: float) -> None:
    """`../shared/domain/field_protocols.md` 9: 3, 6, 7."""
    best = decode(registers)[0]
    assert (best.type, best.order, best.value) == (kind, order, value)


def test_a_manual_that_counts_from_one_is_seen_through() -> None:
    registers = [*words("f32", 49.98), *words("f32", 12.5)]
    # Asked for address 1 although the float begins at 0: the neighbour before is tried as well.
    guesses = decode(registers[:3], before=1)
    assert (guesses[0].offset, guesses[0].value) == (-1, 49.98)


def test_known_points_are_named_and_scaled() -> None:
    pump = PROFILES["city.pump"]
    point = pump.point("speed")
    (best, *_) = decode([423], address=ModbusAddress.of(point).address, fc=4, profiles=[pump])
    assert (best.point, best.value, best.unit) == ("speed", 42.3, "Hz")


def test_the_profile_that_explains_most_fits_best() -> None:
    registers = [register for volts in (229.8, 231.1, 230.4) for register in words("f32", volts)]
    best, second, *rest = fits(registers, 0, 4, PROFILES.values())
    assert (best.profile, best.good, best.tried) == ("eastron.sdm630", 3, 3)
    assert best.score > second.score
    assert not [fit for fit in rest if fit.score > 8]


@pytest.mark.parametrize("registers", [[], [70_000], [-1], [0] * 126])
def test_what_is_no_register_is_refused(registers: list[Any]) -> None:
    with pytest.raises(Rejected, match="register"):
        decode(registers)


def test_floats_that_are_none_are_not_listed() -> None:
    nan = struct.unpack(">2H", struct.pack(">f", float("nan")))
    assert not [guess for guess in decode(nan) if guess.type == "f32" and guess.order == "ABCD"]
