"""A centre that only acknowledges, as a process: so a gateway's cost is measured without a centre's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from protocols.model.clock import now_us
from protocols.wire.batch import decode
from protocols.wire.channels import BATCHES, DECLARATIONS, ENROL, INBOX
from protocols.wire.handshake import Credentials, Enrolment, Inbox, Receipt

_counted = {"readings": 0, "batches": 0}


async def _enrol(request: Request) -> Response:
    asked = msgspec.json.decode(await request.body(), type=Enrolment)
    return _json(Credentials(gateway=asked.gateway, token="bench"))


async def _declare(request: Request) -> Response:
    await request.body()
    return Response(status_code=204)


async def _batch(request: Request) -> Response:
    batch = decode(await request.body())
    if batch.stream == "readings":
        _counted["readings"] += len(batch.payload)
        _counted["batches"] += 1
    return _json(
        Receipt(
            stream=batch.stream,
            seq=batch.seq,
            duplicate=False,
            stored=len(batch.payload),
            received_us=now_us(),
        )
    )


async def _inbox(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params.get("wait", 25)))
    return _json(Inbox(items=(), server_us=now_us()))


async def _count(_: Request) -> Response:
    return JSONResponse(_counted)


def _json(message: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(message), media_type="application/json")


@contextmanager
def sink_process() -> Iterator[str]:
    """Run the sink; yield its URL. `GET /count` tells readings and batches."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def _serve() -> None:
    app = Starlette(
        routes=[
            Route(ENROL, _enrol, methods=["POST"]),
            Route(DECLARATIONS, _declare, methods=["PUT"]),
            Route(BATCHES, _batch, methods=["POST"]),
            Route(INBOX, _inbox),
            Route("/count", _count),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
        await asyncio.sleep(0.01)
    sys.stdout.write(f"{server.servers[0].sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await serving


if __name__ == "__main__":
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    asyncio.run(_serve())
