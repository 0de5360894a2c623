"""Shapes that every answer of the API shares: names, quality, pages, and the problems a route may give."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from central.kernel.problem import MEDIA_TYPE, Problem
from protocols.model.quality import quality_class, quality_name

T = TypeVar("T")
_SURROGATE = re.compile("[\ud800-\udfff]")
DEEPEST = 32
"""Levels of a request's body: what goes through it level by level must come to an end."""
_KEY_LIMIT = 1 << 53
"""Beyond every number and every time (µs) that a list is sorted by."""


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Named = TypeVar("Named", bound=_HasId)

PriorityCode = Literal["P1", "P2", "P3", "P4"]
"""P1 紧急 critical, P2 高 high, P3 中 medium, P4 低 low."""


class Shape(BaseModel):
    """Base of every answer: immutable, so that the live feed and the routes may share one."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Asked(BaseModel):
    """Base of every request body: an unknown field is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, fields: Any) -> Any:
        """Refuse text that no column can hold (a zero character, half of a pair), and what is too deep."""
        for name, words in fields.items() if isinstance(fields, dict) else ():
            if not _fits(name) or not _fits(words):
                raise ValueError(
                    f"{name!a} holds a character that cannot be stored (U+0000 or a lone surrogate), "
                    f"or more than {DEEPEST} levels"
                )
        return fields


def _fits(value: Any) -> bool:
    """Say whether PostgreSQL can hold every text in a value, and nothing lies deeper than `DEEPEST`."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        inner, depth = waiting.pop()
        if isinstance(inner, str):
            if "\0" in inner or _SURROGATE.search(inner):
                return False
        elif isinstance(inner, dict | list | tuple):
            if depth == DEEPEST:
                return False
            parts = [*inner, *inner.values()] if isinstance(inner, dict) else inner
            waiting += [(part, depth + 1) for part in parts]
    return True


class Name(Shape):
    """A name in both languages of the product."""

    zh: str = Field(description="Chinese name")
    en: str = Field(description="English name")


class QualityOut(Shape):
    """What a value is worth: an OPC UA StatusCode with its class and name."""

    code: int = Field(ge=0, le=0xFFFF_FFFF, description="32-bit OPC UA StatusCode")
    class_: Literal["good", "uncertain", "bad"] = Field(
        alias="class", serialization_alias="class", description="top two bits of the code"
    )
    name: str = Field(description="symbolic name such as BadTimeout, or the code as 0x%08X")

    @classmethod
    def of(cls, code: int) -> QualityOut:
        """Describe a status code."""
        return cls.model_validate({"code": code, "class": quality_class(code), "name": quality_name(code)})


class Page(Shape, Generic[T]):
    """A part of a list, newest or first by id; `next_cursor` asks for the part after it."""

    items: list[T]
    next_cursor: str | None = Field(
        default=None, description="hand it back as `cursor` for the next page; null at the end"
    )
    total: int | None = Field(default=None, description="all matching items, where cheap to know")


class ProblemOut(BaseModel):
    """RFC 9457 problem document; `type` ends in a stable code."""

    type: str = Field(examples=["/problems/not-allowed"])
    title: str
    status: int
    detail: str = Field(description="what was expected and how to repair it")
    errors: list[dict[str, str]] | None = Field(default=None, description="one entry per wrong field")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the problem answers of a route, for FastAPI's `responses=`."""
    schema = {"$ref": "#/components/schemas/ProblemOut"}
    return {
        status: {"description": _PHRASES[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


_PHRASES = {
    400: "The request cannot be understood",
    401: "Not signed in, or the session or token has ended",
    403: "The role does not allow it, or the request came from another site",
    404: "There is no such thing",
    409: "Not possible in the present state; `detail` says what is",
    413: "The file is too large; `detail` says how large it may be",
    415: "The file is of a type that is not kept, or broken",
    422: "A field is wrong; `errors` names each",
    429: "Too many attempts; `Retry-After` says when to try again",
    503: "The database does not answer; repeat after `Retry-After`",
}

Limit = Annotated[int, Query(ge=1, le=1000, description="how many items at most")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before")]


def names(text: str) -> list[str]:
    """Return the names in a comma separated list, each once, in their order."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def encode_cursor(*key: str | int) -> str:
    """Return the sort key of the last item as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type[str] | type[int]) -> tuple[Any, ...]:
    """Return the sort key inside a cursor, of those types; Problem 400 for one that we did not make."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        key = None
    if (
        not isinstance(key, list)
        or len(key) != len(kinds)
        or any(type(part) is not kind for part, kind in zip(key, kinds, strict=True))
        or any(abs(part) >= _KEY_LIMIT if isinstance(part, int) else "\0" in part for part in key)
    ):
        raise Problem(
            400,
            "bad-cursor",
            "Bad cursor",
            "Use `next_cursor` of the page before as it is, or leave it out.",
        )
    return tuple(key)


def cut_page(items: Sequence[Named], limit: int, cursor: str | None) -> tuple[list[Named], str | None]:
    """Return the page after the cursor of a list that is sorted by id, and the cursor of the next one."""
    after = "" if cursor is None else decode_cursor(cursor, str)[0]
    rest = [item for item in items if item.id > after]
    shown = rest[:limit]
    return shown, encode_cursor(shown[-1].id) if len(rest) > limit else None
