"""A part of an array or structure as a point: `[2]`, `Speed`, `Motor.Phases[0].Current`."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, Final

NO_SUCH_ELEMENT: Final = 0x8037_0000
"""BadIndexRangeNoData: the array is shorter today."""
NO_SUCH_FIELD: Final = 0x8074_0000
"""BadTypeMismatch: what the node holds has no such field, or its type could not be learned."""
_STEP: Final = re.compile(r"\[(\d{1,9})\]|\.?([^\W\d]\w*)")

Steps = tuple[int | str, ...]


def steps(text: str) -> Steps:
    """Return the indexes and field names of a path, in order. Raises ValueError for what is no path."""
    found: list[int | str] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (at == 0 and text[0] == "."):
            raise ValueError(f"{text!r} is no part; write it like [2], Speed or Motor.Phases[0].Current")
        found.append(int(match[1]) if match[1] else match[2])
        at = match.end()
    return tuple(found)


def pick(value: Any, wanted: Steps, *, strange: bool = False) -> tuple[Any, int | None]:
    """Return the part of a value, and the status code of why there is none.

    `strange`: the fields of structures cannot be told apart, so none is there.
    """
    if strange and any(isinstance(step, str) for step in wanted):
        return None, NO_SUCH_FIELD
    for step in wanted:
        if isinstance(step, int):
            if not isinstance(value, Sequence) or isinstance(value, str | bytes):
                return None, NO_SUCH_FIELD
            if step >= len(value):
                return None, NO_SUCH_ELEMENT
            value = value[step]
        else:
            # Only what the structure says it has: a field named `__class__` is none.
            if step not in getattr(type(value), "__dataclass_fields__", ()):
                return None, NO_SUCH_FIELD
            value = getattr(value, step)
    return value, None


def put(value: Any, wanted: Steps, part: Any) -> Any:
    """Return a copy of a value with one part, which it must have, changed."""
    changed = copy.deepcopy(value)
    held = changed
    for step in wanted[:-1]:
        held = held[step] if isinstance(step, int) else getattr(held, step)
    last = wanted[-1]
    if isinstance(last, int):
        held[last] = part
    else:
        setattr(held, last, part)
    return changed


def type_name(value: Any, wanted: Steps) -> str:
    """Return the name of the type that a structure declares for a part, such as `Float`; "" for none."""
    declared = ""
    for step in wanted:
        if isinstance(step, str):
            annotation = type(value).__dataclass_fields__[step].type
            # `ua.Float`, `list[ua.Float]`, or the class itself; the last word is the element's type.
            text = annotation if isinstance(annotation, str) else annotation.__name__
            declared = re.findall(r"\w+", text)[-1]
            value = getattr(value, step)
        else:
            value = value[step]
    return declared
