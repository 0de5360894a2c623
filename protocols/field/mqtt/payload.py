"""What an MQTT payload says: values by dotted path, source time, and what of it is no value at all."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NamedTuple

import msgspec

from protocols.model.clock import from_datetime
from protocols.model.datatypes import DataType
from protocols.model.quality import Quality

Path = tuple[str | int, ...]

_SINCE_1970 = re.compile(r"\d{10,17}(\.\d{1,9})?")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII)
"""A number in text. Python's `float` takes 3_7 and other scripts' digits too: damage would pass."""
_WORDS: Final = {"true": 1.0, "on": 1.0, "yes": 1.0, "false": 0.0, "off": 0.0, "no": 0.0}
GOOD: Final = int(Quality.GOOD)
"""As a plain number: looking it up in the enum for each value costs as much as its decoding."""
MISSING: Final = object()
"""What `find` returns where the payload has nothing at a path."""


class Value(NamedTuple):
    """One point's part of a payload."""

    value: float
    quality: int
    text: str | None


UNREADABLE: Final = Value(math.nan, Quality.BAD_DECODING_ERROR, None)


def compile_path(path: str) -> Path:
    """Return the steps of a dotted path such as `a.b[0].c`; no steps for "". Raises ValueError."""
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or (at == 0 and path[0] == "."):
            raise ValueError(f"{path!r} is no dotted path such as a.b[0].c (at character {at + 1})")
        steps.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    return tuple(steps)


def find(document: Any, path: Path) -> Any:
    """Return what lies at a path of a JSON document, or MISSING."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or step >= len(document):
                return MISSING
        elif not isinstance(document, dict) or step not in document:
            return MISSING
        document = document[step]
    return document


def parse(payload: bytes) -> Any:
    """Return the JSON document of a payload, or MISSING where it is none, or nested without an end."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return MISSING


def plain(payload: bytes, kind: DataType) -> Value:
    """Return a payload that is the value itself: a number, true/false, on/off, or text."""
    try:
        return interpret(payload.decode("utf-8"), kind)
    except UnicodeDecodeError:
        return UNREADABLE


def interpret(found: Any, kind: DataType) -> Value:
    """Return a JSON scalar as a value of the point's type; null is a sensor that has none."""
    if found is None:
        return Value(math.nan, Quality.BAD_SENSOR_FAILURE, None)
    if kind in ("text", "ascii"):
        if isinstance(found, str):
            return Value(math.nan, GOOD, found)
        return Value(math.nan, Quality.BAD_TYPE_MISMATCH, None)
    if isinstance(found, str):
        word = found.strip().lower()
        if word not in _WORDS and not _NUMBER.fullmatch(word):
            return UNREADABLE
        found = _WORDS[word] if word in _WORDS else float(word)
    if not isinstance(found, (bool, int, float)):
        return Value(math.nan, Quality.BAD_TYPE_MISMATCH, None)
    try:
        number = float(found)
    except OverflowError:
        return Value(math.nan, Quality.BAD_OUT_OF_RANGE, None)
    if not math.isfinite(number):
        return Value(math.nan, Quality.BAD_SENSOR_FAILURE, None)
    return Value(number, GOOD, None)


def source_time(found: Any, zone: tzinfo = UTC) -> int | None:
    """Return a payload's time in UTC microseconds, or None where it is not readable.

    ISO 8601 (without a zone: in `zone`), or a number of seconds, milliseconds or microseconds since 1970,
    also as text of ten digits and more, told apart by size: each unit's range ends in the year 5138.
    """
    try:
        if isinstance(found, str):
            if _SINCE_1970.fullmatch(found):
                return source_time(float(found) if "." in found else int(found))
            moment = datetime.fromisoformat(found)
            return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=zone))
        if isinstance(found, (int, float)) and not isinstance(found, bool) and 0 < found < 1e17:
            per_unit = 1_000_000 if found < 1e11 else 1_000 if found < 1e14 else 1
            return round(found * per_unit)
    except (ValueError, OverflowError):
        return None
    return None


def fill_template(template: str, value: float | str, kind: DataType) -> str:
    """Return the payload of a write: `{value}` becomes a JSON literal, bare text outside of JSON.

    Whole numbers are written without a point, and the values of a bool point as true and false.
    """
    if kind == "bool" and value in (0, 1):
        literal = "true" if value else "false"
    elif isinstance(value, str):
        inside_json = template.lstrip()[:1] in ("{", "[")
        literal = json.dumps(value, ensure_ascii=False) if inside_json else value
    else:
        literal = repr(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))
    return (template or "{value}").replace("{value}", literal)
