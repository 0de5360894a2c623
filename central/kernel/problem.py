"""Errors as RFC 9457 problem documents: one exception, one shape, one place that answers it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException

from protocols.errors import Rejected, WireError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/problems/"
RETRY_AFTER_S = 2
UNAVAILABLE = "The database does not answer at the moment. Nothing was stored; send the same again."

CONNECTION_FAILURES = (
    OperationalError,
    InterfaceError,
    PoolExhausted,
    PoolTimeout,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


class Problem(Exception):
    """An answer that is not the one hoped for. `code` is stable; `detail` tells how to repair it.

    errors: one entry per wrong field, `{"field": ..., "problem": ...}`, where a form can show them.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        super().__init__(f"{status} {code}: {title}. {detail}")

    def document(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {
            "type": TYPE_BASE + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors is not None:
            body["errors"] = self.errors
        return body

    def response(self) -> JSONResponse:
        """Return the answer itself."""
        return JSONResponse(self.document(), self.status, self.headers, media_type=MEDIA_TYPE)


def not_found(what: str, key: str) -> Problem:
    """Build the 404 for one missing thing: `not_found("point", "gw.pump1.level")`."""
    return Problem(404, "not-found", "Not found", f"There is no {what} {key!r}.")


def unavailable() -> Problem:
    """Build the 503 that a gateway or browser may simply repeat after `Retry-After`."""
    return Problem(
        503, "unavailable", "Database unavailable", UNAVAILABLE, headers={"Retry-After": str(RETRY_AFTER_S)}
    )


def from_wire(error: WireError) -> Problem:
    """Translate untrusted bytes into a refusal: 413 for `too-large`, 400 for the rest."""
    status = 413 if error.reason == "too-large" else 400
    return Problem(status, error.reason, "The batch or declaration cannot be accepted", str(error))


def is_connection_failure(error: BaseException) -> bool:
    """Tell whether the database was not reached, or went away under a statement."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    # An index entry that is too long is called "operational" too; sent again it is still too long.
    return isinstance(error, CONNECTION_FAILURES) and not isinstance(
        cause, psycopg.errors.ProgramLimitExceeded
    )


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    async def problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - registered for Problem only
        return error.response()

    async def rejected(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Rejected)  # noqa: S101 - registered for Rejected only
        return Problem(409, error.reason, "Not possible now", str(error)).response()

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        headers = dict(error.headers) if error.headers else {}
        return Problem(error.status_code, code, phrase, str(error.detail), headers=headers).response()

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it only
        fields = [
            {"field": ".".join(str(part) for part in item["loc"]), "problem": str(item["msg"])}
            for item in error.errors()
        ]
        detail = "; ".join(f"{item['field']}: {item['problem']}" for item in fields)
        return Problem(422, "invalid", "The request is not valid", detail, errors=fields).response()

    async def database(request: Request, error: Exception) -> JSONResponse:
        if is_connection_failure(error):
            log.warning("database.unavailable", path=request.url.path, error=str(error))
            return unavailable().response()
        return await unexpected(request, error)

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request.failed", path=request.url.path, exc_info=error)
        detail = "The centre made a mistake; its log has the details under this request's X-Request-Id."
        return Problem(500, "internal", "Internal error", detail).response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(Rejected, rejected)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (DBAPIError, *CONNECTION_FAILURES):
        app.add_exception_handler(kind, database)
    app.add_exception_handler(Exception, unexpected)
