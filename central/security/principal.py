"""Who is asking: the person, or the person's program, behind one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from central.security.roles import PERMISSIONS, Permission, Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who proved who they are. `role` is already narrowed to that of the token, if one was used."""

    username: str
    display_name: str
    role: Role
    via: Literal["session", "token"]

    def may(self, permission: Permission) -> bool:
        """Say whether the role includes the permission."""
        return permission in PERMISSIONS[self.role]
