"""The road between gateway and centre, with an ill will: cut, hang, repeat, swallow answers.

A reverse proxy that also keeps what it saw: every batch's bytes by name, which is what the gateway
had buffered, because the names of a stream have no gaps.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from types import TracebackType

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from protocols.wire.batch import Batch, decode
from protocols.wire.channels import BATCHES


class Weather(StrEnum):
    """How the road behaves."""

    FAIR = "fair"
    CUT = "cut"
    """Every request fails before it reaches the centre."""
    HANG = "hang"
    """Requests are swallowed and never answered."""
    TWICE = "twice"
    """Every batch is delivered twice, the second answer is the gateway's."""
    DEAF = "deaf"
    """Every batch is delivered, and its answer is lost."""
    ERROR = "error"
    """Every batch is answered with 500 before the centre sees it."""
    TORN = "torn"
    """Every batch is delivered, and the connection breaks in the middle of the answer."""
    GARBAGE = "garbage"
    """Answers are not what the centre said."""


class _Torn(Response):
    """Promises its whole length, sends half of it, and breaks the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": bytes(half), "more_body": True})
        transport = getattr(send, "__self__").transport  # noqa: B009 - uvicorn's cycle holds its connection
        transport.abort()


class Road:
    """A proxy on a port of its own; `async with Road(target) as road`, then set `road.weather`."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.weather = Weather.FAIR
        self.seen: dict[tuple[str, str, int], Batch] = {}
        self.deliveries = 0
        self._client = httpx2.AsyncClient(base_url=target, timeout=60, trust_env=False)
        app = Starlette(
            routes=[Route("/{path:path}", self._pass, methods=["GET", "POST", "PUT", "DELETE"])],
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=0,
                log_level="error",
                ws="none",
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the gateway shall call."""
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Road:
        self._task = asyncio.create_task(self._server.serve())
        async with asyncio.timeout(10):
            while not self._server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._task is not None:
            # Long polls that hang on this road never end by themselves.
            self._server.force_exit = True
            await self._task
            await self._client.aclose()

    async def _pass(self, request: Request) -> Response:
        body = await request.body()
        is_batch = request.url.path == BATCHES
        if is_batch:
            batch = decode(body)
            name = (batch.boot, batch.stream, batch.seq)
            if name in self.seen:
                assert self.seen[name].made_us == batch.made_us, "one name, two batches"
            self.seen[name] = batch
        if self.weather is Weather.HANG:
            await asyncio.sleep(3600)
        if self.weather is Weather.CUT:
            return Response("the road is cut", status_code=502)
        if self.weather is Weather.ERROR:
            return Response("internal error", status_code=500)
        try:
            answer = await self._forward(request, body)
            if is_batch:
                self.deliveries += 1
                if self.weather is Weather.TWICE:
                    answer = await self._forward(request, body)
                    self.deliveries += 1
        except httpx2.TransportError as error:
            return Response(f"the centre does not answer: {error}", status_code=502)
        if self.weather is Weather.DEAF and is_batch:
            return Response("the answer is lost", status_code=504)
        if self.weather is Weather.TORN:
            return _Torn(answer.content, headers={"content-type": "application/json"})
        if self.weather is Weather.GARBAGE:
            return Response("<html>captive portal, please sign in</html>", status_code=200)
        kept = {"content-type", "retry-after"}
        headers = {name: value for name, value in answer.headers.items() if name.lower() in kept}
        return Response(answer.content, answer.status_code, headers)

    async def _forward(self, request: Request, body: bytes) -> httpx2.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        return await self._client.request(
            request.method,
            request.url.path,
            params=str(request.url.query),
            content=body,
            headers=headers,
        )
