"""The paths of the link, as `protocols.wire.channels` names them. Gateways call; nothing is pushed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from fastapi import APIRouter, Request, Response

from central.kernel.problem import Problem, from_wire
from central.link.declarations import Declarations
from central.link.gateways import Gateways
from central.link.ingest import Ingest
from central.link.media import MediaIntake
from central.link.outbox import Outbox
from central.link.packages import Packages
from protocols.errors import WireError
from protocols.model.clock import Clock
from protocols.wire.channels import (
    BATCHES,
    CLOCK_HEADER,
    CONFIG,
    DECLARATIONS,
    ENROL,
    INBOX,
    MAX_BATCH_BYTES,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_MEDIA_BYTES,
    MAX_STATUS_BYTES,
    MEDIA,
    PACKAGES,
    ROTATE,
    STATUS,
)
from protocols.wire.handshake import Credentials, Enrolment, Inbox

JSON = "application/json"
MAX_ENROLMENT_BYTES = 4096
MAX_WAIT_S = 55.0
"""Below the minute after which proxies close what is silent."""


class LinkRoutes:
    """Answers gateways. Every request but the first carries the gateway's bearer token."""

    def __init__(
        self,
        gateways: Gateways,
        declarations: Declarations,
        ingest: Ingest,
        outbox: Outbox,
        packages: Packages,
        media: MediaIntake,
        clock: Clock,
    ) -> None:
        self._gateways = gateways
        self._packages = packages
        self._media = media
        self._declarations = declarations
        self._ingest = ingest
        self._outbox = outbox
        self._clock = clock
        self.router = APIRouter(include_in_schema=False)
        routes: tuple[tuple[str, str, Callable[..., Awaitable[Response]]], ...] = (
            ("POST", ENROL, self.enrol),
            ("PUT", DECLARATIONS, self.declare),
            ("POST", BATCHES, self.batch),
            ("POST", MEDIA, self.media),
            ("GET", INBOX, self.inbox),
            ("PUT", STATUS, self.status),
            ("PUT", CONFIG, self.configuration),
            ("POST", ROTATE, self.rotate),
            ("GET", PACKAGES, self.package),
        )
        for method, path, endpoint in routes:
            self.router.add_api_route(path, endpoint, methods=[method], response_class=Response)

    async def enrol(self, request: Request) -> Response:
        """POST Enrolment → Credentials."""
        try:
            wanted = msgspec.json.decode(await _body(request, MAX_ENROLMENT_BYTES), type=Enrolment)
        except msgspec.DecodeError as error:
            raise from_wire(WireError("shape", f"the enrolment: {error}")) from error
        credentials = await self._gateways.enrol(wanted)
        self._gateways.presence.heard(credentials.gateway)
        return Response(msgspec.json.encode(credentials), media_type=JSON)

    async def declare(self, request: Request) -> Response:
        """PUT Manifest → 204."""
        gateway = await self._gateway(request)
        body = await _body(request, MAX_MANIFEST_BYTES)
        try:
            await self._declarations.declare(gateway, request.path_params["hash"], body)
        except WireError as error:
            raise from_wire(error) from error
        return Response(status_code=204)

    async def batch(self, request: Request) -> Response:
        """POST batch → Receipt, after the commit."""
        gateway = await self._gateway(request)
        receipt = await self._ingest.accept(gateway, await _body(request, MAX_BATCH_BYTES))
        return Response(msgspec.json.encode(receipt), media_type=JSON)

    async def media(self, request: Request) -> Response:
        """POST picture → Receipt, after the commit."""
        gateway = await self._gateway(request)
        receipt = await self._media.accept(gateway, await _body(request, MAX_MEDIA_BYTES))
        return Response(msgspec.json.encode(receipt), media_type=JSON)

    async def inbox(self, request: Request) -> Response:
        """GET → Inbox, held open until there is something or the wait is over."""
        gateway = await self._gateway(request)
        after = _number(request, "after", 0.0, float(1 << 53))
        wait_s = _number(request, "wait", 0.0, MAX_WAIT_S)
        items = await self._outbox.fetch(gateway, int(after), wait_s)
        self._gateways.presence.heard(gateway)
        return Response(
            msgspec.json.encode(Inbox(items=tuple(items), server_us=self._clock())), media_type=JSON
        )

    async def status(self, request: Request) -> Response:
        """PUT GatewayStatus → 204."""
        gateway = await self._gateway(request)
        body = await _body(request, MAX_STATUS_BYTES)
        try:
            await self._gateways.statuses.accept(gateway, body)
        except WireError as error:
            raise from_wire(error) from error
        return Response(status_code=204)

    async def configuration(self, request: Request) -> Response:
        """PUT RunningConfig → 204."""
        gateway = await self._gateway(request)
        # JSON writes some characters with six: the limit is of the text, not of its encoding.
        body = await _body(request, 2 * MAX_CONFIG_BYTES)
        try:
            await self._gateways.statuses.keep_config(gateway, request.path_params["digest"], body)
        except WireError as error:
            raise from_wire(error) from error
        return Response(status_code=204)

    async def rotate(self, request: Request) -> Response:
        """POST → Credentials with a new token; the one that asks ends when the new one is first used."""
        gateway, token = await self._gateways.tokens.next(_token(request))
        self._gateways.presence.heard(gateway)
        return Response(
            msgspec.json.encode(Credentials(gateway=gateway, token=token)),
            media_type=JSON,
            headers={"Cache-Control": "no-store"},
        )

    async def package(self, request: Request) -> Response:
        """GET → the bytes of a staged package."""
        await self._gateway(request)
        content = await self._packages.content(request.path_params["package"])
        if content is None:
            detail = "There is no such package; look at `citynerve gateway packages`."
            raise Problem(404, "not-found", "No such package", detail)
        return Response(content, media_type="application/octet-stream")

    async def _gateway(self, request: Request) -> str:
        gateway = await self._gateways.tokens.authenticate(_token(request))
        sent = request.headers.get(CLOCK_HEADER, "")
        self._gateways.presence.heard(gateway, int(sent) if sent.isdecimal() and len(sent) < 18 else None)
        return gateway


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            401,
            "unknown-gateway",
            "Unknown gateway",
            "Send `Authorization: Bearer TOKEN` with the token from the enrolment.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token.strip()


async def _body(request: Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes; a longer one is refused before it is in memory."""
    said = request.headers.get("Content-Length", "")
    too_large = WireError("too-large", f"the body is larger than {limit} bytes")
    if said.isdecimal() and int(said) > limit:
        raise from_wire(too_large)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise from_wire(too_large)
        parts.append(part)
    return b"".join(parts)


def _number(request: Request, name: str, low: float, high: float) -> float:
    text = request.query_params.get(name, "0")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number:
        detail = f"{name}={text!r} is not a number from {low:g}"
        raise Problem(422, "invalid", "The request is not valid", detail)
    return min(number, high)
