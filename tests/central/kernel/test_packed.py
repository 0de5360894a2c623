"""Large answers are compressed once, where they are made; small ones, and for who takes no gzip, are not."""

from __future__ import annotations

import httpx2
from fastapi import FastAPI, Request, Response
from fastapi.middleware.gzip import GZipMiddleware

from central.kernel.packed import LEAST, packed

BODY = b'{"items":[' + b"1," * LEAST + b"1]}"


async def test_it_is_compressed_once_for_who_takes_it() -> None:
    app = FastAPI()
    app.add_middleware(GZipMiddleware, minimum_size=10)

    @app.get("/large")
    def large(request: Request) -> Response:
        return packed(BODY, request)

    @app.get("/small")
    def small(request: Request) -> Response:
        answer = packed(BODY[: LEAST - 1], request)
        assert "content-encoding" not in answer.headers
        return answer

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://centre") as client:
        answer = await client.get("/large")
        assert answer.content == BODY
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) < len(BODY) / 10
        assert (await client.get("/small")).content == BODY[: LEAST - 1]
        plain = await client.get("/large", headers={"Accept-Encoding": "identity"})
        assert plain.content == BODY
        assert "content-encoding" not in plain.headers
