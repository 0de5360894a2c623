"""Who is asking: the person, or the person's program, behind one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from central.security.rights import Right
from central.security.roles import Permission
from central.security.sight import NOTHING, Sight

SCREEN: Final = "wall:"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who proved who they are. `rights` are already narrowed to those of the token, if one was used.

    sight is what the permission that a route asked for reaches: routes must not show or change anything else.
    key is the public id of the session or token that was used.
    """

    username: str
    display_name: str
    rights: tuple[Right, ...]
    via: Literal["session", "token"]
    key: str = ""
    sight: Sight = NOTHING
    must_enrol: bool = False
    """A role of his asks for a second factor and he has none yet: until then he has no other right."""

    @property
    def is_screen(self) -> bool:
        """Whether this is a wall screen: nobody's account, and a name that no account can have."""
        return self.username.startswith(SCREEN)

    def may(self, permission: Permission) -> bool:
        """Say whether some right includes the permission, anywhere. One's own account needs no right."""
        return permission is Permission.OWN_ACCOUNT or any(right.carries(permission) for right in self.rights)

    @property
    def permissions(self) -> list[Permission]:
        """Everything that he may do somewhere, sorted."""
        return [permission for permission in sorted(Permission) if self.may(permission)]

    @property
    def role(self) -> str:
        """The role of the right that allows most, for people to read; empty where there is no right."""
        if not self.rights:
            return ""
        return max(self.rights, key=lambda right: (len(right.permissions), right.whole)).role
