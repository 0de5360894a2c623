"""Every column comes back as it went in, whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from protocols.errors import WireError
from protocols.wire.columns import decode_floats, decode_ints, encode_floats, encode_ints, encode_steps

ints = hnp.arrays(np.int64, st.integers(1, 50))
floats = hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(allow_nan=True))
decimals = st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=50)


@given(ints)
def test_integers_come_back(column: np.ndarray) -> None:
    assert np.array_equal(decode_ints(encode_ints(column), len(column)), column)
    assert np.array_equal(decode_ints(encode_steps(column), len(column)), column)


@given(floats)
def test_floats_come_back_bit_by_bit_but_for_negative_zero(column: np.ndarray) -> None:
    back = decode_floats(encode_floats(column), len(column))
    assert np.array_equal(back, column, equal_nan=True)


@given(decimals, st.integers(0, 6), st.lists(st.floats(allow_nan=True), max_size=5))
def test_decimals_with_a_few_exceptions_come_back(raw: list[int], places: int, odd: list[float]) -> None:
    column = np.array([number / 10**places for number in raw] + odd)
    assert np.array_equal(decode_floats(encode_floats(column), len(column)), column, equal_nan=True)


def test_two_decimals_take_the_integer_form_and_few_bytes() -> None:
    column = np.round(np.linspace(0, 100, 1000), 2)
    encoded = encode_floats(column)
    assert (encoded["k"], encoded["e"]) == ("f", 2)
    assert len(encoded["s"]["d"]) == 2 * len(column)


def test_binary32_numbers_take_four_bytes() -> None:
    column = np.array([0.1, 230.2, 1 / 3], np.float32).astype(np.float64)
    encoded = encode_floats(column)
    assert encoded["k"] == "4"
    assert len(encoded["d"]) == 12


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"k": "?"},
        {"k": "i", "b": 0, "w": 3, "d": b""},
        {"k": "i", "b": 0, "w": 2, "d": b"\0"},
        {"k": "i", "b": 1 << 64, "w": 1, "d": b"\0\0\0"},
        {"k": "d", "v": 0, "s": None},
        {"k": "c", "v": True},
        {"k": "f", "e": 99, "s": {"k": "c", "v": 1}},
        {"k": "8", "d": b"1234"},
        {"k": "f", "e": 0, "s": {"k": "c", "v": 1}, "n": {"k": "c", "v": 3}, "nn": 1},
        {"k": "f", "e": 0, "s": {"k": "c", "v": 1}, "x": {"k": "c", "v": -1}, "xv": b"12345678"},
    ],
)
def test_a_broken_column_says_what_is_wrong(broken: object) -> None:
    for decode in (decode_ints, decode_floats):
        with pytest.raises(WireError) as error:
            decode(broken, 3)
        assert error.value.reason == "shape"
