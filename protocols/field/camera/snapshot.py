"""A snapshot over HTTP: fetched within limits of time and size, signed in as the camera asks."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from protocols.field.camera.ladder import Cause, Level
from protocols.model.quality import Quality

MAX_BYTES: Final = 8 * 1024 * 1024


class AsAsked(httpx2.Auth):
    """Answers a 401 by the scheme that it names; a password never goes out unasked."""

    def __init__(self, username: str, password: str) -> None:
        self._basic = httpx2.BasicAuth(username, password)
        self._digest = httpx2.DigestAuth(username, password)
        self._chosen: httpx2.Auth | None = None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send the request, with the scheme of the last challenge where there was one."""
        if self._chosen is None:
            response = yield request
            asked = response.headers.get("www-authenticate", "").lower()
            if response.status_code != httpx2.codes.UNAUTHORIZED or not asked:
                return
            self._chosen = self._digest if "digest" in asked else self._basic
        yield from self._chosen.auth_flow(request)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. quality: that of what could not be had; latency_ms: None where nothing came."""

    level: Level
    cause: Cause
    quality: int
    latency_ms: float | None = None
    data: bytes = b""
    headers: Mapping[str, str] | None = None
    words: str = ""


async def fetch(client: httpx2.AsyncClient, path: str, timeout_s: float) -> Answer:
    """Return what a path gives: a body that may be a picture, or why there is none. Raises nothing."""
    loop = asyncio.get_running_loop()
    latency: float | None = None
    try:
        async with asyncio.timeout(timeout_s):
            started = loop.time()
            async with client.stream("GET", path) as response:
                latency = (loop.time() - started) * 1000
                refused = _refusal(response.status_code)
                if refused is not None:
                    level, cause, quality = refused
                    return Answer(level, cause, quality, latency, words=f"status {response.status_code}")
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > MAX_BYTES:
                        words = f"more than {MAX_BYTES} bytes"
                        return Answer(
                            Level.DESCRIBES, Cause.NO_PICTURE, Quality.BAD_OUT_OF_RANGE, latency, words=words
                        )
            return Answer(Level.DESCRIBES, Cause.NONE, Quality.GOOD, latency, bytes(data), response.headers)
    except (TimeoutError, httpx2.TimeoutException) as error:
        reached = Level.UNREACHABLE if isinstance(error, httpx2.ConnectTimeout) else Level.REACHABLE
        return Answer(reached, Cause.SILENT, Quality.BAD_TIMEOUT, latency, words="no answer in time")
    except httpx2.HTTPError as error:
        words = str(error) or type(error).__name__
        return Answer(
            Level.UNREACHABLE, Cause.UNREACHABLE, Quality.BAD_NO_COMMUNICATION, latency, words=words
        )


def _refusal(status: int) -> tuple[Level, Cause, int] | None:
    if 200 <= status < 300:
        return None
    if status in (401, 403):
        return Level.REACHABLE, Cause.CREDENTIALS, Quality.BAD_USER_ACCESS_DENIED
    if status >= 500:
        return Level.AUTHENTICATED, Cause.DEVICE_FAILURE, Quality.BAD_DEVICE_FAILURE
    return Level.AUTHENTICATED, Cause.WRONG_PATH, Quality.BAD_CONFIGURATION_ERROR
