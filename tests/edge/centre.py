"""A centre that speaks the link and nothing else: it keeps what it committed, and fails on request."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from protocols.errors import WireError
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import Clock, now_us
from protocols.model.command import Command, CommandOutcome
from protocols.model.manifest import Manifest, declaration_hash
from protocols.model.order import Order
from protocols.model.reading import Readings
from protocols.model.snapshot import Snapshot
from protocols.wire.batch import Batch, decode
from protocols.wire.channels import (
    BATCHES,
    CONFIG,
    DECLARATIONS,
    ENROL,
    INBOX,
    MEDIA,
    PACKAGES,
    ROTATE,
    STATUS,
)
from protocols.wire.handshake import (
    Credentials,
    Enrolment,
    GatewayStatus,
    Inbox,
    InboxItem,
    Receipt,
    RunningConfig,
)
from protocols.wire.media import decode_media

CODE = "GOOD-CODE"
TOKEN = "token-of-the-test"


class FakeCentre:
    """A centre on a port of its own; `async with` it. Attributes are its memory and its moods.

    tls: certificate and key, for a centre that speaks https.
    old: it knows no pictures, as a centre of before.
    refuse: (status, code) for every batch; `refuse_seq` for single readings batches.
    """

    def __init__(self, port: int = 0, *, tls: tuple[Path, Path] | None = None, clock: Clock = now_us) -> None:
        self.batches: dict[tuple[str, str, int], Batch] = {}
        self.order: list[tuple[str, int]] = []
        self.deliveries: Counter[tuple[str, str, int]] = Counter()
        self.manifests: dict[str, Manifest] = {}
        self.refuse: tuple[int, str] | None = None
        self.refuse_seq: dict[int, tuple[int, str]] = {}
        self.pictures: dict[tuple[str, int], Snapshot] = {}
        self.old = False
        self.swallow_receipts = 0
        self.token = TOKEN
        self.next_token = ""
        self.swallow_tokens = 0
        self.statuses: list[GatewayStatus] = []
        self.configs: dict[str, RunningConfig] = {}
        self.packages: dict[str, bytes] = {}
        self.commands: deque[InboxItem] = deque()
        self.problems: Counter[str] = Counter()
        self.sent_us: list[int] = []
        self._posted = asyncio.Event()
        self._ending = asyncio.Event()
        self._number = 0
        app = Starlette(
            routes=[
                Route(ENROL, self._enrol, methods=["POST"]),
                Route(DECLARATIONS, _left(self._declare), methods=["PUT"]),
                Route(BATCHES, _left(self._batch), methods=["POST"]),
                Route(MEDIA, _left(self._media), methods=["POST"]),
                Route(INBOX, self._inbox, methods=["GET"]),
                Route(STATUS, _left(self._status), methods=["PUT"]),
                Route(CONFIG, _left(self._config), methods=["PUT"]),
                Route(ROTATE, self._rotate, methods=["POST"]),
                Route(PACKAGES, self._package, methods=["GET"]),
            ]
        )
        self._clock = clock
        self._scheme = "https" if tls else "http"
        certificate, key = tls or (None, None)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, host="127.0.0.1", port=port, log_level="error", ws="none",
                ssl_certfile=certificate, ssl_keyfile=key,
            )
        )  # fmt: skip
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where a gateway calls."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def readings(self) -> list[tuple[str, int, float, int]]:
        """Return (point, time_us, value, quality) of every reading committed, sorted."""
        rows = []
        for batch in self.batches.values():
            if isinstance(batch.payload, Readings):
                points = self.manifests[batch.declaration].points
                names = [f"{point.device}.{point.key}" for point in points]
                columns = batch.payload
                rows += [
                    (names[p], t, v, q)
                    for p, t, v, q in zip(
                        columns.point.tolist(),
                        columns.time_us.tolist(),
                        columns.value.tolist(),
                        columns.quality.tolist(),
                        strict=True,
                    )
                ]
        return sorted(rows, key=lambda row: (row[0], row[1]))

    def alarms(self) -> list[AlarmTransition]:
        """Return the steps of alarms in the order they were committed."""
        return [
            row
            for batch in self.batches.values()
            if isinstance(batch.payload, tuple)
            for row in batch.payload
            if isinstance(row, AlarmTransition)
        ]

    def outcomes(self) -> list[CommandOutcome]:
        """Return the outcomes in the order they were committed."""
        return [
            row
            for batch in self.batches.values()
            if isinstance(batch.payload, tuple)
            for row in batch.payload
            if isinstance(row, CommandOutcome)
        ]

    def command(
        self,
        point: str,
        value: float | str,
        *,
        expires_in_s: float = 60,
        expected: float | None = None,
        name: str | None = None,
    ) -> str:
        """Put a command into the inbox; return its id."""
        self._number += 1
        name = name or f"command-{self._number}"
        command = Command(
            id=name,
            point=point,
            value=value,
            issued_us=self._clock(),
            expires_us=self._clock() + round(expires_in_s * 1e6),
            issued_by="test",
            expected=expected,
        )
        self.commands.append(InboxItem(number=self._number, order=command))
        self._posted.set()
        return name

    def put(self, order: Order) -> None:
        """Put any order into the inbox."""
        self._number += 1
        self.commands.append(InboxItem(number=self._number, order=order))
        self._posted.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._server.serve())
        async with asyncio.timeout(10):
            while not self._server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._posted.set()
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _enrol(self, request: Request) -> Response:
        asked = msgspec.json.decode(await request.body(), type=Enrolment)
        if asked.code != CODE:
            return self._problem(403, "code-spent")
        return _json(Credentials(gateway=asked.gateway, token=self.token))

    async def _declare(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        body = await request.body()
        name = request.path_params["hash"]
        assert declaration_hash(body) == name
        self.manifests[name] = msgspec.json.decode(body, type=Manifest)
        return Response(status_code=204)

    async def _batch(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        self.sent_us.append(int(request.headers["X-CityNerve-Sent-Us"]))
        try:
            batch = decode(await request.body())
        except WireError as error:
            return self._problem(400, error.reason)
        refusal = self.refuse or (self.refuse_seq.get(batch.seq) if batch.stream == "readings" else None)
        if refusal:
            return self._problem(*refusal)
        if batch.declaration not in self.manifests:
            return self._problem(409, "declare-first")
        name = (batch.boot, batch.stream, batch.seq)
        self.deliveries[name] += 1
        duplicate = name in self.batches
        if not duplicate:
            self.batches[name] = batch
            self.order.append((batch.stream, batch.seq))
        if self.swallow_receipts:
            self.swallow_receipts -= 1
            return Response("the answer is lost", status_code=504)
        return _json(
            Receipt(
                stream=batch.stream,
                seq=batch.seq,
                duplicate=duplicate,
                stored=0 if duplicate else len(batch.payload),
                received_us=self._clock(),
            )
        )

    async def _media(self, request: Request) -> Response:
        if self.old:
            return Response("Not Found", status_code=404)
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        try:
            media = decode_media(await request.body())
        except WireError as error:
            return self._problem(400, error.reason)
        name = (media.boot, media.seq)
        duplicate = name in self.pictures
        self.pictures[name] = media.snapshot
        if self.swallow_receipts:
            self.swallow_receipts -= 1
            return Response("the answer is lost", status_code=504)
        return _json(
            Receipt(stream="media", seq=media.seq, duplicate=duplicate, stored=1, received_us=self._clock())
        )

    async def _inbox(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        after = int(request.query_params["after"])
        try:
            async with asyncio.timeout(float(request.query_params["wait"])):
                while not self._ending.is_set():
                    items = tuple(item for item in self.commands if item.number > after)
                    if items:
                        return _json(Inbox(items=items, server_us=self._clock()))
                    self._posted.clear()
                    await self._posted.wait()
        except TimeoutError:
            pass
        return _json(Inbox(items=(), server_us=self._clock()))

    async def _status(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        self.statuses.append(msgspec.json.decode(await request.body(), type=GatewayStatus))
        return Response(status_code=204)

    async def _config(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        shown = msgspec.json.decode(await request.body(), type=RunningConfig)
        self.configs[request.path_params["digest"]] = shown
        return Response(status_code=204)

    async def _rotate(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        self.next_token = secrets.token_hex(8)
        if self.swallow_tokens:
            self.swallow_tokens -= 1
            return Response("the answer is lost", status_code=504)
        return _json(Credentials(gateway="gw-test", token=self.next_token))

    async def _package(self, request: Request) -> Response:
        if not self._known(request):
            return self._problem(401, "unknown-gateway")
        content = self.packages.get(request.path_params["package"])
        return self._problem(404, "not-found") if content is None else Response(content)

    def _known(self, request: Request) -> bool:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.next_token and shown == self.next_token:
            self.token, self.next_token = self.next_token, ""
        return shown == self.token

    def _problem(self, status: int, code: str) -> Response:
        self.problems[code] += 1
        body = {"type": f"https://citynerve/problems/{code}", "title": code, "status": status, "detail": code}
        return Response(msgspec.json.encode(body), status_code=status, media_type="application/problem+json")


def _left(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Let a gateway be killed in the middle of its request."""

    async def tolerant(request: Request) -> Response:
        try:
            return await answer(request)
        except ClientDisconnect:
            return Response(status_code=499)

    return tolerant


def _json(message: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(message), media_type="application/json")
