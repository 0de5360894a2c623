"""The configuration as the page and the command line see it: versions, differences, check, apply, return."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.console.answers import Problem, answer, body
from edge.console.guard import Caller, caller
from edge.house import House
from edge.versions.difference import Difference
from edge.versions.settings import Which
from edge.versions.start import PROBATION_S
from edge.versions.store import Source, Version
from protocols.errors import Mistake
from protocols.wire.handshake import ConfigStatus

MAX_BYTES: Final = 3 * 1024 * 1024
"""Of a request with a configuration in it: some thousand devices."""
Note = Annotated[str, msgspec.Meta(max_length=500)]


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """What runs and why, and the versions that are kept, the newest first; left_s of a probation."""

    status: ConfigStatus
    left_s: float | None
    versions: list[Version]


class TextView(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration: the gateway file's text, and by id those of its own profiles."""

    digest: str
    text: str
    profiles: dict[str, str]


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration to look at; own profiles that are not given are taken from their files."""

    text: str
    profiles: dict[str, str] = {}


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """Every mistake of it, and what it would change in the one that runs."""

    mistakes: tuple[Mistake, ...]
    diff: Difference


class ApplyRequest(CheckRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration to run. base: digest of the one that its author had before him."""

    note: Note = ""
    probation_s: float = PROBATION_S
    base: str = ""


class RollbackRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Go back to a version."""

    number: int
    note: Note = ""
    probation_s: float = PROBATION_S


def which(given: str) -> Which:
    """Return which configuration a query names: a number, `running` or `wanted`. Raises Problem."""
    if given == "running":
        return "running"
    if given == "wanted":
        return "wanted"
    try:
        return int(given[:18])
    except ValueError as error:
        raise Problem(
            422, "wrong-query", f"a version is a number, `running` or `wanted`, not {given[:18]!r}"
        ) from error


def _source(who: Caller) -> Source:
    return "file" if who.door == "local" else "page"


def routes(house: House) -> list[Route]:
    """GET /api/config, …/text and …/diff; POST …/check, …/apply, …/rollback and …/confirm."""
    settings = house.settings

    async def show(_: Request) -> Response:
        versions = sorted(settings.versions(), key=lambda version: -version.number)
        return answer(ConfigView(status=settings.status(), left_s=settings.left_s, versions=versions))

    async def text(request: Request) -> Response:
        texts = await settings.text(which(request.query_params.get("version", "running")))
        return answer(TextView(digest=texts.digest, text=texts.file, profiles=dict(texts.profiles)))

    async def diff(request: Request) -> Response:
        query = request.query_params
        return answer(
            await settings.diff(which(query.get("from", "running")), which(query.get("to", "wanted")))
        )

    async def check(request: Request) -> Response:
        wanted = await body(request, CheckRequest, MAX_BYTES)
        found = await settings.check(wanted.text, wanted.profiles)
        return answer(CheckView(mistakes=found.mistakes, diff=found.difference))

    async def apply(request: Request) -> Response:
        wanted = await body(request, ApplyRequest, MAX_BYTES)
        who = caller(request)
        version = await settings.apply(
            wanted.text,
            wanted.profiles,
            source=_source(who),
            actor=who.actor,
            note=wanted.note,
            probation_s=wanted.probation_s,
            base=wanted.base,
        )
        return answer(version)

    async def rollback(request: Request) -> Response:
        wanted = await body(request, RollbackRequest)
        who = caller(request).actor
        return answer(await settings.rollback(wanted.number, who, wanted.note, wanted.probation_s))

    async def confirm(request: Request) -> Response:
        return answer(await settings.confirm(caller(request).actor))

    return [
        Route("/api/config", show),
        Route("/api/config/text", text),
        Route("/api/config/diff", diff),
        Route("/api/config/check", check, methods=["POST"]),
        Route("/api/config/apply", apply, methods=["POST"]),
        Route("/api/config/rollback", rollback, methods=["POST"]),
        Route("/api/config/confirm", confirm, methods=["POST"]),
    ]
