"""Routes of one's own account: password, second factor, sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status

from central.kernel.problem import Problem
from central.kernel.shapes import problems
from central.security import schemas
from central.security.api import address_of, myself
from central.security.changes import changed
from central.security.permissions import MayOwnAccount, SecurityPart
from central.security.principal import Principal
from central.security.tokens import in_person

router = APIRouter(tags=["security"])

ISSUER = "CityNerve"


def person(who: MayOwnAccount) -> Principal:
    """Refuse a wall screen, which has no account. Problem 403 `screen`."""
    if who.is_screen:
        raise Problem(
            403, "screen", "A wall screen has no account",
            "A screen may read what it shows and nothing else; sign in as a person.",
        )  # fmt: skip
    return who


Person = Annotated[Principal, Depends(person)]


@router.get("/me", operation_id="getMe", responses=problems(401, 403, 503))
async def get_me(who: Person, security: SecurityPart) -> schemas.Me:
    """Show one's own account, and how it is secured."""
    return schemas.Me(
        user=myself(who),
        session=who.key,
        has_password=await security.accounts.has_password(who.username),
        second_factor=await security.factors.has(who.username),
        recovery_codes_left=await security.factors.recovery_left(who.username),
    )


@router.post(
    "/me/password",
    operation_id="changeOwnPassword",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 409, 422, 429, 503),
)
async def change_own_password(
    asked: schemas.PasswordChange, who: Person, request: Request, security: SecurityPart
) -> None:
    """Set a new password with the old one; every other session of the account ends. 422 `weak-password`."""
    await _prove(security, who, asked.current.get_secret_value(), request)
    await security.accounts.set_password(who.username, asked.password.get_secret_value())
    await security.sessions.end_others(who.username, who.key)
    changed(request, f"user {who.username}", {"password": "old"}, {"password": "new"})


@router.post(
    "/me/totp",
    operation_id="beginTotp",
    responses=problems(401, 403, 409, 422, 429, 503),
)
async def begin_totp(
    asked: schemas.PasswordProof, who: Person, request: Request, security: SecurityPart
) -> schemas.TotpStart:
    """Begin to enrol an authenticator app; shows the secret this once. It counts once it is confirmed."""
    await _prove(security, who, asked.password.get_secret_value(), request)
    return await security.factors.begin(who.username, ISSUER)


@router.post("/me/totp/confirm", operation_id="confirmTotp", responses=problems(401, 403, 409, 422, 429, 503))
async def confirm_totp(
    asked: schemas.TotpCode, who: Person, request: Request, security: SecurityPart
) -> schemas.RecoveryCodes:
    """Confirm the app with a code of it; the recovery codes are in this answer and nowhere else."""
    in_person(who)
    codes = await security.factors.confirm(who.username, asked.code)
    await security.sessions.strengthen(who.key, "totp")
    await security.sessions.end_others(who.username, who.key)
    changed(request, f"user {who.username}", {"second_factor": False}, {"second_factor": True})
    return codes


@router.post(
    "/me/totp/remove",
    operation_id="removeTotp",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 429, 503),
)
async def remove_totp(
    asked: schemas.PasswordProof, who: Person, request: Request, security: SecurityPart
) -> None:
    """Remove one's second factor and its recovery codes."""
    await _prove(security, who, asked.password.get_secret_value(), request)
    await security.factors.remove(who.username)
    await security.sessions.strengthen(who.key, "password")
    changed(request, f"user {who.username}", {"second_factor": True}, {"second_factor": False})


@router.post(
    "/me/recovery-codes",
    operation_id="renewRecoveryCodes",
    responses=problems(401, 403, 409, 422, 429, 503),
)
async def renew_recovery_codes(
    asked: schemas.PasswordProof, who: Person, request: Request, security: SecurityPart
) -> schemas.RecoveryCodes:
    """Make new recovery codes; the old ones end."""
    await _prove(security, who, asked.password.get_secret_value(), request)
    if not await security.factors.has(who.username):
        raise Problem(
            409, "no-factor", "Not possible now", "There is no second factor to recover; enrol one."
        )
    return await security.factors.renew_recovery(who.username)


@router.get("/me/sessions", operation_id="listOwnSessions", responses=problems(401, 403, 503))
async def list_own_sessions(who: Person, security: SecurityPart) -> schemas.OpenSessionPage:
    """List where one is signed in."""
    return await security.sessions.list(who.username, who.key)


@router.delete(
    "/me/sessions/{session_id}",
    operation_id="endOwnSession",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def end_own_session(session_id: str, who: Person, security: SecurityPart) -> None:
    """Sign out elsewhere; the session ends at once."""
    in_person(who)
    await security.sessions.end(session_id, who.username)


async def _prove(security: SecurityPart, who: Principal, password: str, request: Request) -> None:
    """Ask for the password again: a session left open or stolen is not enough. Problem 422 `wrong-password`.

    Not 401, which would tell the console that the session has ended.
    """
    in_person(who)
    if not await security.accounts.has_password(who.username):
        raise Problem(
            409, "no-password", "Not possible now",
            "This account has no password here; it signs in elsewhere, and is secured there.",
        )  # fmt: skip
    try:
        await security.door.prove(who.username, password, address_of(request))
    except Problem as problem:
        if problem.status != 401:
            raise
        raise Problem(422, "wrong-password", "The password is wrong", "Type your present password.") from None
