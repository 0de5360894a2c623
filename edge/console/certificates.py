"""Certificates that OPC UA servers have shown and nobody has trusted yet: looked at, and trusted by a word.

GET /api/certificates/{device} lists those of the device's line; POST with a whole fingerprint trusts one, in
the name of whoever is signed in, and the line is opened anew at once. What is not waiting cannot be trusted
from here: a certificate is only ever known because its server showed it. POST /api/authorities/{device} takes
the file of an authority, or its revocation list: the line then trusts every server that it signs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.console.answers import Problem, answer, body, nothing
from edge.console.guard import caller
from edge.house import House
from protocols.errors import Rejected
from protocols.model.clock import now_us

_FILE_BYTES: Final = 6_000_000
Fingerprint = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class TrustRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SHA-256 of the certificate that was compared, whole."""

    sha256: Fingerprint


class WaitingView(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that waits for a person. changed: the server showed another, trusted one before."""

    sha256: str
    sha1: str
    subject: str
    issuer: str
    not_before: str
    not_after: str
    changed: bool


class AuthorityRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authority's certificate or revocation list, PEM or DER, in base 64."""

    file: bytes


class AuthorityView(msgspec.Struct, frozen=True, kw_only=True):
    """What the file was: `kind` is `authority` or `revocations`."""

    kind: str
    subject: str
    sha256: str
    detail: str


def waiting(pki_dir: Path, url: str) -> Sequence[WaitingView]:
    """Return what a server has shown that nobody trusts; reads a few small files."""
    # Only a gateway with such a line has loaded it already: it weighs 90 MB.
    from protocols.field.opcua.trust import TrustList  # noqa: PLC0415

    return [
        WaitingView(
            sha256=entry.certificate.fingerprint,
            sha1=entry.certificate.thumbprint,
            subject=entry.certificate.subject,
            issuer=entry.certificate.issuer,
            not_before=entry.certificate.not_before.isoformat(),
            not_after=entry.certificate.not_after.isoformat(),
            changed=entry.changed,
        )
        for entry in TrustList(pki_dir).entries()
        if entry.verdict == "rejected" and url in entry.urls
    ]


def routes(house: House) -> list[Route]:
    """GET and POST /api/certificates/{device}, POST /api/authorities/{device}."""

    def line(request: Request) -> tuple[str, Any]:
        device = request.path_params["device"]
        for connection in house.plan.connections:
            if any(one.key == device for one in connection.devices):
                return connection.key, connection
        raise Problem(404, "not-found", f"this gateway has no device {device!r}")

    async def shown(connection: Any) -> Sequence[WaitingView]:
        if connection.driver.protocol != "opcua" or connection.settings.pki_dir is None:
            return []
        return await asyncio.to_thread(waiting, connection.settings.pki_dir, connection.settings.url)

    async def every(request: Request) -> Response:
        return answer(await shown(line(request)[1]))

    async def trust(request: Request) -> Response:
        wanted = await body(request, TrustRequest)
        key, connection = line(request)
        found = next((one for one in await shown(connection) if one.sha256 == wanted.sha256), None)
        if found is None:
            raise Problem(
                404,
                "not-waiting",
                "no such certificate waits for a word; look again at what the server shows",
            )
        await asyncio.to_thread(_trust, connection.settings.pki_dir, wanted.sha256)
        await asyncio.to_thread(
            house.audit.note, caller(request).actor, "opcua-trust", found.sha256, f"{key}: {found.subject}"
        )
        house.sessions[key].turn()
        return nothing()

    async def vouch(request: Request) -> Response:
        wanted = await body(request, AuthorityRequest, _FILE_BYTES)
        key, connection = line(request)
        if connection.driver.protocol != "opcua" or connection.settings.pki_dir is None:
            raise Problem(404, "not-found", f"line {key!r} has no list of trust")
        try:
            taken = await asyncio.to_thread(_take, connection.settings.pki_dir, wanted.file)
        except Rejected as error:
            raise Problem(422, error.reason, str(error)) from error
        await asyncio.to_thread(
            house.audit.note,
            caller(request).actor,
            f"opcua-{taken.kind}",
            taken.sha256,
            f"{key}: {taken.subject}",
        )
        house.sessions[key].turn()
        return answer(taken)

    return [
        Route("/api/authorities/{device}", vouch, methods=["POST"]),
        Route("/api/certificates/{device}", every),
        Route("/api/certificates/{device}", trust, methods=["POST"]),
    ]


def _trust(pki_dir: Path, fingerprint: str) -> None:
    from protocols.field.opcua.trust import TrustList  # noqa: PLC0415

    TrustList(pki_dir).trust(fingerprint)


def _take(pki_dir: Path, data: bytes) -> AuthorityView:
    from protocols.field.opcua.authorities import Authorities  # noqa: PLC0415

    taken = Authorities(pki_dir).take(data, now_us())
    return AuthorityView(
        kind=taken.kind, subject=taken.subject, sha256=taken.fingerprint, detail=taken.detail
    )
