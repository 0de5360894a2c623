"""The ISA-18.2 machine of every alarm of a gateway: base states and overlays. No conditions, no delays.

What happened goes in as a call; what became of it is told to `take`. Base transitions are those of
`protocols.model.alarm.step`; overlays hide an alarm and let its base state run on (alarms.md 1 to 3).

Levels of one point (lolo < lo < hi < hihi) exclude one another: while the higher one is active, the lower
one is suppressed by it (DSUPR, its source is the higher rule). Going back is a change of level and no new
alarm: the lower one comes back as it was and is not annunciated; an acknowledgement of a level is one of
the lower levels too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from edge.alarms.groups import FirstOut
from edge.alarms.hiding import Hiding
from edge.alarms.standing import NEVER_US, WHEN, Cover, Standing
from edge.alarms.telling import NOBODY, By, Teller
from edge.alarms.verdict import Sample
from protocols.errors import Rejected
from protocols.model.alarm import (
    LEAVES,
    AlarmEvent,
    AlarmState,
    AlarmTransition,
    Overlay,
    Rule,
    policy_of,
    step,
    unhidden,
)
from protocols.model.clock import SECOND_US
from protocols.model.step import Step

AUTO: Final = "auto"
UNHIDDEN: Final = "auto-unhidden"
"""Who acknowledged what returned to normal under an overlay."""


class Machine:
    """All alarms of one gateway, by the position of their rule. Only those that stand anywhere cost memory.

    annunciated is called with a rule each time that an operator is called to it.
    """

    def __init__(
        self, gateway: str, rules: Sequence[Rule], declaration: str, annunciated: Callable[[int], None]
    ) -> None:
        self.standings: dict[int, Standing] = {}
        self.hiding = Hiding(rules)
        self._rules = rules
        self._teller = Teller(gateway, rules, declaration)
        self._tell = self._teller.tell
        self._first_out = FirstOut(rules)
        self._annunciated = annunciated
        self._soonest_us = 0
        """No shelving ends and nothing is called again before."""
        self._policies = [policy_of(rule) for rule in rules]

    def take(self) -> list[AlarmTransition]:
        """Return the steps since the last call."""
        steps, self._teller.steps = self._teller.steps, []
        return steps

    def active(self, i: int) -> bool:
        """Return whether the condition of a rule holds."""
        standing = self.standings.get(i)
        return standing is not None and standing.active

    def state(self, i: int) -> AlarmState:
        """Return the base state of a rule's alarm."""
        standing = self.standings.get(i)
        return AlarmState.NORM if standing is None else standing.state

    def value(self, i: int) -> float | None:
        """Return the value that decided the last step of a rule's alarm, where one stands."""
        standing = self.standings.get(i)
        return None if standing is None else standing.value

    def suppressed(self, i: int, source: str) -> bool:
        """Return whether `source` hides a rule at present."""
        standing = self.standings.get(i)
        cover = standing.covers.get(Overlay.DSUPR) if standing else None
        return cover is not None and source in cover.sources

    # ---- the condition ----

    def activate(self, i: int, at_us: int, sample: Sample) -> None:
        """The condition of rule `i` has become true."""
        standing, before = self._standing(i), self.state(i)
        first = self._first_out.first(i, self.standings)
        after = step(before, AlarmEvent.ACT, self._policies[i])
        if before in {AlarmState.NORM, AlarmState.RTNUN}:
            standing.occurrence = self._teller.name(standing.rule, at_us)
            standing.number = standing.realarms = standing.reactivations = 0
            standing.event_us = standing.raised_us = at_us
            standing.raise_value = sample.value
            standing.first_out = first
        else:
            standing.reactivations += 1
        standing.cleared_us = standing.acked_us = None
        standing.acked_by = ""
        if after is AlarmState.ACKED:
            standing.acked_us, standing.acked_by = at_us, AUTO
        standing.state = after
        self._judged(standing, at_us, sample)
        self._tell(i, standing, AlarmEvent.ACT, standing.event_us)
        if after is AlarmState.UNACK and not standing.covers:
            self._annunciated(i)
        self._hide(i, at_us, on=True)

    def clear(self, i: int, at_us: int, sample: Sample, comment: str = "") -> None:
        """The condition of rule `i` has become false."""
        standing = self.standings[i]
        before = standing.state
        standing.state = step(before, AlarmEvent.CLR, self._policies[i])
        if standing.state is AlarmState.NORM and before is AlarmState.UNACK:
            standing.acked_us, standing.acked_by = at_us, "auto-clear"
        self._judged(standing, at_us, sample)
        standing.cleared_us, standing.realarm_us = standing.event_us, None
        self._tell(i, standing, AlarmEvent.CLR, standing.event_us, By(comment=comment))
        self._hide(i, at_us, on=False)
        shelf = standing.covers.get(Overlay.SHLVD)
        if shelf is not None and shelf.one_shot:
            self.uncover(i, AlarmEvent.UNSHELVE, standing.event_us, By(comment="one-shot: it has cleared"))
        self._tidy(i)

    # ---- people ----

    def acknowledge(self, i: int, now_us: int, by: By) -> None:
        """Acknowledge; what is acknowledged already stays as it is. Lower levels of the point go along."""
        standing = self.standings.get(i)
        if standing is not None and standing.unacked:
            standing.state = step(standing.state, AlarmEvent.ACK, self._policies[i])
            standing.acked_us, standing.acked_by = now_us, by.actor
            self._realarm_from(i, standing, now_us)
            self._tell(i, standing, AlarmEvent.ACK, now_us, by)
            self._tidy(i)
        for lower in self.hiding.lower.get(i, ()):
            self.acknowledge(lower, now_us, by)

    def reset(self, i: int, now_us: int, by: By) -> None:
        """Reset a latched alarm. Rejected: `acknowledge-first`, `still-active`, `not-allowed`."""
        after = step(self.state(i), AlarmEvent.RESET, self._policies[i])
        standing = self.standings[i]
        standing.state = after
        self._tell(i, standing, AlarmEvent.RESET, now_us, by)
        self._tidy(i)

    def cover(self, i: int, event: AlarmEvent, overlay: Overlay, cover: Cover, by: By) -> None:
        """Put an overlay on for a person. Rejected: `already-shelved`, `already-out-of-service`."""
        standing = self._standing(i)
        if overlay in standing.covers:
            word = "shelved" if overlay is Overlay.SHLVD else "out of service"
            raise Rejected(f"already-{word.replace(' ', '-')}", f"alarm {standing.rule!r} is {word} already")
        self._put(standing, overlay, cover, quiet=False)
        self._tell(i, standing, event, cover.since_us, by, cover.until_us)

    def uncover(self, i: int, event: AlarmEvent, at_us: int, by: By = NOBODY) -> None:
        """Take an overlay off; when it was the last, an active alarm is annunciated again."""
        standing = self.standings[i]
        overlay = LEAVES[event]
        del standing.covers[overlay]
        self._soonest_us = min(self._soonest_us, standing.due_us)
        was_open, calls = standing.open, False
        if not standing.covers and not standing.quiet:
            after = unhidden(standing.state, self._policies[i])
            calls = after is AlarmState.UNACK
            if calls and standing.state is AlarmState.ACKED:
                standing.acked_us, standing.acked_by, standing.realarm_us = None, "", None
            if after is AlarmState.NORM and was_open:
                standing.acked_us, standing.acked_by = at_us, UNHIDDEN
            standing.state = after
        if was_open or overlay is not Overlay.DSUPR:
            self._tell(i, standing, event, at_us, by)
        if calls:
            self._annunciated(i)
        self._tidy(i)

    # ---- logic and time ----

    def suppress(self, i: int, source: str, at_us: int, *, on: bool, quiet: bool = False) -> None:
        """Let `source` hide rule `i`, or no longer. Several sources hide together."""
        if on == self.suppressed(i, source):
            return
        standing = self._standing(i)
        cover = standing.covers.get(Overlay.DSUPR)
        if cover is not None:
            if on:
                cover.sources.append(source)
                standing.quiet &= quiet
            else:
                cover.sources.remove(source)
                if not cover.sources:
                    self.uncover(i, AlarmEvent.UNSUPPRESS, at_us, By(comment=source))
            return
        self._put(standing, Overlay.DSUPR, Cover(at_us, sources=[source]), quiet=quiet)
        if standing.open:
            self._tell(i, standing, AlarmEvent.SUPPRESS, at_us, By(comment=source))

    def expire(self, now_us: int) -> None:
        """End shelvings whose time is over, and call again for what was acknowledged and still is active."""
        if now_us < self._soonest_us:
            return
        for i, standing in list(self.standings.items()):
            shelf = standing.covers.get(Overlay.SHLVD)
            if shelf is not None and shelf.until_us is not None and shelf.until_us <= now_us:
                self.uncover(i, AlarmEvent.UNSHELVE, now_us, By(comment="its time is over"))
            if standing.realarm_us is not None and standing.realarm_us <= now_us and not standing.covers:
                standing.state = step(standing.state, AlarmEvent.REALARM, self._policies[i])
                standing.realarms += 1
                standing.realarm_us = standing.acked_us = None
                standing.acked_by = ""
                self._tell(i, standing, AlarmEvent.REALARM, now_us)
                self._annunciated(i)
        self._soonest_us = min((known.due_us for known in self.standings.values()), default=NEVER_US)

    def step_back(self, back_us: int) -> None:
        """After a clock that was set back: nothing that runs by it lasts longer for that (invariant 7)."""
        for standing in self.standings.values():
            shelf = standing.covers.get(Overlay.SHLVD)
            if shelf is not None and shelf.until_us is not None:
                shelf.until_us -= back_us
            if standing.realarm_us is not None:
                standing.realarm_us -= back_us
        self._soonest_us = 0

    def stepped(self, step: Step) -> None:
        """The clock was stepped: what runs by it runs on, and what it told is what it tells now."""
        self.step_back(-step.by_us)
        for standing in self.standings.values():
            standing.event_us, standing.sample_us = (
                step.time(standing.event_us),
                step.time(standing.sample_us),
            )
            standing.raised_us = step.time(standing.raised_us)
            standing.cleared_us = None if standing.cleared_us is None else step.time(standing.cleared_us)
            standing.acked_us = None if standing.acked_us is None else step.time(standing.acked_us)
            for cover in standing.covers.values():
                cover.since_us = step.time(cover.since_us)

    def restore(self, standings: Iterable[Standing], places: dict[str, int], now_us: int) -> None:
        """Take up alarms of the process or configuration before; end those whose rule is gone."""
        for standing in standings:
            i = places.get(standing.rule)
            if i is None or self._rules[i].point != standing.point:
                self._end(standing, now_us)
            else:
                self.standings[i] = standing
        ids = {rule.id for rule in self._rules}
        for i, standing in list(self.standings.items()):
            cover = standing.covers.get(Overlay.DSUPR)
            for source in list(cover.sources) if cover is not None else ():
                gone = source not in ids and not (source == WHEN and self._rules[i].suppress_when)
                if gone or (source in ids and not self._hides(places[source], i)):
                    self.suppress(i, source, now_us, on=False)
        for i in list(self.standings):
            if self.active(i):
                self._hide(i, now_us, on=True)

    def _hides(self, upper: int, i: int) -> bool:
        below = (*self.hiding.children.get(upper, ()), *self.hiding.lower.get(upper, ()))
        return self.active(upper) and i in below

    def _hide(self, i: int, at_us: int, *, on: bool) -> None:
        source = self._rules[i].id
        for child in self.hiding.children.get(i, ()):
            self.suppress(child, source, at_us, on=on)
        for lower in self.hiding.lower.get(i, ()):
            self.suppress(lower, source, at_us, on=on, quiet=True)

    def _end(self, standing: Standing, now_us: int) -> None:
        """Say that an alarm is over whose rule the configuration no longer has."""
        gone = By(comment="the configuration no longer has this rule")
        if Overlay.SHLVD in standing.covers or Overlay.OOSRV in standing.covers:
            for event, overlay in LEAVES.items():
                if standing.covers.pop(overlay, None) is not None and overlay is not Overlay.DSUPR:
                    self._tell(None, standing, event, now_us, gone)
        if standing.active:
            standing.state = step(standing.state, AlarmEvent.CLR)
            standing.event_us = max(now_us, standing.event_us)
            standing.sample_us, standing.value, standing.quality = now_us, None, 0x808D_0000
            self._tell(None, standing, AlarmEvent.CLR, standing.event_us, gone)

    def _standing(self, i: int) -> Standing:
        standing = self.standings.get(i)
        if standing is None:
            rule = self._rules[i]
            standing = self.standings[i] = Standing(rule.id, rule.point)
        return standing

    def _tidy(self, i: int) -> None:
        standing = self.standings.get(i)
        if standing is not None and not standing.open:
            standing.first_out, standing.occurrence, standing.number = False, "", 0
            if not standing.covers:
                del self.standings[i]

    def _put(self, standing: Standing, overlay: Overlay, cover: Cover, *, quiet: bool) -> None:
        standing.quiet = quiet and (not standing.covers or standing.quiet)
        standing.covers[overlay] = cover
        self._soonest_us = min(self._soonest_us, standing.due_us)

    def _realarm_from(self, i: int, standing: Standing, now_us: int) -> None:
        again_s = self._rules[i].realarm_s
        standing.realarm_us = now_us + round(again_s * SECOND_US) if again_s and standing.active else None
        self._soonest_us = min(self._soonest_us, standing.due_us)

    def _judged(self, standing: Standing, at_us: int, sample: Sample) -> None:
        standing.event_us = max(at_us, standing.event_us)
        standing.sample_us, standing.value, standing.quality = sample.time_us, sample.value, sample.quality
