"""Dotted paths in JSON (`a.b[0].c`), to build a document and to find a value in one."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

JsonPath: TypeAlias = tuple[str | int, ...]
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_MARK = "\0value"


def parse_path(text: str) -> JsonPath:
    """Return the steps of a path: names are strings, list places are numbers; `""` is the whole document."""
    return tuple(int(index) if index else name for name, index in _PART.findall(text))


def put(document: Any, path: JsonPath, value: Any) -> Any:
    """Return `document` (None: a new one) with `value` at `path`, growing objects and lists."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        grown = document if isinstance(document, list) else []
        grown.extend([None] * (step + 1 - len(grown)))
        grown[step] = put(grown[step], rest, value)
        return grown
    branch = document if isinstance(document, dict) else {}
    branch[step] = put(branch.get(step), rest, value)
    return branch


def find(document: Any, path: JsonPath) -> Any:
    """Return what lies at `path`; KeyError where there is nothing."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            raise KeyError(step) from None
    return document


def template_path(template: str) -> JsonPath:
    """Return where `{value}` stands in a command template; ValueError for a template that is no JSON."""
    marked = template.replace('"{value}"', "{value}").replace("{value}", json.dumps(_MARK))
    path = _where(json.loads(marked))
    if path is None:
        raise ValueError(f"the command template {template!r} has no {{value}}")
    return path


def _where(document: Any) -> JsonPath | None:
    if document == _MARK:
        return ()
    entries: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        entries = list(document.items())
    elif isinstance(document, list):
        entries = list(enumerate(document))
    for step, branch in entries:
        below = _where(branch)
        if below is not None:
            return (step, *below)
    return None
