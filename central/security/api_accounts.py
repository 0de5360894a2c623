"""Routes of accounts: users, their grants, roles, tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, status

from central.kernel.shapes import problems
from central.security import schemas
from central.security.permissions import MayManageUsers, MayOwnTokens, SecurityPart

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
async def create_user(asked: schemas.NewUser, who: MayManageUsers, security: SecurityPart) -> schemas.User:
    """Create an account. 409 `exists`: the name is taken; 403 `beyond-yours`: more than one may oneself."""
    return await security.accounts.create(asked, who)


@router.patch(
    "/users/{username}", operation_id="changeUser", responses=problems(401, 403, 404, 409, 422, 503)
)
async def change_user(
    username: UserPath, asked: schemas.UserChange, who: MayManageUsers, security: SecurityPart
) -> schemas.User:
    """Change an account. 409 `last-admin` where nobody could administer the centre afterwards."""
    _, after = await security.accounts.change(username, asked, who)
    return after


@router.delete(
    "/users/{username}",
    operation_id="deleteUser",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def delete_user(username: UserPath, who: MayManageUsers, security: SecurityPart) -> None:
    """Remove a service account with its tokens; 409 `person`: a person's is switched off instead."""
    await security.accounts.delete(username, who)


@router.get("/roles", operation_id="listRoles", responses=problems(401, 403, 503))
async def list_roles(who: MayOwnTokens, security: SecurityPart) -> schemas.RolePage:
    """List the roles with their permissions: those built in, and the centre's own."""
    return await security.roles.all()


@router.put("/roles/{role}", operation_id="putRole", responses=problems(401, 403, 409, 422, 503))
async def put_role(
    role: RolePath, asked: schemas.RoleAsked, who: MayManageUsers, security: SecurityPart
) -> schemas.RoleOut:
    """Make a role of the centre's own, or change it for everybody who has it. 409 `built-in`."""
    _, after = await security.roles.put(role, asked, who)
    return after


@router.delete(
    "/roles/{role}",
    operation_id="deleteRole",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def delete_role(role: RolePath, who: MayManageUsers, security: SecurityPart) -> None:
    """Remove a role of the centre's own. 409 `in-use` while somebody has it."""
    await security.roles.delete(role)


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
    asked: schemas.NewToken, who: MayOwnTokens, security: SecurityPart
) -> schemas.TokenMade:
    """Make an API token for oneself; its secret is in this answer and nowhere else."""
    return await security.tokens.make(who, asked)


@router.delete(
    "/tokens/{token_id}",
    operation_id="deleteToken",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(401, 403, 404, 422, 503),
)
async def delete_token(token_id: str, who: MayOwnTokens, security: SecurityPart) -> None:
    """Delete one of one's own tokens; it stops working at once."""
    await security.tokens.delete(who, token_id)


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
async def revoke_token(token_id: str, who: MayManageUsers, security: SecurityPart) -> None:
    """End anybody's token at once."""
    await security.tokens.delete(who, token_id, anyones=True)


@router.post(
    "/users/{username}/tokens",
    operation_id="createServiceToken",
    status_code=status.HTTP_201_CREATED,
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def create_service_token(
    username: UserPath, asked: schemas.NewToken, who: MayManageUsers, security: SecurityPart
) -> schemas.TokenMade:
    """Make a token for a service account; its secret is in this answer and nowhere else."""
    return await security.tokens.make(who, asked, username)
