"""Which alarm hides which by design, and in what order rules are therefore judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from protocols.model.alarm import Rule

_LOWER: Final = {"hihi": "hi", "lolo": "lo"}
SUPPRESSOR_RANK: Final = -1
"""What a rule's own `suppress_when` says comes before all rules."""


class Hiding:
    """Who hides whom. children: rule -> rules it hides as their parent; lower: -> lower levels of its point.

    ranks: a rule that hides another has the smaller rank, so that of two steps at one time the hiding
    one comes first and the hidden one is never annunciated.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        places = {rule.id: i for i, rule in enumerate(rules)}
        levels: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i, rule in enumerate(rules):
            levels[rule.point, rule.kind].append(i)
        self.children: dict[int, list[int]] = defaultdict(list)
        self.lower: dict[int, list[int]] = {}
        for i, rule in enumerate(rules):
            parent = places.get(rule.parent)
            if parent is not None:
                self.children[parent].append(i)
            below = levels.get((rule.point, _LOWER.get(rule.kind, "")))
            if below:
                self.lower[i] = below
        self.ranks = np.zeros(len(rules), np.int64)
        for i in range(len(rules)):
            self.ranks[i] = self._depth(rules, places, i)
        for upper, below in self.lower.items():
            self.ranks[below] = np.maximum(self.ranks[below], self.ranks[upper] + 1)

    @staticmethod
    def _depth(rules: Sequence[Rule], places: dict[str, int], i: int) -> int:
        depth = 0
        above = places.get(rules[i].parent)
        # The configuration refuses circles; the bound keeps a declaration of another version from hanging.
        while above is not None and depth < len(rules):
            depth += 1
            above = places.get(rules[above].parent)
        return depth
