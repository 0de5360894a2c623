"""HTTP to the centre: one method per path of `protocols.wire.channels`, every failure as one exception."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx2
import msgspec

from protocols.errors import CityNerveError, Rejected
from protocols.model.clock import Clock, now_us
from protocols.wire.channels import BATCH_TYPE, BATCHES, CLOCK_HEADER, DECLARATIONS, ENROL, INBOX
from protocols.wire.handshake import Credentials, Enrolment, Inbox, Problem, Receipt

Answer = TypeVar("Answer", Receipt, Inbox, Credentials)
_TIMEOUT: Final = httpx2.Timeout(10.0, read=30.0)


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
    """The centre as a gateway sees it; `async with` it. `token` is asked for at each request."""

    def __init__(
        self,
        url: str,
        ca_file: Path | None = None,
        token: Callable[[], str | None] = lambda: None,
        clock: Clock = now_us,
    ) -> None:
        self._token = token
        self._clock = clock
        self._url = url
        # A proxy of the environment is meant for people's browsers; a gateway's road is in its file.
        self._http = httpx2.AsyncClient(
            base_url=url.rstrip("/"), timeout=_TIMEOUT, verify=_tls(url, ca_file), trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, batch: bytes) -> Receipt:
        """Hand over one encoded batch; it is committed when this returns. Raises CentreError."""
        answer = await self._request("POST", BATCHES, content=batch, kind=BATCH_TYPE)
        return _read(answer, Receipt)

    async def declare(self, name: str, manifest: bytes) -> None:
        """Hand over the declaration that batches name. Raises CentreError."""
        await self._request("PUT", DECLARATIONS.format(hash=name), content=manifest, kind="application/json")

    async def inbox(self, after: int, wait_s: int) -> Inbox:
        """Wait up to `wait_s` seconds for what the centre wants done after number `after`."""
        answer = await self._request(
            "GET", f"{INBOX}?after={after}&wait={wait_s}", timeout=httpx2.Timeout(10.0, read=wait_s + 15.0)
        )
        return _read(answer, Inbox)

    async def enrol(self, enrolment: Enrolment) -> Credentials:
        """Spend a one-time code for a token. Raises CentreError."""
        body = msgspec.json.encode(enrolment)
        return _read(await self._request("POST", ENROL, content=body, kind="application/json"), Credentials)

    async def _request(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        kind: str | None = None,
        *,
        timeout: httpx2.Timeout = _TIMEOUT,  # noqa: ASYNC109 - one for each phase, not for the whole
    ) -> httpx2.Response:
        headers = {CLOCK_HEADER: str(self._clock())}
        try:
            token = self._token()
        except Rejected as error:
            raise CentreError(401, error.reason, str(error)) from error
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if kind:
            headers["Content-Type"] = kind
        try:
            answer = await self._http.request(method, path, content=content, headers=headers, timeout=timeout)
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise CentreError(0, "unreachable", f"{self._url}: {reason}") from error
        if answer.is_success:
            return answer
        raise _problem(answer)


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


def _tls(url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return the trust for a URL; building a context costs memory, and plain HTTP needs none."""
    if not url.startswith("https:"):
        return False
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
