"""How much a value looks meant: evidence in bits, against registers that mean something else.

A reading of n random bits hits a tidy value by chance with some probability p; its evidence is
-log2(p), so that readings of different lengths compare. The figures are rules of thumb, kept here
so that they can be argued about:

- a float earns its exponent (measured values lie between 0.01 and 100,000, few floats do) and 3.3
  bits for each decimal digit fewer than its type can hold: 230.2 is written by people or ADCs,
  230.19847 by nobody, -1.7e-19 by another type;
- an integer earns the bits it leaves unused, in part and up to 14, because zeros are common anyway;
- text earns 1.4 bits for each printable byte and 1.5 more for each letter or digit;
- binary coded decimals earn 0.68 bits for each digit, and lose the habit: they are rare;
- a date earns the narrowness of its fields, and nearness to today where today is given.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

DIGIT_BITS: Final = math.log2(10)
_DIGITS: Final = {"f32": 9, "f64": 17}
IMPLAUSIBLE: Final = -12.0


def of_float(value: float, kind: str) -> float:
    """Return the evidence of a float; IMPLAUSIBLE for NaN, infinities and sizes that nobody measures."""
    size = abs(value)
    if not math.isfinite(value) or (size and not 1e-9 < size < 1e15):
        return IMPLAUSIBLE
    if size == 0:
        return 3.0
    magnitude = 4.0 if 1e-2 <= size < 1e5 else 1.0 if 1e-4 <= size < 1e8 else -6.0
    return magnitude + DIGIT_BITS * min(_DIGITS[kind] - digits(value, kind), 8) - (value < 0)


def digits(value: float, kind: str) -> int:
    """Return the significant decimal digits of the shortest text that is this float again."""
    shortest = np.float32(value) if kind == "f32" else np.float64(value)
    mantissa = np.format_float_scientific(shortest, unique=True, trim="-").partition("e")[0]
    return len(mantissa.replace(".", "").replace("-", ""))


def of_integer(value: int, bits: int, share: float) -> float:
    """Return the evidence of an integer in `bits` bits: the unused ones, `share` of each."""
    if value == 0:
        return 3.0
    used = abs(value).bit_length() + (value < 0)
    return min(share * (bits - used), 14.0) - (value < 0)


def of_text(data: bytes) -> float:
    """Return the evidence of ASCII text, padding cut off already; IMPLAUSIBLE for anything unprintable."""
    if len(data) < 3 or any(not 0x20 <= byte < 0x7F for byte in data):
        return IMPLAUSIBLE
    return sum(1.43 + 1.5 * chr(byte).isalnum() for byte in data) - 3


def of_bcd(nibbles: int, value: int) -> float:
    """Return the evidence of binary coded decimals; a value below 10 reads the same as a plain number."""
    return 0.68 * nibbles - 4 if value >= 10 else IMPLAUSIBLE


def of_flags(value: int) -> float:
    """Return the evidence of a register of bits: few of them set, and not the low ones only."""
    count = value.bit_count()
    return 2.0 - count if 0 < count <= 4 and value > 4 else -4.0
