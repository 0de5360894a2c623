"""What a request changed, before and after, for the audit trail: rooms call `changed`, `audit` writes it.

Only fields that differ are kept, and nothing that is called like a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel

LONGEST: Final = 16_384
"""Characters of one change; a longer one is cut to the names of its fields."""
HIDDEN: Final = "(not kept)"
_SECRET: Final = re.compile(
    r"password|secret|token|digest|credential|private|api_?key|authorization", re.IGNORECASE
)
_OPEN: Final = re.compile(r"^token_(days|days_max|at|id)$")

Thing = BaseModel | Mapping[str, Any] | None


def changed(request: Request, what: str, before: Thing, after: Thing) -> None:
    """Note a change for the audit entry of this request.

    what names the thing, `user li.na`; None before: it was made, None after: it was removed. Call it once the
    change is certain; a request may note several. A change of nothing is not noted.
    """
    change = difference(what, before, after)
    if change is not None:
        request.state.audit_changes = [*getattr(request.state, "audit_changes", ()), change]


def difference(what: str, before: Thing, after: Thing) -> dict[str, Any] | None:
    """Return the fields that differ, secrets hidden; None where nothing does."""
    old, new = _plain(before), _plain(after)
    if old is not None and new is not None:
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if not names:
            return None
        old, new = ({name: side.get(name) for name in names} for side in (old, new))
    change = {"what": what, "before": _hidden(old), "after": _hidden(new)}
    if len(json.dumps(change, ensure_ascii=False)) > LONGEST:
        cut = dict.fromkeys({**(old or {}), **(new or {})}, "(too long to keep)")
        change |= {"before": None if old is None else cut, "after": None if new is None else cut}
    return change


def _plain(thing: Thing) -> dict[str, Any] | None:
    if thing is None:
        return None
    plain: dict[str, Any] = jsonable_encoder(thing)
    return plain


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN
            if inner is not None and _SECRET.search(name) and not _OPEN.match(name)
            else _hidden(inner)
            for name, inner in value.items()
        }
    return [_hidden(item) for item in value] if isinstance(value, list) else value
