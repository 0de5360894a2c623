"""Real servers that a test sends to: SMTP with STARTTLS, and HTTP that answers as it is told."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.ports import free_port


@dataclass
class MailServer:
    """One SMTP server. refuse: receiver -> answer."""

    port: int
    certificate: str
    user: str = "centre"
    password: str = "correct horse"
    messages: list[EmailMessage] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    encrypted: list[bool] = field(default_factory=list)
    _context: ssl.SSLContext | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client (RFC 5321, RFC 3207, RFC 4954)."""

        async def say(*lines: str) -> None:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())
            await writer.drain()

        secure = False
        await say("220 mail.test ESMTP")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ", 1)[0].upper()
            if verb in ("EHLO", "HELO"):
                extra = "250 AUTH PLAIN" if secure else "250 STARTTLS"
                await say("250-mail.test", extra)
            elif verb == "STARTTLS":
                await say("220 go ahead")
                assert self._context is not None
                await writer.start_tls(self._context)
                secure = True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                right = (user, password) == (self.user, self.password)
                await say("235 welcome" if right else "535 wrong password")
            elif verb == "RCPT":
                receiver = line.partition("<")[2].partition(">")[0]
                await say(self.refuse.get(receiver, "250 ok"))
            elif verb == "DATA":
                await say("354 go on")
                raw = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append(message_from_bytes(raw[:-3], policy=policy.default))
                self.encrypted.append(secure)
                await say("250 queued as 42")
            elif verb == "QUIT":
                await say("221 bye")
                break
            else:
                await say("250 ok")
        writer.close()


@asynccontextmanager
async def mail_server(folder: Path) -> AsyncIterator[MailServer]:
    """Run an SMTP server with a certificate of its own on this machine."""
    certificate, key = _certificate()
    file = folder / "mail.pem"
    file.write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    mail = MailServer(free_port(), certificate.decode(), _context=context)
    server = await asyncio.start_server(mail.serve, "127.0.0.1", mail.port)
    async with server:
        yield mail


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpServer:
    """One HTTP server. answers: what the next requests get, then 200 `{"code": "OK"}` again."""

    port: int
    got: list[Got] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def take(self, request: Request) -> Response:
        """Take one request."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.got.append(Got(path, dict(request.headers), await request.body()))
        return self.answers.pop(0) if self.answers else PlainTextResponse('{"code": "OK"}')

    async def away(self, request: Request) -> Response:
        """Answer with a redirect to `/elsewhere`."""
        return RedirectResponse("/elsewhere")


@asynccontextmanager
async def http_server() -> AsyncIterator[HttpServer]:
    """Run an HTTP server on this machine."""
    http = HttpServer(free_port())
    app = Starlette(
        routes=[
            Route("/redirect", http.away, methods=["GET", "POST"]),
            Route("/{path:path}", http.take, methods=["GET", "POST", "PUT"]),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=http.port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event of it
        await asyncio.sleep(0.01)
    try:
        yield http
    finally:
        server.should_exit = True
        await task
