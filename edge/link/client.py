"""HTTP to the centre: one method per path of `protocols.wire.channels`, every failure as one exception."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx2
import msgspec
import structlog

from edge.link.credentials import Bearer, NoToken
from edge.link.trust import Stamp, Trust, why_unreachable
from protocols.errors import CityNerveError, Rejected
from protocols.model.clock import Clock, now_us
from protocols.wire.channels import (
    BATCH_TYPE,
    BATCHES,
    CLOCK_HEADER,
    CONFIG,
    DECLARATIONS,
    ENROL,
    INBOX,
    MEDIA,
    MEDIA_TYPE,
    PACKAGES,
    ROTATE,
    STATUS,
)
from protocols.wire.handshake import (
    Credentials,
    Enrolment,
    GatewayStatus,
    Inbox,
    Problem,
    Receipt,
    RunningConfig,
)

Answer = TypeVar("Answer", Receipt, Inbox, Credentials)
_TIMEOUT: Final = httpx2.Timeout(10.0, read=30.0)
_JSON: Final = "application/json"
_BEYOND: Final = 1 << 53
"""After every number an inbox can have: asks whether the door opens, and for nothing."""


class CentreError(CityNerveError):
    """The centre did not do what was asked.

    status is the HTTP status, 0 where it could not be reached or its answer was not of this link.
    `code` is the stable code of its problem document; `retry_after_s` is what it asked for, or None.
    """

    def __init__(self, status: int, code: str, message: str, retry_after_s: float | None = None) -> None:
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        super().__init__(message)


class CentreClient:
    """The centre as a gateway sees it; `async with` it. The bearer is asked for a token at each request.

    The trust is built when it is first needed, and again when its file has changed: neither a renewed
    certificate nor another authority needs a restart.
    """

    def __init__(
        self,
        url: str,
        trust: Trust | None = None,
        bearer: Bearer | None = None,
        clock: Clock = now_us,
    ) -> None:
        self._url = url
        self._trust = trust or Trust()
        self._bearer = bearer or NoToken()
        self._clock = clock
        self._lines: _Lines | None = None
        self._log = structlog.get_logger("edge.link")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            await self._lines.http.aclose()

    async def send(self, batch: bytes) -> Receipt:
        """Hand over one encoded batch; it is committed when this returns. Raises CentreError."""
        answer = await self._request("POST", BATCHES, content=batch, kind=BATCH_TYPE)
        return _read(answer, Receipt)

    async def send_media(self, picture: bytes) -> Receipt:
        """Hand over one encoded picture; it is committed when this returns. Raises CentreError."""
        answer = await self._request("POST", MEDIA, content=picture, kind=MEDIA_TYPE)
        return _read(answer, Receipt)

    async def declare(self, name: str, manifest: bytes) -> None:
        """Hand over the declaration that batches name. Raises CentreError."""
        await self._request("PUT", DECLARATIONS.format(hash=name), content=manifest, kind=_JSON)

    async def inbox(self, after: int, wait_s: int) -> Inbox:
        """Wait up to `wait_s` seconds for what the centre wants done after number `after`."""
        answer = await self._request(
            "GET", f"{INBOX}?after={after}&wait={wait_s}", timeout=httpx2.Timeout(10.0, read=wait_s + 15.0)
        )
        return _read(answer, Inbox)

    async def enrol(self, enrolment: Enrolment) -> Credentials:
        """Spend a one-time code for a token. Raises CentreError."""
        body = msgspec.json.encode(enrolment)
        return _read(await self._request("POST", ENROL, content=body, kind=_JSON), Credentials)

    async def report(self, status: GatewayStatus) -> None:
        """Say how this gateway is. Raises CentreError."""
        await self._request("PUT", STATUS, content=msgspec.json.encode(status), kind=_JSON)

    async def show_config(self, digest: str, config: RunningConfig) -> None:
        """Show what this gateway runs, under the digest that its status names. Raises CentreError."""
        body = msgspec.json.encode(config)
        await self._request("PUT", CONFIG.format(digest=digest), content=body, kind=_JSON)

    async def rotate(self) -> Credentials:
        """Ask for the token after the present one. Raises CentreError."""
        return _read(await self._request("POST", ROTATE), Credentials)

    async def knock(self) -> None:
        """Ask whether the door opens; the first use of a new token proves it. Raises CentreError."""
        await self.inbox(_BEYOND, 0)

    async def package(self, name: str, size: int, path: Path) -> str:
        """Fetch a software package of `size` bytes to `path`; return its SHA-256 in hexadecimal.

        Raises CentreError; `package-size` where it is longer than it was said to be. OSError where the
        disk cannot hold it.
        """
        digest, had = hashlib.sha256(), 0
        async with self._open("GET", PACKAGES.format(package=name)) as answer:
            # One buffer of the line at a time, straight to a local file: no thread is worth it.
            with path.open("wb") as file:
                async for part in answer.aiter_bytes():
                    had += len(part)
                    if had > size:
                        raise CentreError(0, "package-size", f"the package is longer than {size} bytes")
                    digest.update(part)
                    file.write(part)
        return digest.hexdigest()

    async def _request(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        kind: str | None = None,
        *,
        timeout: httpx2.Timeout = _TIMEOUT,  # noqa: ASYNC109 - one for each phase, not for the whole
    ) -> httpx2.Response:
        async with self._open(method, path, content, kind, timeout=timeout) as answer:
            await answer.aread()
            return answer

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        kind: str | None = None,
        *,
        timeout: httpx2.Timeout = _TIMEOUT,  # noqa: ASYNC109 - one for each phase, not for the whole
    ) -> AsyncIterator[httpx2.Response]:
        """Ask, with another token where the first is not known any more; yield the good answer."""
        while True:
            token = self._token()
            headers = {CLOCK_HEADER: str(self._clock())}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            if kind:
                headers["Content-Type"] = kind
            async with self._line() as http:
                try:
                    async with http.stream(
                        method, path, content=content, headers=headers, timeout=timeout
                    ) as answer:
                        if answer.is_success:
                            if token:
                                self._proved(token)
                            yield answer
                            return
                        await answer.aread()
                except httpx2.HTTPError as error:
                    raise self._unreachable(error) from error
            problem = _problem(answer)
            if problem.code == "unknown-gateway" and token and self._bearer.refused(token):
                continue
            raise problem

    def _token(self) -> str | None:
        try:
            return self._bearer()
        except Rejected as error:
            raise CentreError(401, error.reason, str(error)) from error

    def _proved(self, token: str) -> None:
        try:
            self._bearer.proved(token)
        except (OSError, Rejected) as error:
            # Both tokens stay in the file then, and both are tried: nothing is lost but a line in the log.
            self._log.warning("the proven token cannot be noted", reason=str(error))

    def _unreachable(self, error: httpx2.HTTPError) -> CentreError:
        code, message = why_unreachable(self._url, error, self._clock)
        return CentreError(0, code, message)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Lend the connections to the centre; older ones close when the last who uses them is done."""
        lines = await self._trusted()
        lines.users += 1
        try:
            yield lines.http
        finally:
            lines.users -= 1
            if lines is not self._lines and not lines.users:
                await lines.http.aclose()

    async def _trusted(self) -> _Lines:
        stamp = self._trust.stamp()
        if self._lines is not None and self._lines.stamp == stamp:
            return self._lines
        try:
            # A context costs memory, and plain HTTP needs none.
            context = self._trust.context() if self._url.startswith("https:") else False
        except Rejected as error:
            if self._lines is None:
                raise CentreError(0, error.reason, str(error)) from error
            self._log.warning("authorities cannot be read again; the old ones stay", reason=str(error))
            self._lines.stamp = stamp
            return self._lines
        # A proxy of the environment is meant for people's browsers; a gateway's road is in its file.
        http = httpx2.AsyncClient(
            base_url=self._url.rstrip("/"), timeout=_TIMEOUT, verify=context, trust_env=False
        )
        former, self._lines = self._lines, _Lines(http, stamp)
        if former is not None:
            self._log.info("authorities have changed; the centre is asked anew")
            if not former.users:
                await former.http.aclose()
        return self._lines


class _Lines:
    """Connections that trust the same authorities."""

    def __init__(self, http: httpx2.AsyncClient, stamp: Stamp | None) -> None:
        self.http = http
        self.stamp = stamp
        self.users = 0


def _problem(answer: httpx2.Response) -> CentreError:
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
        code, detail = problem.code, problem.detail or problem.title
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A proxy on the way speaks for itself, not for the centre.
        code, detail = "no-problem-document", answer.text[:200]
    status = answer.status_code if code != "no-problem-document" else 0
    wait = answer.headers.get("Retry-After", "")
    return CentreError(
        status, code, f"{answer.status_code} {code}: {detail}", float(wait) if wait.isdigit() else None
    )


def _read(answer: httpx2.Response, shape: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CentreError(
            0, "not-the-centre", f"{answer.url} answered something that is no {shape.__name__}: {error}"
        ) from error
