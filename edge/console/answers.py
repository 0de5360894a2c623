"""What goes over the local API: JSON in and out, and errors as RFC 9457 problem documents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from protocols.errors import Mistake
from protocols.model.device import Text

Shape = TypeVar("Shape")

BODY_BYTES: Final = 64 * 1024
"""Largest body of a request, where the route does not take more."""
_BODY_S: Final = 20.0
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Words(msgspec.Struct, frozen=True):
    """A sentence or name in both languages."""

    zh: str
    en: str


def words(text: Text) -> Words:
    """Return a name of a profile or gateway file as it is sent."""
    return Words(text.zh, text.en)


class Problem(Exception):
    """An answer that is not the one hoped for. `code` is stable; `detail` tells how to repair it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        mistakes: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.mistakes = tuple(mistakes)
        self.headers = dict(headers or {})
        super().__init__(f"{status} {code}: {detail}")

    def response(self) -> Response:
        """Return the answer itself; mistakes of files with their place, where there are any."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": self.code.replace("-", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.mistakes:
            body["mistakes"] = self.mistakes
        return answer(body, self.status, self.headers, media_type="application/problem+json")


def answer(
    data: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    media_type: str = "application/json",
) -> Response:
    """Return data as JSON that nobody keeps; numbers that are not finite become null."""
    return Response(
        msgspec.json.encode(data), status, {**_NO_STORE, **(headers or {})}, media_type=media_type
    )


def nothing() -> Response:
    """Return the answer of an act that has nothing to tell."""
    return Response(status_code=204, headers=_NO_STORE)


async def body(request: Request, shape: type[Shape], limit: int = BODY_BYTES) -> Shape:
    """Read a request's JSON as `shape`. Raises Problem: `too-large`, `too-slow`, `no-json` or `wrong-shape`.

    The whole body has 20 s to arrive, so that a client that trickles holds no place for ever.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                data += part
                if len(data) > limit:
                    raise Problem(413, "too-large", f"the request is larger than {limit} bytes")
    except TimeoutError as error:
        raise Problem(408, "too-slow", f"the request did not arrive within {_BODY_S:g} s") from error
    try:
        return msgspec.json.decode(bytes(data), type=shape)
    except msgspec.ValidationError as error:
        raise Problem(422, "wrong-shape", f"the request has another form: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "no-json", f"the request is no JSON document: {error}") from error


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the query, held within `low` to `high`. Raises Problem `wrong-query`."""
    given = request.query_params.get(name)
    if given is None:
        return default
    try:
        return min(max(int(given[:24]), low), high)
    except ValueError as error:
        raise Problem(422, "wrong-query", f"`{name}` is a whole number, not {given[:24]!r}") from error


def required(request: Request, name: str) -> str:
    """Return a word of the query. Raises Problem `wrong-query` where it is missing."""
    given = request.query_params.get(name)
    if not given:
        raise Problem(422, "wrong-query", f"say `{name}` in the query")
    return given
