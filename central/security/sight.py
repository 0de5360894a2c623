"""What part of the city somebody may see or touch: whole sites, everything on them included.

A site has an area (its district, 区) and an owner department (主管部门); a right that is limited to some of
them reaches the sites that fit, and through a site its devices, points, alarms, events, cases, commands.
What belongs to no site is seen only by those whom nothing limits.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sight:
    """The sites within reach; None: all of them, and what belongs to no site."""

    sites: Set[str] | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing limits it."""
        return self.sites is None

    def sees(self, site: str | None) -> bool:
        """Say whether the site, or a thing at this site (None: at no site), is within reach."""
        return self.sites is None or site in self.sites

    def __or__(self, other: Sight) -> Sight:
        """Return what either of the two reaches."""
        return EVERYTHING if self.sites is None or other.sites is None else Sight(self.sites | other.sites)


EVERYTHING: Final = Sight()
NOTHING: Final = Sight(frozenset())
