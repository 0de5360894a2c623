"""Software that gateways may fetch: wheels that an operator signed with a key the centre never has.

The centre keeps bytes, size, SHA-256 and signature as they were staged. It is no authority: a gateway
checks the signature against the public key in its own file.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select

from central.link.package_rows import PackageRow
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import Clock, to_datetime

log = structlog.get_logger(__name__)

MAX_PACKAGE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PackageView:
    """A staged package; size in bytes, sha256 and signature in hexadecimal."""

    id: str
    version: str
    file_name: str
    size: int
    sha256: str
    signature: str
    staged_at: datetime
    staged_by: str


class Packages:
    """Stages packages and hands them out."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def stage(
        self, *, version: str, file_name: str, content: bytes, signature: str, staged_by: str
    ) -> PackageView:
        """Keep a signed package. Raises Rejected: `too-large`, `staged` (this version is there already)."""
        if len(content) > MAX_PACKAGE_BYTES:
            raise Rejected(
                "too-large", f"{file_name} has {len(content)} bytes; at most {MAX_PACKAGE_BYTES} are staged"
            )
        row = PackageRow(
            id=uuid.uuid4().hex,
            version=version,
            file_name=file_name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            signature=signature,
            content=content,
            staged_at=to_datetime(self._clock()),
            staged_by=staged_by,
        )
        async with self._database.session() as session:
            known = await session.scalar(select(PackageRow).where(PackageRow.version == version))
            if known is not None and known.sha256 != row.sha256:
                raise Rejected(
                    "staged",
                    f"version {version} is staged with other content; give the new one its own version",
                )
            if known is not None:
                return _view(known)
            session.add(row)
        log.info("package.staged", version=version, sha256=row.sha256, staged_by=staged_by)
        return _view(row)

    async def list(self) -> Sequence[PackageView]:
        """Return the staged packages, the newest first."""
        async with self._database.session() as session:
            rows = await session.scalars(select(PackageRow).order_by(PackageRow.staged_at.desc()))
            return [_view(row) for row in rows]

    async def find(self, version: str) -> PackageView | None:
        """Return the package of a version, or None."""
        async with self._database.session() as session:
            row = await session.scalar(select(PackageRow).where(PackageRow.version == version))
            return None if row is None else _view(row)

    async def content(self, package: str) -> bytes | None:
        """Return the bytes of a package, or None."""
        async with self._database.session() as session:
            content: bytes | None = await session.scalar(
                select(PackageRow.content).where(PackageRow.id == package)
            )
            return content


def _view(row: PackageRow) -> PackageView:
    return PackageView(
        id=row.id,
        version=row.version,
        file_name=row.file_name,
        size=row.size,
        sha256=row.sha256,
        signature=row.signature,
        staged_at=row.staged_at,
        staged_by=row.staged_by,
    )
