"""Routes of accounts: users, their grants, roles, tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, status

from central.kernel.shapes import problems
from central.security import schemas
from central.security.changes import changed
from central.security.permissions import MayManageUsers, MayOwnTokens, SecurityPart
from central.security.tokens import in_person

router = APIRouter(tags=["security"])

UserPath = Annotated[str, Path(max_length=64, description="user name")]
RolePath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="id of a role")]


@router.get("/users", operation_id="listUsers", responses=problems(401, 403, 503))
async def list_users(who: MayManageUsers, security: SecurityPart) -> schemas.UserPage:
    """List the accounts."""
    return await security.accounts.users()


@router.post(
    "/users",
    operation_id="createUser",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 422, 503),
)
async def create_user(
    asked: schemas.NewUser, who: MayManageUsers, request: Request, security: SecurityPart
) -> schemas.User:
    """Create an account. 409 `exists`: the name is taken; 403 `beyond-yours`: more than one may oneself."""
    made = await security.accounts.create(asked, who)
    changed(request, f"user {made.username}", None, made)
    return made


@router.patch(
    "/users/{username}", operation_id="changeUser", responses=problems(401, 403, 404, 409, 422, 503)
)
async def change_user(
    username: UserPath,
    asked: schemas.UserChange,
    who: MayManageUsers,
    request: Request,
    security: SecurityPart,
) -> schemas.User:
    """Change an account. 409 `last-admin` where nobody could administer the centre afterwards."""
    before, after = await security.accounts.change(username, asked, who)
    new = {"password": "new"} if asked.password else {}
    changed(request, f"user {username}", before.model_dump(), {**after.model_dump(), **new})
    return after


@router.delete(
    "/users/{username}",
    operation_id="deleteUser",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def delete_user(
    username: UserPath, who: MayManageUsers, request: Request, security: SecurityPart
) -> None:
    """Remove a service account with its tokens; 409 `person`: a person's is switched off instead."""
    gone = await security.accounts.delete(username, who)
    changed(request, f"user {username}", gone, None)


@router.get("/roles", operation_id="listRoles", responses=problems(401, 403, 503))
async def list_roles(who: MayOwnTokens, security: SecurityPart) -> schemas.RolePage:
    """List the roles with their permissions: those built in, and the centre's own."""
    return await security.roles.all(who.sight)


@router.put("/roles/{role}", operation_id="putRole", responses=problems(401, 403, 409, 422, 503))
async def put_role(
    role: RolePath, asked: schemas.RoleAsked, who: MayManageUsers, request: Request, security: SecurityPart
) -> schemas.RoleOut:
    """Make a role of the centre's own, or change it for everybody who has it. 409 `built-in`."""
    before, after = await security.roles.put(role, asked, who)
    changed(request, f"role {role}", before, after)
    return after


@router.delete(
    "/roles/{role}",
    operation_id="deleteRole",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def delete_role(role: RolePath, who: MayManageUsers, request: Request, security: SecurityPart) -> None:
    """Remove a role of the centre's own. 409 `in-use` while somebody has it."""
    gone = await security.roles.delete(role)
    changed(request, f"role {role}", gone, None)


@router.get("/grants/parts", operation_id="listGrantParts", responses=problems(401, 403, 503))
async def list_parts(who: MayOwnTokens, security: SecurityPart) -> schemas.Parts:
    """List districts and departments by which a grant or token may be limited, as far as one reaches."""
    return await security.reach.parts(who.sight)


@router.get("/tokens", operation_id="listTokens", responses=problems(401, 403, 503))
async def list_tokens(who: MayOwnTokens, security: SecurityPart) -> schemas.TokenPage:
    """List one's own API tokens."""
    return await security.tokens.of(who.username)


@router.post(
    "/tokens",
    operation_id="createToken",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 409, 422, 503),
)
async def create_token(
    asked: schemas.NewToken, who: MayOwnTokens, request: Request, security: SecurityPart
) -> schemas.TokenMade:
    """Make an API token for oneself; its secret is in this answer and nowhere else."""
    return _made(request, await security.tokens.make(who, asked))


@router.delete(
    "/tokens/{token_id}",
    operation_id="deleteToken",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def delete_token(token_id: str, who: MayOwnTokens, request: Request, security: SecurityPart) -> None:
    """Delete one of one's own tokens; it stops working at once."""
    _gone(request, token_id, await security.tokens.delete(who, token_id))


@router.get("/all-tokens", operation_id="listAllTokens", responses=problems(401, 403, 503))
async def list_all_tokens(who: MayManageUsers, security: SecurityPart) -> schemas.TokenPage:
    """List the tokens of every account, service accounts included."""
    return await security.tokens.all()


@router.delete(
    "/all-tokens/{token_id}",
    operation_id="revokeToken",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def revoke_token(token_id: str, who: MayManageUsers, request: Request, security: SecurityPart) -> None:
    """End anybody's token at once."""
    _gone(request, token_id, await security.tokens.delete(who, token_id, anyones=True))


@router.post(
    "/users/{username}/tokens",
    operation_id="createServiceToken",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def create_service_token(
    username: UserPath,
    asked: schemas.NewToken,
    who: MayManageUsers,
    request: Request,
    security: SecurityPart,
) -> schemas.TokenMade:
    """Make a token for a service account; its secret is in this answer and nowhere else."""
    await security.accounts.require_above(username, who)
    return _made(request, await security.tokens.make(who, asked, username))


@router.get("/all-sessions", operation_id="listAllSessions", responses=problems(401, 403, 503))
async def list_all_sessions(who: MayManageUsers, security: SecurityPart) -> schemas.OpenSessionPage:
    """List who is signed in, and from where."""
    return await security.sessions.list(current=who.key)


@router.delete(
    "/all-sessions/{session_id}",
    operation_id="endSession",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def end_session(session_id: str, who: MayManageUsers, request: Request, security: SecurityPart) -> None:
    """End anybody's session at once."""
    whose = await security.sessions.end(session_id)
    changed(request, f"session of {whose}", {"id": session_id}, None)


@router.delete(
    "/users/{username}/totp",
    operation_id="resetTotp",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def reset_totp(
    username: UserPath, who: MayManageUsers, request: Request, security: SecurityPart
) -> None:
    """Remove somebody's second factor, for a phone and recovery codes that are lost."""
    in_person(who)
    await security.accounts.require_above(username, who)
    await security.factors.remove(username)
    changed(request, f"user {username}", {"second_factor": True}, {"second_factor": False})


@router.get("/policy", operation_id="getPolicy", responses=problems(401, 403, 503))
async def get_policy(who: MayManageUsers, security: SecurityPart) -> schemas.Policy:
    """Show the settings of security: which roles ask for a second factor, how long tokens live."""
    return await security.policy.get()


@router.put("/policy", operation_id="putPolicy", responses=problems(401, 403, 422, 503))
async def put_policy(
    asked: schemas.Policy, who: MayManageUsers, request: Request, security: SecurityPart
) -> schemas.Policy:
    """Set them; they count at once, for sessions that are open too."""
    in_person(who)
    before, after = await security.policy.put(asked)
    changed(request, "policy", before, after)
    return after


def _made(request: Request, made: schemas.TokenMade) -> schemas.TokenMade:
    changed(request, f"token {made.id} of {made.username}", None, made.model_dump(exclude={"token"}))
    return made


def _gone(request: Request, token_id: str, whose: str) -> None:
    changed(request, f"token {token_id} of {whose}", {"id": token_id}, None)
