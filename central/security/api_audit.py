"""Routes of the audit trail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from central.kernel.shapes import Cursor, Limit, problems
from central.security import schemas
from central.security.audit_filter import AuditFilter
from central.security.permissions import MayReadAudit, SecurityPart

router = APIRouter(tags=["security"])

_TEXT = r"^[^\x00]*$"


def _filter(
    start: Annotated[datetime | None, Query(description="from then on; UTC where no zone is given")] = None,
    end: Annotated[datetime | None, Query(description="before then")] = None,
    actor: Annotated[str | None, Query(max_length=64, pattern=_TEXT, description="user name")] = None,
    what: Annotated[
        str, Query(max_length=100, pattern=_TEXT, description="part of the path, the operation or the change")
    ] = "",
    alike: Annotated[
        list[Annotated[str, Field(max_length=64, pattern=_TEXT)]] | None,
        Query(max_length=200, description="operations that `what` stands for too, by their ids"),
    ] = None,
    refused: Annotated[bool | None, Query(description="only what was refused, or only what was not")] = None,
) -> AuditFilter:
    return AuditFilter(_aware(start), _aware(end), actor, what, tuple(alike or ()), refused)


Wanted = Annotated[AuditFilter, Depends(_filter)]


@router.get("/audit", operation_id="listAudit", responses=problems(400, 401, 403, 422, 503))
async def list_audit(
    who: MayReadAudit, security: SecurityPart, which: Wanted, limit: Limit = 100, cursor: Cursor = None
) -> schemas.AuditPage:
    """Show the audit trail, newest first: every unsafe request, refused ones too, and what it changed."""
    return await security.audit.list(which, limit=limit, cursor=cursor)


@router.get("/audit/proof", operation_id="proveAudit", responses=problems(401, 403, 503))
async def prove_audit(who: MayReadAudit, security: SecurityPart) -> schemas.AuditProof:
    """Walk the whole chain: says whether an entry was altered, removed or cut off, and the head to keep."""
    found = await security.audit.prove()
    return schemas.AuditProof(
        whole=found.reason is None,
        reason=found.reason,
        number=found.number,
        entries=found.head.entries,
        head=found.head.text,
    )


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
