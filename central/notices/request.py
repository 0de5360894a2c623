"""Messages as HTTP requests that are described as data: an SMS gateway, a chat robot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from central.notices.bodies import Http
from central.notices.outcome import Outcome
from central.notices.outgoing import Answer, Forbidden, Outgoing, Unreachable
from central.notices.texts import fill

TYPES: Final = {
    "json": "application/json; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
LATER: Final = frozenset({408, 425, 429})
"""Refusals that are worth another try, besides 5xx."""


def in_json(value: str) -> str:
    """Escape a value for the inside of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def in_address(value: str) -> str:
    """Escape a value for a form, or for the path or query of an address."""
    return quote(value, safe="")


def in_header(value: str) -> str:
    """Leave out what would end a header."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value)


async def send(
    outgoing: Outgoing, settings: Http, secrets: Mapping[str, str], values: Mapping[str, str]
) -> Outcome:
    """Make the request. values: `to`, `subject`, `text`, `short` and `id`, the key against doubles."""
    known = {**values, **{f"secret_{name}": secret for name, secret in secrets.items()}}
    escapes: dict[str, Callable[[str], str]] = {"json": in_json, "form": in_address, "text": str}
    escape = escapes[settings.encoding]
    url = fill(settings.url, {name: in_address(value) for name, value in known.items()})
    headers = {"Content-Type": TYPES[settings.encoding], "Idempotency-Key": values["id"]}
    for name, value in settings.headers.items():
        headers[name] = fill(value, {key: in_header(word) for key, word in known.items()})
    body = "" if settings.method == "GET" else fill(settings.body, {k: escape(v) for k, v in known.items()})
    try:
        answer = await outgoing.call(settings.method, url, headers, body.encode())
    except Forbidden as error:
        return Outcome("refused", str(error))
    except Unreachable as error:
        return Outcome("failed", str(error))
    return judge(settings, answer)


def judge(settings: Http, answer: Answer) -> Outcome:
    """Say what an answer means: the status, and the field that many gateways put their own verdict into."""
    said = f"{answer.status} {answer.text}"
    if not 200 <= answer.status < 300:
        again = answer.status >= 500 or answer.status in LATER
        return Outcome("failed" if again else "refused", said)
    if settings.answer_field and _field(answer.text, settings.answer_field) != settings.answer_equals:
        return Outcome("refused", f"{said} ({settings.answer_field} should be {settings.answer_equals!r})")
    return Outcome("sent", said)


def _field(text: str, path: str) -> str | None:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    for name in path.split("."):
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            return None
    return found if isinstance(found, str) else json.dumps(found)
