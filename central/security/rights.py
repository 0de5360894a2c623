"""A right: permissions over a part of the city. A person's rights are the sum of them, never their product.

Somebody may be operator in one district and viewer in another: each permission reaches what those rights
reach that contain it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from central.kernel.problem import Problem
from central.security.roles import WHOLE_CENTRE, Permission

Part = frozenset[str] | None
"""Names of districts or departments; None: all of them."""


@dataclass(frozen=True, slots=True)
class Right:
    """What one grant allows: `permissions` at the sites of these areas and of these owner departments."""

    role: str
    permissions: frozenset[Permission]
    areas: Part = None
    departments: Part = None

    @property
    def whole(self) -> bool:
        """Whether it reaches the whole city."""
        return self.areas is None and self.departments is None

    def carries(self, permission: Permission) -> bool:
        """Say whether it contains the permission; a limited right has none that concern the whole centre."""
        return permission in self.permissions and (self.whole or permission not in WHOLE_CENTRE)

    def narrowed(self, limit: Right) -> Right | None:
        """Return what is left of it under a limit (a token's); None where that is nothing."""
        permissions = self.permissions & limit.permissions
        areas, departments = _both(self.areas, limit.areas), _both(self.departments, limit.departments)
        if not permissions or areas == frozenset() or departments == frozenset():
            return None
        role = limit.role or self.role
        return replace(self, role=role, permissions=permissions, areas=areas, departments=departments)

    def contains(self, other: Right, permission: Permission) -> bool:
        """Say whether it allows `permission` wherever the other does."""
        return (
            self.carries(permission)
            and _holds(self.areas, other.areas)
            and _holds(self.departments, other.departments)
        )


def beyond(wanted: Iterable[Right], held: Iterable[Right]) -> list[tuple[Right, Permission]]:
    """Return what `wanted` allows and no single right of `held` does: what its holder cannot give away."""
    owned = tuple(held)
    return [
        (right, permission)
        for right in wanted
        for permission in sorted(right.permissions)
        if right.carries(permission) and not any(own.contains(right, permission) for own in owned)
    ]


def may_give(held: Iterable[Right], wanted: Iterable[Right]) -> None:
    """Problem 403 `beyond-yours` where somebody would give away, or take over, more than he has himself."""
    names = sorted({permission for _, permission in beyond(wanted, held)})
    if names:
        raise Problem(
            403, "beyond-yours", "Beyond what you may yourself",
            f"You do not have {', '.join(names)} there; ask somebody who does.",
        )  # fmt: skip


def _both(one: Part, other: Part) -> Part:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _holds(outer: Part, inner: Part) -> bool:
    return outer is None or (inner is not None and inner <= outer)
