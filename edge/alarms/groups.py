"""First-out: which alarm of a group came first. Source: alarms.md section 9.

A group is armed while no member that shows is open. The first that becomes active then is marked, and stays
so until every member is inactive and acknowledged. Two at the same time: the one whose rule comes first.
A member that is shelved, suppressed or out of service neither takes the mark nor keeps a group from arming.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from edge.alarms.standing import Standing
from protocols.model.alarm import AlarmState, Rule


class FirstOut:
    """The groups of one gateway; rules by their position."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._members: dict[str, list[int]] = defaultdict(list)
        for i, rule in enumerate(rules):
            if rule.group:
                self._members[rule.group].append(i)

    def first(self, i: int, standings: Mapping[int, Standing]) -> bool:
        """Return whether rule `i`, about to become active, is (or still is) the first of its group."""
        group, own = self._rules[i].group, standings[i]
        if not group:
            return False
        if own.state is AlarmState.RTNUN and own.first_out:
            return True
        members = (standings.get(member) for member in self._members[group])
        return not own.covers and not any(
            member is not None and member.open and (member.first_out or not member.covers)
            for member in members
        )
