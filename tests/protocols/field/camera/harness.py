"""A small HTTP server of pictures under the contract."""

from __future__ import annotations

import asyncio
import io
from typing import Any, ClassVar

from PIL import Image

from protocols.field.base import BoundDevice
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile


class CameraServer:
    """A small HTTP/1.1 server; `answers` maps a path to (status, headers, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requests: list[dict[str, str]] = []
        self.delay_s = 0.0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = {name.lower(): value for name, _, value in (h.partition(": ") for h in head[1:])}
                self.requests.append(fields)
                path = head[0].split(" ")[1]
                await asyncio.sleep(self.delay_s)
                status, headers, body = self.answer(path, fields)
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    def answer(self, path: str, fields: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return what a path answers."""
        return self.answers.get(path, (404, {}, b""))


def jpeg(level: int, box: tuple[int, int, int, int] | None = None, **save: Any) -> bytes:
    """Return a grey 640 × 360 picture, with a white box where asked."""
    image = Image.new("L", (640, 360), level)
    if box is not None:
        image.paste(255, box)
    out = io.BytesIO()
    image.save(out, "JPEG", **save)
    return out.getvalue()


class CameraHarness(Harness):
    """A camera with a picture at one path, and nothing at another."""

    protocol = "camera"
    polled = True
    connects = False
    expected: ClassVar = {"online": 1.0, "brightness": 120.0, "ghost-online": 0.0}
    ghosts: ClassVar = {"ghost-brightness"}
    refused: ClassVar = (("online", 1.0),)

    def __init__(self) -> None:
        self.server = CameraServer()

    async def start(self) -> int:
        self.server.answers["/cam/1.jpg"] = (200, {"Content-Type": "image/jpeg"}, jpeg(120))
        return await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    def devices(self) -> tuple[BoundDevice, ...]:
        def points(prefix: str) -> list[dict[str, Any]]:
            return [
                {"key": f"{prefix}online", "type": "bool", "camera": {"measure": "online"}},
                {"key": f"{prefix}brightness", "camera": {"measure": "brightness"}},
            ]

        first = bind(profile("camera", points("")), {"path": "/cam/1.jpg"}, "cam1")
        second = bind(profile("camera", points("ghost-")), {"path": "/cam/2.jpg"}, "cam2", 2)
        return first, second

    def settings(self, port: int) -> dict[str, Any]:
        return {"base_url": f"http://127.0.0.1:{port}", "timeout_ms": 2000}
