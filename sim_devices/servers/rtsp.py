"""RTSP: cameras' streams on one port, RTP interleaved in the connection or by UDP (RFC 2326).

    OPTIONS · DESCRIBE (401 Digest first, where credentials are set) · SETUP · PLAY · GET_PARAMETER · TEARDOWN

Where a stream comes from is a `Source`: this server knows no picture. Refusals are those of real cameras:
404 no such path, 453/503 too many sessions, 454 unknown session, 455 out of order, 461 transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import urlsplit

from sim_devices.servers.base import listen
from sim_devices.servers.digest import DigestGate
from sim_devices.servers.rtp_packets import packet

PUBLIC: Final = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
SESSION_S: Final = 60
_LIMIT: Final = 16 * 1024


class Source(Protocol):
    """One stream."""

    payload_type: int

    def sdp(self) -> str:
        """Return the lines of its video, from `m=` on."""

    def refusal(self) -> tuple[int, str] | None:
        """Return the status with which SETUP is refused now, or None."""

    async def speaks(self) -> None:
        """Return when the camera answers anything at all: a dead one stays silent."""

    def pictures(self) -> AsyncGenerator[tuple[int, list[bytes]], None]:
        """Yield (timestamp, payloads) of each picture at its time, for ever."""


@dataclass(slots=True)
class _Viewer:
    """One connection. udp: where its packets go instead of into the connection."""

    writer: asyncio.StreamWriter
    source: Source | None = None
    session: str = ""
    channel: int = 0
    udp: tuple[str, int] | None = None
    playing: asyncio.Task[None] | None = None
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))


class RtspServer:
    """Serves streams by path. `transports`: which a camera takes; others get 461."""

    def __init__(
        self,
        host: str,
        port: int,
        find: Callable[[str], Source | None],
        gate: DigestGate | None = None,
        transports: tuple[str, ...] = ("tcp", "udp"),
        sessions: int = 4,
    ) -> None:
        self.host, self.port = host, port
        self.opened = 0
        """Sessions that were ever set up, and how many are now: a polite client leaves none behind."""
        self.sessions = 0
        self.requests: list[str] = []
        """Methods in order of arrival; the newest thousand."""
        self._find, self._gate = find, gate
        self.transports, self._most = transports, sessions
        self._server: asyncio.Server | None = None
        self._viewers: dict[asyncio.Task[None], _Viewer] = {}

    async def start(self) -> None:
        """Listen. Raises PortBusyError."""
        sock = listen(self.host, self.port, "RTSP server")
        self.port = sock.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=_LIMIT)

    def cut_connections(self) -> None:
        """Reset what is connected now."""
        for viewer in self._viewers.values():
            viewer.writer.transport.abort()

    async def stop(self) -> None:
        """Close the port and every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut_connections()
        for task in self._viewers:
            task.cancel()
        await asyncio.gather(*self._viewers, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        viewer = _Viewer(writer)
        task = asyncio.current_task()
        if task is None:
            return
        self._viewers[task] = viewer
        try:
            while True:
                first = await reader.readexactly(1)
                if first == b"$":  # receiver reports; nobody reads them
                    head = await reader.readexactly(3)
                    await reader.readexactly(int.from_bytes(head[1:], "big"))
                    continue
                head = first + await reader.readuntil(b"\r\n\r\n")
                if not await self._answer(viewer, head.decode("utf-8", "replace")):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            await self._end(viewer)
            del self._viewers[task]
            writer.close()

    async def _end(self, viewer: _Viewer) -> None:
        playing, viewer.playing = viewer.playing, None
        if playing is not None:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        if viewer.session:
            viewer.session = ""
            self.sessions -= 1

    async def _answer(self, viewer: _Viewer, head: str) -> bool:
        """Answer one request; return whether the connection goes on."""
        lines = head.split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (each.partition(":") for each in lines[1:])
        }
        method, _, rest = lines[0].partition(" ")
        url = rest.partition(" ")[0]
        self.requests = [*self.requests[-999:], method]
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        source = self._find(path.rstrip("/").removesuffix("/trackID=1"))
        if source is not None:
            await source.speaks()
        status, more, body = self._reply(viewer, method, url, source, headers)
        out = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", *more]
        if body:
            out.append(f"Content-Length: {len(body.encode())}")
        viewer.writer.write(("\r\n".join(out) + "\r\n\r\n" + body).encode())
        await viewer.writer.drain()
        if (
            method == "PLAY"
            and status.startswith("200")
            and viewer.source is not None
            and viewer.playing is None
        ):
            viewer.playing = asyncio.create_task(self._play(viewer, viewer.source))
        if method == "TEARDOWN" and status.startswith("200"):
            await self._end(viewer)
            return False
        return True

    def _reply(
        self, viewer: _Viewer, method: str, url: str, source: Source | None, headers: dict[str, str]
    ) -> tuple[str, list[str], str]:
        if method == "OPTIONS":
            return "200 OK", [f"Public: {PUBLIC}"], ""
        if self._gate is not None:
            judged = self._gate.admits(headers.get("authorization", ""), method)
            if judged != "yes":
                asked = self._gate.challenges(stale=judged == "stale")
                return "401 Unauthorized", [f"WWW-Authenticate: {each}" for each in asked], ""
        if method in ("PLAY", "GET_PARAMETER", "TEARDOWN"):
            if not viewer.session or headers.get("session", "").partition(";")[0] != viewer.session:
                return "454 Session Not Found", [], ""
            return "200 OK", [f"Session: {viewer.session};timeout={SESSION_S}"], ""
        if source is None:
            return "404 Not Found", [], ""
        if method == "DESCRIBE":
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            )
            return (
                "200 OK",
                [f"Content-Base: {url.rstrip('/')}/", "Content-Type: application/sdp"],
                body + source.sdp() + "a=control:trackID=1\r\n",
            )
        if method == "SETUP":
            return self._setup(viewer, source, headers.get("transport", ""))
        return "501 Not Implemented", [], ""

    def _setup(self, viewer: _Viewer, source: Source, transport: str) -> tuple[str, list[str], str]:
        refusal = source.refusal()
        if refusal is not None:
            return f"{refusal[0]} {refusal[1]}", [], ""
        if viewer.playing is not None:
            return "455 Method Not Valid in This State", [], ""
        if self.sessions >= self._most and not viewer.session:
            return "453 Not Enough Bandwidth", [], ""
        fields = dict(part.strip().partition("=")[::2] for part in transport.split(";"))
        tcp = transport.startswith("RTP/AVP/TCP")
        if ("tcp" if tcp else "udp") not in self.transports:
            return "461 Unsupported Transport", [], ""
        try:
            first = int(fields.get("interleaved" if tcp else "client_port", "0").partition("-")[0])
        except ValueError:
            return "400 Bad Request", [], ""
        if tcp:
            viewer.channel = first
        else:
            viewer.udp = (viewer.writer.get_extra_info("peername")[0], first)
        if not viewer.session:
            viewer.session = secrets.token_hex(4)
            self.sessions += 1
            self.opened += 1
        viewer.source = source
        return "200 OK", [f"Session: {viewer.session};timeout={SESSION_S}", f"Transport: {transport}"], ""

    async def _play(self, viewer: _Viewer, source: Source) -> None:
        sequence = secrets.randbits(15)
        transport: asyncio.DatagramTransport | None = None
        if viewer.udp is not None:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=viewer.udp
            )
        try:
            async with contextlib.aclosing(source.pictures()) as pictures:
                async for timestamp, payloads in pictures:
                    for number, payload in enumerate(payloads):
                        last = number == len(payloads) - 1
                        data = packet(source.payload_type, last, sequence, timestamp, viewer.ssrc, payload)
                        sequence += 1
                        if transport is not None:
                            transport.sendto(data)
                        else:
                            viewer.writer.write(
                                b"$" + bytes([viewer.channel]) + len(data).to_bytes(2, "big") + data
                            )
                    await viewer.writer.drain()
        except OSError:
            return
        finally:
            if transport is not None:
                transport.close()
