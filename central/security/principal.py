"""Who is asking: the person, or the person's program, behind one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from central.security.roles import PERMISSIONS, Permission, Role
from central.security.sight import EVERYTHING, Sight


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who proved who they are. `role` is already narrowed to that of the token, if one was used.

    sight is what the permission that a route asked for reaches: routes must not show or change anything else.
    """

    username: str
    display_name: str
    role: Role
    via: Literal["session", "token"]
    sight: Sight = EVERYTHING

    def may(self, permission: Permission) -> bool:
        """Say whether the role includes the permission."""
        return permission in PERMISSIONS[self.role]
