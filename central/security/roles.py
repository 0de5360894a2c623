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
    OWN_ACCOUNT = "account.own"
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
    """The roles built in: 只读, 值班员, 值班长, 工程师, 管理员. A centre may add its own."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ENGINEER = "engineer"
    ADMIN = "admin"


_VIEWER: Final = frozenset(
    {Permission.READ, Permission.OWN_ACCOUNT, Permission.OWN_TOKENS, Permission.EXPORT}
)
_OPERATOR: Final = _VIEWER | {
    Permission.ACKNOWLEDGE,
    Permission.SHELVE,
    Permission.HANDLE_CASES,
    Permission.COMMAND,
}

PERMISSIONS: Final[Mapping[str, frozenset[Permission]]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.SUPERVISOR: _OPERATOR | {Permission.SUPPRESS, Permission.MANAGE_NOTICES, Permission.EDIT_WALL},
    Role.ENGINEER: _VIEWER | {Permission.EDIT_REGISTRY, Permission.MANAGE_GATEWAYS},
    Role.ADMIN: frozenset(Permission),
}

NAMES: Final[Mapping[str, tuple[str, str]]] = {
    Role.VIEWER: ("只读", "Viewer"),
    Role.OPERATOR: ("值班员", "Operator"),
    Role.SUPERVISOR: ("值班长", "Supervisor"),
    Role.ENGINEER: ("工程师", "Engineer"),
    Role.ADMIN: ("管理员", "Administrator"),
}

WHOLE_CENTRE: Final = frozenset(
    {
        Permission.MANAGE_USERS,
        Permission.READ_AUDIT,
        Permission.EDIT_WALL,
        Permission.MANAGE_NOTICES,
        Permission.MANAGE_HOOKS,
        Permission.OPERATE,
    }
)
"""What has no place in the city: a grant that is limited to a part of it does not carry these."""
