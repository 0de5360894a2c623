"""One column of numbers as few bytes: what the batch codec is made of.

    ints    {"k": "c", "v": 7}                          all equal
            {"k": "i", "b": base, "w": width, "d": …}   value - base, little endian, byte planes
            {"k": "d", "v": first, "s": ints}           first value, then the steps between neighbours
    floats  {"k": "f", "e": 2, "s": ints, …}            value * 10**e is an integer, exactly
            {"k": "4"|"8", "d": …}                      IEEE 754 binary32 or binary64, byte planes

Byte planes (all lowest bytes, then all second bytes, …) put the bytes that hardly change side by side,
where zstd folds them; sensors report decimals, so an exact scaled integer needs two or three bytes
where the binary64 needs eight. Every form gives back the numbers that went in; only -0.0 becomes 0.0.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from protocols.errors import WireError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Column = dict[str, Any]

_EXACT = 2.0**53
_MAX_DECIMALS = 6
_MAX_EXCEPTIONS = 0.25
_WIDTHS: dict[int, np.dtype[Any]] = {
    1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"), 8: np.dtype("<u8"),
}  # fmt: skip


def encode_ints(column: Ints) -> Column:
    """Encode an int64 column of shape (n,), n >= 1."""
    low, high = int(column.min()), int(column.max())
    if low == high:
        return {"k": "c", "v": low}
    span = high - low
    width = 1 if span < 1 << 8 else 2 if span < 1 << 16 else 4 if span < 1 << 32 else 8
    # A span over 2**63 wraps here and wraps back in decode: both are arithmetic modulo 2**64.
    with np.errstate(over="ignore"):
        offsets = (column - np.int64(low)).view(np.uint64).astype(_WIDTHS[width])
    return {"k": "i", "b": low, "w": width, "d": _planes(offsets)}


def encode_steps(column: Ints) -> Column:
    """Encode an int64 column whose neighbours differ by little: indexes, times."""
    first = int(column[0])
    if len(column) == 1:
        return {"k": "c", "v": first}
    return {"k": "d", "v": first, "s": encode_ints(np.diff(column))}


def encode_floats(column: Floats) -> Column:
    """Encode a float64 column of shape (n,), n >= 1; NaN means "no number" and comes back as NaN."""
    nulls = np.isnan(column)
    empty = nulls.any()
    numbers = (np.where(nulls, 0.0, column) if empty else column) + 0.0
    encoded = _decimals(numbers) or _binary(numbers)
    if empty:
        encoded["n"] = encode_steps(np.flatnonzero(nulls).astype(np.int64))
        encoded["nn"] = int(nulls.sum())
    return encoded


def _decimals(numbers: Floats) -> Column | None:
    """Encode as exact scaled integers, exceptions apart; None where too few are decimals."""
    best = -1
    best_exponent = 0
    best_fit: tuple[Floats, NDArray[np.bool_]] | None = None
    with np.errstate(over="ignore", invalid="ignore"):
        for exponent in range(_MAX_DECIMALS + 1):
            power = 10.0**exponent
            scaled = np.rint(numbers * power)
            fits = (scaled / power == numbers) & (np.abs(scaled) < _EXACT)
            count = int(np.count_nonzero(fits))
            if count > best:
                best, best_exponent, best_fit = count, exponent, (scaled, fits)
            if count == len(numbers):
                break
    if best_fit is None or best < len(numbers) * (1 - _MAX_EXCEPTIONS):
        return None
    scaled, fits = best_fit
    column: Column = {"k": "f", "e": best_exponent}
    if best < len(numbers):
        exceptions = np.flatnonzero(~fits)
        column["x"] = encode_steps(exceptions.astype(np.int64))
        column["xv"] = numbers[exceptions].astype("<f8").tobytes()
        scaled = np.where(fits, scaled, 0.0)
    column["s"] = encode_ints(scaled.astype(np.int64))
    return column


def _binary(numbers: Floats) -> Column:
    with np.errstate(over="ignore"):
        short = numbers.astype("<f4")
    if np.array_equal(short.astype(np.float64), numbers):
        return {"k": "4", "d": _planes(short)}
    return {"k": "8", "d": _planes(numbers.astype("<f8"))}


def _planes(column: NDArray[Any]) -> bytes:
    width = column.dtype.itemsize
    if width == 1:
        return column.tobytes()
    return column.view(np.uint8).reshape(len(column), width).T.tobytes()


def decode_ints(column: Any, n: int) -> Ints:
    """Decode n int64 values, or raise WireError(`shape`)."""
    kind = _field(column, "k", str)
    if kind == "c":
        return np.full(n, _int64(column, "v"), np.int64)
    if kind == "i":
        width = _field(column, "w", int)
        if width not in _WIDTHS:
            raise WireError("shape", f"an integer column is {width} bytes wide; expected 1, 2, 4 or 8")
        offsets = _from_planes(_field(column, "d", bytes), n, _WIDTHS[width])
        with np.errstate(over="ignore"):
            return cast(Ints, offsets.astype(np.uint64).view(np.int64) + np.int64(_int64(column, "b")))
    if kind == "d":
        steps = np.empty(n, np.int64)
        steps[0] = _int64(column, "v")
        if n > 1:
            steps[1:] = decode_ints(_field(column, "s", dict), n - 1)
        return np.cumsum(steps)
    raise WireError("shape", f"an integer column has the unknown kind {kind!r}")


def decode_floats(column: Any, n: int) -> Floats:
    """Decode n float64 values, or raise WireError(`shape`)."""
    kind = _field(column, "k", str)
    if kind == "f":
        exponent = _field(column, "e", int)
        if not 0 <= exponent <= _MAX_DECIMALS:
            raise WireError("shape", f"a column has {exponent} decimals; expected 0 to {_MAX_DECIMALS}")
        numbers: Floats = decode_ints(_field(column, "s", dict), n) / 10.0**exponent
        if "x" in column:
            values = _field(column, "xv", bytes)
            if len(values) % 8 or not values:
                raise WireError("shape", "the exceptions of a column are not whole binary64 numbers")
            numbers[_rows(column["x"], len(values) // 8, n)] = np.frombuffer(values, "<f8")
    elif kind == "4":
        numbers = _from_planes(_field(column, "d", bytes), n, np.dtype("<f4")).astype(np.float64)
    elif kind == "8":
        numbers = _from_planes(_field(column, "d", bytes), n, np.dtype("<f8")).astype(np.float64)
    else:
        raise WireError("shape", f"a number column has the unknown kind {kind!r}")
    if "n" in column:
        numbers[_rows(column["n"], _field(column, "nn", int), n)] = np.nan
    return numbers


def _rows(column: Any, count: int, n: int) -> Ints:
    if not 0 < count <= n:
        raise WireError("shape", f"a column marks {count} of its {n} rows")
    rows = decode_ints(column, count)
    if rows.min() < 0 or rows.max() >= n:
        raise WireError("shape", f"a column marks a row outside its {n} rows")
    return rows


def _from_planes(data: bytes, n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    width = dtype.itemsize
    if len(data) != n * width:
        raise WireError("shape", f"a column holds {len(data)} bytes; {n} rows of {width} need {n * width}")
    if width == 1:
        return np.frombuffer(data, dtype)
    planes = np.frombuffer(data, np.uint8).reshape(width, n)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(n)


def _field(column: Any, name: str, kind: type) -> Any:
    value = column.get(name) if isinstance(column, dict) else None
    if type(value) is not kind:
        raise WireError("shape", f"a column's field {name!r} is {type(value).__name__}, not {kind.__name__}")
    return value


def _int64(column: Any, name: str) -> int:
    value: int = _field(column, name, int)
    if not -(1 << 63) <= value < 1 << 63:
        raise WireError("shape", f"a column's field {name!r} does not fit 64 bits")
    return value
