"""An RTSP session with a camera, from OPTIONS to TEARDOWN (RFC 2326), held as shortly as it can be.

    connect ─→ OPTIONS ─→ DESCRIBE (401 ─→ the same, signed in) ─→ SETUP ─→ PLAY ─→ packets … ─→ TEARDOWN

Video comes interleaved in the TCP connection, which passes every router; a camera that answers 461 to that is
asked for UDP. Every step that fails raises Fallen: the rung that was reached, the cause and what to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import urlsplit

from protocols.errors import BadFrame
from protocols.field.camera.challenge import Account
from protocols.field.camera.datagrams import Datagrams
from protocols.field.camera.ladder import Cause, Fallen, Level
from protocols.field.camera.rtsp_wire import (
    MAX_HEAD,
    Asked,
    Interleaved,
    Message,
    Response,
    read_message,
    request,
)
from protocols.field.camera.sdp import Description, Video, read_sdp, resolve

PORT: Final = 554
_MOST_EARLY: Final = 64
"""Messages that may come before an answer is given up: some cameras send video before they answer PLAY."""
_TIMEOUT_S: Final = 60.0
"""Of a session whose SETUP does not say (RFC 2326 section 12.37)."""
_REFUSALS: Final[dict[int, tuple[Cause, str]]] = {
    401: (Cause.CREDENTIALS, "refuses user name or password; check `username` and `password_file`"),
    403: (Cause.CREDENTIALS, "forbids the stream to this account; give it the right to live video"),
    404: (Cause.WRONG_PATH, "has no stream at this path; look it up in the manual"),
    453: (
        Cause.TOO_MANY_SESSIONS,
        "has no bandwidth for another stream; close viewers, or take the substream",
    ),
    454: (Cause.PROTOCOL, "has forgotten the session; it is asked again at the next turn"),
    455: (Cause.PROTOCOL, "does not take this in its present state; it is asked again at the next turn"),
    461: (Cause.TRANSPORT, "takes neither TCP nor UDP unicast; allow one of them in its settings"),
    503: (Cause.TOO_MANY_SESSIONS, "serves as many viewers as it can; close some, or raise its limit"),
    551: (Cause.PROTOCOL, "does not support an option that RTSP demands; renew its firmware"),
}
"""What a refusal means, in words: status → cause and sentence (domain file section 5)."""


class RtspSession:
    """One session. `address` is rtsp:// or rtsps:// with host; times out after `timeout_s` at each step."""

    def __init__(self, address: str, account: Account | None, timeout_s: float) -> None:
        self.address = address
        self.session_timeout_s = _TIMEOUT_S
        self._account = account
        self._timeout_s = timeout_s
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._cseq = 0
        self._session = ""
        self._base = address
        self._aggregate = address
        self._public: tuple[str, ...] = ()
        self._early: list[Interleaved] = []
        self._channel = 0
        self._datagrams: Datagrams | None = None

    # ---- the rungs ----

    async def connect(self) -> None:
        """Open the connection. Raises Fallen."""
        parts = urlsplit(self.address)
        secure = ssl.create_default_context() if parts.scheme == "rtsps" else None
        try:
            async with asyncio.timeout(self._timeout_s):
                self._reader, self._writer = await asyncio.open_connection(
                    parts.hostname or "", parts.port or (322 if secure else PORT), ssl=secure, limit=MAX_HEAD
                )
        except TimeoutError as error:
            raise self.fallen(
                Level.UNREACHABLE, Cause.SILENT, "does not answer; check its power and address"
            ) from error
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise self.fallen(
                Level.UNREACHABLE, Cause.UNREACHABLE, f"cannot be reached: {said}; check address and port"
            ) from error

    async def options(self) -> None:
        """Ask what it can do. A camera may ask for a password here already; DESCRIBE then answers that."""
        answer = await self._request("OPTIONS", self.address, Level.REACHABLE)
        self._public = tuple(word.strip().upper() for word in answer.header("public").split(","))

    async def describe(self) -> Video:
        """Ask for the description, signing in where that is demanded; return its video. Raises Fallen."""
        answer = await self._request("DESCRIBE", self.address, Level.REACHABLE, {"Accept": "application/sdp"})
        if answer.status != 200:
            raise self._refused("DESCRIBE", answer)
        base = answer.header("content-base") or answer.header("content-location")
        with contextlib.suppress(ValueError):
            self._base = resolve(self.address, base) if "://" in base else self.address
        said: Description = read_sdp(answer.body)
        if said.video is None or not said.video.codec:
            raise self.fallen(Level.AUTHENTICATED, Cause.NO_VIDEO, "describes no video; check the path")
        with contextlib.suppress(ValueError):
            self._aggregate = resolve(self._base, said.control)
        return said.video

    async def setup(self, video: Video) -> None:
        """Ask for the video over TCP; where that is 461, over UDP. Raises Fallen."""
        try:
            where = resolve(self._base, video.control)
        except ValueError:
            where = self._base
        answer = await self._request(
            "SETUP", where, Level.DESCRIBES, {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
        )
        if answer.status == 461:
            self._datagrams = await Datagrams.open(urlsplit(self.address).hostname or "")
            first = self._datagrams.port
            transport = f"RTP/AVP;unicast;client_port={first}-{first + 1}"
            answer = await self._request("SETUP", where, Level.DESCRIBES, {"Transport": transport})
        if answer.status != 200:
            raise self._refused("SETUP", answer, Level.DESCRIBES)
        self._session, _, rest = answer.header("session").partition(";")
        for part in rest.split(";"):
            name, _, seconds = part.strip().partition("=")
            if name.lower() == "timeout" and seconds.isascii() and seconds.isdigit():
                self.session_timeout_s = max(2.0, float(seconds[:6]))
        for part in answer.header("transport").split(";"):
            name, _, value = part.strip().partition("=")
            first_channel = value.partition("-")[0]
            if name.lower() == "interleaved" and first_channel.isascii() and first_channel.isdigit():
                self._channel = int(first_channel[:3])

    async def play(self) -> None:
        """Let it begin. Raises Fallen."""
        answer = await self._request("PLAY", self._aggregate, Level.DESCRIBES, {"Range": "npt=0.000-"})
        if answer.status != 200:
            raise self._refused("PLAY", answer, Level.DESCRIBES)

    async def packets(self) -> AsyncGenerator[bytes, None]:
        """Yield RTP packets until the caller stops, the session kept alive meanwhile. Raises Fallen."""
        loop = asyncio.get_running_loop()
        alive = loop.time() + self.session_timeout_s / 2
        while True:
            if self._early:
                yield self._early.pop(0).data
                continue
            if loop.time() >= alive:
                alive = loop.time() + self.session_timeout_s / 2
                await self._send(
                    "GET_PARAMETER" if "GET_PARAMETER" in self._public else "OPTIONS", self._aggregate, {}
                )
            if self._datagrams is not None:
                yield await self._datagrams.packet()
                continue
            message = await self._next(Level.DESCRIBES)
            if isinstance(message, Interleaved) and message.channel == self._channel:
                yield message.data

    async def close(self) -> None:
        """Tear the session down and let go of the line; quick, whatever the camera does. Never raises."""
        writer, self._writer = self._writer, None
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None
        if writer is None:
            return
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(1.0):
                if self._session:
                    writer.write(self._render("TEARDOWN", self._aggregate, {}))
                    await writer.drain()
                writer.close()
                await writer.wait_closed()
        writer.transport.abort()

    # ---- requests ----

    async def _request(
        self, method: str, url: str, level: Level, headers: dict[str, str] | None = None
    ) -> Response:
        """Send a request and return its answer, signed in where the camera demands it. Raises Fallen."""
        answer = await self._ask(method, url, level, headers or {})
        for _ in range(2):  # once for the challenge, once more for a nonce that was too old
            if answer.status != 401 or self._account is None:
                break
            if not self._account.take(answer.headers.get("www-authenticate", ())):
                break
            answer = await self._ask(method, url, level, headers or {})
        return answer

    async def _ask(self, method: str, url: str, level: Level, headers: dict[str, str]) -> Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send(method, url, headers)
                while True:
                    message = await self._next(level)
                    if isinstance(message, Response) and message.cseq in (self._cseq, -1):
                        return message
                    early = isinstance(message, Interleaved) and message.channel == self._channel
                    if isinstance(message, Interleaved) and early and len(self._early) < _MOST_EARLY:
                        self._early.append(message)
        except TimeoutError as error:
            raise self.fallen(
                level, Cause.SILENT, f"does not answer {method}; restart it if it stays so"
            ) from error

    async def _send(self, method: str, url: str, headers: dict[str, str]) -> None:
        if self._writer is None:
            raise self.fallen(Level.UNREACHABLE, Cause.UNREACHABLE, "is not connected")
        try:
            self._writer.write(self._render(method, url, headers))
            await self._writer.drain()
        except OSError as error:
            raise self.fallen(
                Level.REACHABLE, Cause.UNREACHABLE, f"closed the connection at {method}"
            ) from error

    def _render(self, method: str, url: str, headers: dict[str, str]) -> bytes:
        self._cseq += 1
        more = dict(headers)
        if self._session:
            more["Session"] = self._session
        signed = None if self._account is None else self._account.header(method, url)
        if signed is not None:
            more["Authorization"] = signed
        return request(method, url, self._cseq, more)

    async def _next(self, level: Level) -> Message:
        """Return the next message; refuse the camera's own requests. Raises Fallen."""
        if self._reader is None:
            raise self.fallen(Level.UNREACHABLE, Cause.UNREACHABLE, "is not connected")
        try:
            message = await read_message(self._reader)
            if isinstance(message, Asked) and self._writer is not None:
                self._writer.write(f"RTSP/1.0 501 Not Implemented\r\nCSeq: {message.cseq}\r\n\r\n".encode())
        except BadFrame as error:
            raise self.fallen(level, Cause.PROTOCOL, str(error)) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise self.fallen(
                level, Cause.UNREACHABLE, "closed the connection; it may have restarted"
            ) from error
        return message

    def _refused(self, method: str, answer: Response, level: Level = Level.AUTHENTICATED) -> Fallen:
        cause, words = _REFUSALS.get(
            answer.status,
            (Cause.DEVICE_FAILURE, "failed by itself; restart it if it stays so")
            if answer.status >= 500
            else (Cause.WRONG_PATH, "does not give this stream; check the path"),
        )
        if cause is Cause.CREDENTIALS:
            level = Level.REACHABLE
        return self.fallen(level, cause, f"answers {method} with {answer.status} {answer.reason}: it {words}")

    def fallen(self, level: Level, cause: Cause, words: str) -> Fallen:
        """Return the error of a rung that did not hold, in a sentence that names the stream."""
        parts = urlsplit(self.address)
        return Fallen(
            level, cause, f"camera {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path} {words}"
        )
