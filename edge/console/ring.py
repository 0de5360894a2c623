"""The last lines of the log, in memory, for a technician without a shell: a processor of structlog.

Secrets are masked here once more, by the name of their field and by their form in a text. Rules about them
belong to whoever logs; this is for the day on which somebody forgets.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Mapping, MutableMapping
from itertools import count
from typing import Any, Final

import msgspec
import structlog

from protocols.model.clock import Clock, now_us

LINES: Final = 1_000
MAX_CHARACTERS: Final = 4_000
"""Of one field; a traceback is the longest."""
MASK: Final = "•••"
_SECRET_FIELD: Final = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|authorization|cookie|api_?key|private_?key|^code$",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<user>//[^/\s:@]*:)[^/\s@]+(?=@)"
    r"|(?P<scheme>\b(?:bearer|basic|digest)\s+)[\w.~+/=-]{8,}"
    r"|(?P<name>\b(?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+",
    re.IGNORECASE,
)
_OWN_FIELDS: Final = frozenset({"event", "level", "time", "timestamp"})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log; n counts from 1 since the start."""

    n: int
    time_us: int
    level: str
    event: str
    fields: dict[str, str | int | float | bool | None]


class Ring:
    """Keeps the newest lines. Put it into structlog's processors before the renderer; it changes nothing."""

    def __init__(self, clock: Clock = now_us, lines: int = LINES) -> None:
        self._clock = clock
        self._lines: deque[Line] = deque(maxlen=lines)
        self._numbers = count(1)
        self._gate = threading.Lock()

    def __call__(
        self, logger: Any, method: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Note one line; called from any thread."""
        told = event_dict
        if event_dict.get("exc_info"):
            told = structlog.processors.format_exc_info(logger, method, dict(event_dict))
        fields = {
            str(name): shown(str(name), value) for name, value in told.items() if name not in _OWN_FIELDS
        }
        event, level = masked(str(told.get("event", "")))[:MAX_CHARACTERS], str(told.get("level", method))
        with self._gate:
            self._lines.append(
                Line(n=next(self._numbers), time_us=self._clock(), level=level, event=event, fields=fields)
            )
        return event_dict

    def after(self, number: int, level: str = "debug") -> tuple[int, list[Line]]:
        """Return the newest line's number, and the lines after `number` of at least `level`, in order."""
        least = _rank(level)
        with self._gate:
            lines = list(self._lines)
        newest = lines[-1].n if lines else 0
        return newest, [line for line in lines if line.n > number and _rank(line.level) >= least]


def installed() -> Ring | None:
    """Return the ring among structlog's processors, where the program that runs has put one."""
    found: list[object] = structlog.get_config()["processors"]
    return next((processor for processor in found if isinstance(processor, Ring)), None)


def masked(text: str) -> str:
    """Return a text without the secrets that can be known by their form: `//user:…@`, `token=…`, Bearer."""
    return _SECRET_TEXT.sub(lambda found: (found["user"] or found["scheme"] or found["name"]) + MASK, text)


def masking(_: Any, __: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask the texts of a line on its way to the journal: a structlog processor, before the renderer."""
    for name, value in event_dict.items():
        if isinstance(value, str):
            event_dict[name] = masked(value)
    return event_dict


def shown(name: str, value: object) -> str | int | float | bool | None:
    """Return a field's value as plain data of bounded size, masked where its name says that it is secret."""
    if _SECRET_FIELD.search(name):
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        value = {key: shown(str(key), one) for key, one in value.items()}
    return masked(str(value))[:MAX_CHARACTERS]


def _rank(level: str) -> int:
    return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
