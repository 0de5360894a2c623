"""Templates: `string.Template` with `${name}` and nothing else, so that a template can compute nothing.

Each message has a subject, a body and a short form (an SMS), in 中文 and English. Those built in stand in
`central/notices/words.py`; what a centre writes itself is laid over them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from string import Template
from typing import Final

PLAIN: Final = frozenset({"to", "subject", "text", "short", "id"})
"""What a channel's own request may hold."""
ALARM: Final = frozenset(
    {
        "name", "priority", "site", "area", "device", "point", "value", "limit", "unit", "category",
        "raised_at",        "cleared_at", "acked_at", "acked_by", "state", "at", "step", "minutes", "alarm",
    }
)  # fmt: skip
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "raised": ALARM,
    "cleared": ALARM,
    "acknowledged": ALARM,
    "unacknowledged": ALARM,
    "escalated": ALARM,
    "digest": frozenset({"count", "by_priority", "first_at", "last_at", "worst", "sites"}),
    "webhook_disabled": frozenset({"webhook", "url", "since", "error"}),
    "test": frozenset({"channel", "at", "by"}),
}
"""Template -> the names that it may use."""

_SECRET = re.compile(r"^secret_[a-z][a-z0-9_]{0,40}$")


class Words(Template):
    """`${name}` or `$name`; `$$` is a dollar sign."""

    idpattern = r"(?a:[a-z][a-z0-9_]*)"
    flags = re.RegexFlag(0)


def check(field: str, text: str, names: Set[str], *, secrets: bool = False) -> None:
    """Raise ValueError that names line and column of the first thing in a template that cannot be."""
    for found in Words.pattern.finditer(text):
        name = found["named"] or found["braced"]
        if found["escaped"] is not None or name in names or (secrets and name and _SECRET.match(name)):
            continue
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        problem = f"${{{name}}} is not known here" if name else "a single $ means nothing; write $$"
        known = ", ".join(f"${{{one}}}" for one in sorted(names))
        raise ValueError(f"{field}, line {line}, column {column}: {problem}; there are {known}")


def secret_names(*texts: str) -> set[str]:
    """Return the secrets that templates use, without `secret_`."""
    found = (match for text in texts for match in Words.pattern.finditer(text))
    names = (match["named"] or match["braced"] or "" for match in found)
    return {name.removeprefix("secret_") for name in names if name.startswith("secret_")}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return the template with its values; one that is missing is left empty."""
    known = {**dict.fromkeys(Words(text).get_identifiers(), ""), **values}
    return Words(text).substitute(known)
