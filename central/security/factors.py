"""The second factor: six figures every 30 s by RFC 6238 (TOTP), and ten recovery codes for a lost phone.

A code counts once (RFC 6238, 5.2): the time step of the last one used is kept, and none at or before it is
taken again. One step early or late is allowed for clocks that differ. The secret is sealed, see `vault`.
"""

from __future__ import annotations

import base64
import hmac
import io
import re
import secrets
from typing import Final

import pyotp
import segno
from sqlalchemy import delete, func, select, update

from central.kernel.problem import Problem, not_found
from central.security import schemas
from central.security.models import RecoveryCode, SecondFactor
from central.security.secret import digest
from central.security.vault import Vault
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US, Clock, to_datetime

STEP_S: Final = 30
DRIFT: Final = 1
"""Steps that a phone's clock may be off."""
RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 10
"""80 random bits: beyond guessing, so that a digest without salt is enough."""


class Factors:
    """Enrols, checks and removes second factors."""

    def __init__(self, database: Database, clock: Clock, vault: Vault) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault

    async def begin(self, username: str, issuer: str) -> schemas.TotpStart:
        """Make a secret, which counts once `confirm` has seen a code of it.

        Rejected(`has-factor`) where the account has one: it is removed first, with the password.
        """
        secret = pyotp.random_base32()
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            row = await session.get(SecondFactor, username, with_for_update=True)
            if row is not None and row.confirmed_at is not None:
                raise Rejected("has-factor", "the account has a second factor; remove it first")
            if row is None:
                row = SecondFactor(username=username, secret=b"", enrolled_at=now)
                session.add(row)
            row.secret, row.enrolled_at, row.last_step = self._vault.seal(secret.encode()), now, 0
        uri = pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=username, issuer_name=issuer)
        return schemas.TotpStart(secret=secret, uri=uri, svg=_qr(uri))

    async def confirm(self, username: str, code: str) -> schemas.RecoveryCodes:
        """Take the first code; from now on signing in asks for one. Problem 422 `wrong-code`."""
        if not await self._take(username, code, confirmed=False):
            raise _wrong()
        async with self._database.session() as session:
            await session.execute(
                update(SecondFactor)
                .where(SecondFactor.username == username, SecondFactor.confirmed_at.is_(None))
                .values(confirmed_at=to_datetime(self._clock()))
            )
        return await self.renew_recovery(username)

    async def renew_recovery(self, username: str) -> schemas.RecoveryCodes:
        """Make new recovery codes; the old ones end. Each counts once; they are in this answer only."""
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        async with self._database.session() as session:
            await session.execute(delete(RecoveryCode).where(RecoveryCode.username == username))
            session.add_all(RecoveryCode(username=username, digest=_key(username, code)) for code in codes)
        return schemas.RecoveryCodes(codes=codes)

    async def has(self, username: str) -> bool:
        """Say whether signing in asks for a code."""
        confirmed = select(SecondFactor.confirmed_at).where(SecondFactor.username == username)
        async with self._database.session() as session:
            return await session.scalar(confirmed) is not None

    async def recovery_left(self, username: str) -> int:
        """Return how many recovery codes have not been used."""
        left = select(func.count()).where(RecoveryCode.username == username, RecoveryCode.used_at.is_(None))
        async with self._database.session() as session:
            return await session.scalar(left) or 0

    async def check(self, username: str, code: str) -> str | None:
        """Use up a code; return `totp` or `recovery`, None for a wrong or used one."""
        if await self._take(username, code, confirmed=True):
            return "totp"
        spent = (
            update(RecoveryCode)
            .where(
                RecoveryCode.username == username,
                RecoveryCode.digest == _key(username, code),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=to_datetime(self._clock()))
            .returning(RecoveryCode.username)
        )
        async with self._database.session() as session:
            return "recovery" if (await session.scalars(spent)).one_or_none() else None

    async def remove(self, username: str) -> None:
        """Remove the factor and its recovery codes. Problem 404 where there is none."""
        async with self._database.session() as session:
            await session.execute(delete(RecoveryCode).where(RecoveryCode.username == username))
            gone = delete(SecondFactor).where(SecondFactor.username == username)
            if (await session.scalars(gone.returning(SecondFactor.username))).one_or_none() is None:
                raise not_found("second factor of", username)

    async def _take(self, username: str, code: str, *, confirmed: bool) -> bool:
        figures = re.sub(r"\s", "", code)
        async with self._database.session() as session:
            # Locked: the same code twice at once is taken once.
            row = await session.get(SecondFactor, username, with_for_update=True)
            if row is None or (row.confirmed_at is not None) is not confirmed:
                return False
            totp = pyotp.TOTP(self._vault.open(row.secret).decode(), interval=STEP_S)
            now = self._clock() // SECOND_US // STEP_S
            for step in range(now - DRIFT, now + DRIFT + 1):
                fits = hmac.compare_digest(totp.generate_otp(step).encode(), figures.encode())
                if fits and step > row.last_step:
                    row.last_step = step
                    return True
        return False


def _wrong() -> Problem:
    return Problem(
        422, "wrong-code", "The code is wrong",
        "Type the six figures that the app shows now; if they are right, set the phone's clock.",
    )  # fmt: skip


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _key(username: str, code: str) -> bytes:
    plain = re.sub(r"[\s-]", "", code).lower()
    return digest(f"{username}\0{plain}")


def _qr(uri: str) -> str:
    """Return the QR code as an SVG image, black on white; a `data:` address may show it under the CSP."""
    picture = io.BytesIO()
    segno.make(uri, error="m").save(
        picture, kind="svg", xmldecl=False, scale=4, border=3, dark="#000", light="#fff", omitsize=True
    )
    return picture.getvalue().decode()
