"""The last look at a log line before it is written: what looks like a secret is replaced.

Nobody logs a secret on purpose; a library's message, a URL or a traceback may. Names are masked whole,
texts where they hold a token of ours, a bearer, or the password of a URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

MASK: Final = "•withheld•"
NAMES: Final = re.compile(
    r"(?i)(password|passwd|secret|authorization|cookie|credential|api_?key|enrolment_code|(^|_)token)$"
)
SHAPES: Final = (
    (re.compile(r"\bcn[a-z]_[A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),
    (re.compile(r"(?i)\b(password|cn_session)=[^\s;&'\"]+"), rf"\1={MASK}"),
)
DEPTH: Final = 4


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Structlog processor; place it before the renderer, behind what formats exceptions."""
    return {name: _value(name, value, DEPTH) for name, value in event.items()}


def _value(name: str, value: Any, depth: int) -> Any:
    if NAMES.search(name) and value not in (None, "", True, False):
        return MASK
    if isinstance(value, str):
        for shape, instead in SHAPES:
            value = shape.sub(instead, value)
        return value
    if depth and isinstance(value, Mapping):
        return {str(key): _value(str(key), inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_value("", inner, depth - 1) for inner in value]
    if isinstance(value, int | float | None):
        return value
    return _value("", repr(value), 0)
