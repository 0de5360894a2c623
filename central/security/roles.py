"""Roles and what they may do. A role is a set of permissions; routes ask for permissions, never for roles."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One thing a person may be allowed to do."""

    READ = "read"
    ACKNOWLEDGE = "alarm.acknowledge"
    SHELVE = "alarm.shelve"
    HANDLE_CASES = "case.handle"
    COMMAND = "device.command"
    OWN_TOKENS = "token.own"
    MANAGE_USERS = "user.manage"
    MANAGE_GATEWAYS = "gateway.manage"
    READ_AUDIT = "audit.read"
    EXPORT = "data.export"
    SUPPRESS = "alarm.suppress"
    EDIT_REGISTRY = "registry.edit"
    EDIT_WALL = "wall.edit"
    MANAGE_NOTICES = "notice.manage"
    MANAGE_HOOKS = "webhook.manage"
    OPERATE = "centre.operate"


class Role(StrEnum):
    """What an account is: viewer 只读, operator 值班员, admin 管理员."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_VIEWER: Final = frozenset({Permission.READ, Permission.OWN_TOKENS, Permission.EXPORT})
_OPERATOR: Final = _VIEWER | {
    Permission.ACKNOWLEDGE,
    Permission.SHELVE,
    Permission.HANDLE_CASES,
    Permission.COMMAND,
    Permission.SUPPRESS,
}

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}


def within(role: Role, limit: Role) -> bool:
    """Say whether `role` may do nothing that `limit` may not."""
    return PERMISSIONS[role] <= PERMISSIONS[limit]
