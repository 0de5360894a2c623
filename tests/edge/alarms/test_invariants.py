"""Invariants of alarms.md section 11 over whatever may happen: samples, people, clocks, restarts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.alarms.engine import AlarmEngine
from protocols.errors import Rejected
from protocols.model.alarm import (
    ACTIVE_STATES,
    LEAVES,
    AlarmEvent,
    AlarmState,
    AlarmTransition,
    Overlay,
    Policy,
    policy_of,
    step,
    unhidden,
)
from protocols.model.order import AlarmAct
from protocols.model.quality import Quality
from tests.edge.alarms import tank

RULES = (
    tank.rule(id="tank.high", limit=10.0, deadband=2.0, group="g", off_delay_s=3.0),
    tank.rule(id="tank.veryhigh", kind="hihi", limit=20.0, deadband=2.0, realarm_s=40.0),
    tank.rule(id="tank.low", kind="lo", limit=2.0, on_delay_s=5.0, latching=True, group="g"),
    tank.rule(id="tank.flow", point="tank.flow", kind="lo", limit=1.0, rtn_ack=False, group="g"),
    tank.rule(id="tank.child", point="tank.command", limit=5.0, parent="tank.flow", ack_required=False),
    tank.rule(
        id="tank.when", point="tank.actual", limit=5.0, suppress_when="tank.flow < 0.5", max_shelve_s=60.0
    ),
    tank.rule(id="tank.off", kind="condition", expression="tank.command > 5 and tank.flow < 1"),
)
LEVELS = {"tank.high"}
SEVERAL = {"tank.when", "tank.off"}
CODES = [0, 0, 0, 0, int(Quality.UNCERTAIN), int(Quality.BAD_TIMEOUT)]
VALUES = [0.0, 0.4, 0.9, 1.5, 4.0, 6.0, 8.5, 9.0, 11.0, 19.0, 25.0]


class Alarms(RuleBasedStateMachine):
    """A gateway's alarms, and beside them what the journal alone says about each."""

    def __init__(self) -> None:
        super().__init__()
        self.second = 0.0
        self.elapsed = 0.0
        self.alarms = tank.engine(*RULES)
        self.journal: list[AlarmTransition] = []
        self.inputs: list[tuple[str, Any]] = []
        self.states: dict[str, AlarmState] = defaultdict(lambda: AlarmState.NORM)
        self.shelved: dict[str, float] = {}
        self.stepped_back = False
        self.restarted = False

    def _do(self, what: str, *given: Any) -> list[AlarmTransition]:
        self.inputs.append((what, given))
        steps = _apply(self, what, *given)
        for told in steps:
            self._follow(told)
        self.journal += steps
        return steps

    def _follow(self, told: AlarmTransition) -> None:
        """Check one step against the table, and against what the journal said before."""
        before = self.states[told.rule]
        policy = next(policy_of(rule) for rule in RULES if rule.id == told.rule)
        assert told.state is not None
        if told.event in {AlarmEvent.SHELVE, AlarmEvent.SUPPRESS, AlarmEvent.SUSPEND}:
            assert told.state is before
        elif told.event in LEAVES:
            self._follow_leaving(told, before, policy)
        else:
            assert told.state is step(before, told.event, policy), "only rows of the table"
        if before is AlarmState.UNACK and told.state is AlarmState.NORM:
            assert not policy.rtn_ack, "invariant 1: not without an acknowledgement"
        if told.event is AlarmEvent.CLR:
            assert told.quality < 0x8000_0000, "invariant 3: bad quality never clears"
        self.states[told.rule] = told.state

    def _follow_leaving(self, told: AlarmTransition, before: AlarmState, policy: Policy) -> None:
        if told.overlays or (told.rule in LEVELS and told.event is AlarmEvent.UNSUPPRESS):
            assert told.state in {before, unhidden(before, policy)}
        else:
            assert told.state is unhidden(before, policy), "invariant 4: what is active annunciates"

    @rule(
        point=st.integers(0, 3),
        gap=st.sampled_from([0.0, 1.0, 2.0, 7.0]),
        value=st.sampled_from(VALUES),
        code=st.sampled_from(CODES),
    )
    def sample(self, point: int, gap: float, value: float, code: int) -> None:
        self._pass(gap)
        number = np.nan if code >= 0x8000_0000 else value
        self._do("sample", point, self.second, number, code, self.second)

    @rule(
        point=st.integers(0, 3),
        ago=st.sampled_from([20.0, 60.0, 4000.0]),
        value=st.sampled_from(VALUES),
    )
    @precondition(lambda self: not self.stepped_back and not self.restarted)
    def late_sample(self, point: int, ago: float, value: float) -> None:
        """Invariant 6: what is older than the last sample of its point decides nothing."""
        heard = [given for what, given in self.inputs if what == "sample" and given[0] == point]
        if heard:
            second = max(given[1] for given in heard) - ago
            before = len(self.journal)
            self._do("sample", point, second, value, 0, self.second)
            for told in self.journal[before:]:
                assert told.sample_us != tank.at(second), "invariant 6"

    @rule(gap=st.sampled_from([0.1, 1.0, 6.0, 45.0]))
    def tick(self, gap: float) -> None:
        self._pass(gap)
        self._do("tick", self.second)

    @rule(
        name=st.sampled_from([rule.id for rule in RULES]), verb=st.sampled_from(["ack", "reset", "unshelve"])
    )
    def person(self, name: str, verb: str) -> None:
        self._do("act", verb, name, self.second, None)

    @rule(name=st.sampled_from([rule.id for rule in RULES]), verb=st.sampled_from(["suspend", "return"]))
    def maintenance(self, name: str, verb: str) -> None:
        self._do("act", verb, name, self.second, None)

    @rule(name=st.sampled_from([rule.id for rule in RULES]), length=st.sampled_from([5.0, 50.0, 3000.0]))
    def shelve(self, name: str, length: float) -> None:
        steps = self._do("act", "shelve", name, self.second, length)
        if steps:
            self.shelved[name] = self.elapsed + length

    @rule()
    def restart(self) -> None:
        self.restarted = True
        self._do("restart", self.second)

    @rule(back=st.sampled_from([5.0, 3600.0]))
    def clock_back(self, back: float) -> None:
        self.second -= back
        self.stepped_back = True
        self._do("tick", self.second)

    def _pass(self, gap: float) -> None:
        self.second += gap
        self.elapsed += gap

    @invariant()
    def shelving_never_lasts_longer_than_asked(self) -> None:
        """Invariant 7: in time that really passed, whatever the clock says."""
        self._do("tick", self.second)
        for standing in self.alarms.standings():
            if Overlay.SHLVD in standing.covers:
                assert self.elapsed <= self.shelved[standing.rule] + 1.1

    @invariant()
    def what_stands_is_what_was_told(self) -> None:
        standing = {known.rule: known.state for known in self.alarms.standings()}
        for name, state in self.states.items():
            assert standing.get(name, AlarmState.NORM) is state

    @invariant()
    def at_most_one_of_a_group_is_first(self) -> None:
        first = [known.rule for known in self.alarms.standings() if known.first_out]
        assert len(first) <= 1

    @invariant()
    def the_counts_add_up(self) -> None:
        """Invariant 8: over priorities, and over hidden and shown."""
        standings = self.alarms.standings()
        seen = [known for known in standings if not known.covers]
        active = sum(known.state in ACTIVE_STATES for known in seen)
        assert self.alarms.counts()[0] == active

    def teardown(self) -> None:
        """Invariant 5: the same input gives the same journal; restarts leave no trace in it."""
        again = _Replay()
        for what, given in self.inputs:
            again.journal += _apply(again, what, *given)
        assert again.journal == self.journal
        if self.stepped_back or not self.restarted:
            return
        through = _Replay()
        for what, given in self.inputs:
            if what != "restart":
                through.journal += _apply(through, what, *given)
        assert _essence(through.journal) == _essence(self.journal)


class _Replay:
    def __init__(self) -> None:
        self.alarms: AlarmEngine = tank.engine(*RULES)
        self.journal: list[AlarmTransition] = []


def _apply(run: Any, what: str, *given: Any) -> list[AlarmTransition]:
    match what:
        case "sample":
            point, second, value, code, now = given
            readings = tank.columns([(second, value, code)], point)
            steps: list[AlarmTransition] = run.alarms.evaluate(readings, tank.at(now))
            return steps
        case "tick":
            ticked: list[AlarmTransition] = run.alarms.tick(tank.at(given[0]))
            return ticked
        case "restart":
            run.alarms = tank.engine(*RULES, now=given[0], restored=run.alarms.state())
            return []
    verb, name, second, length = given
    until = None if length is None else tank.at(second + length)
    asked = AlarmAct(
        id=f"{verb}{second}", verb=verb, rule=name, actor="li", comment="x", at_us=0, until_us=until
    )
    try:
        acted: list[AlarmTransition] = run.alarms.act(asked, tank.at(second))
    except Rejected:
        return []
    return acted


def _essence(journal: list[AlarmTransition]) -> list[tuple[Any, ...]]:
    """Return what happened to the rules that look at one point; others wait until all theirs are heard."""
    return [
        (told.rule, told.event, told.event_us, told.state, told.overlays)
        for told in journal
        if told.rule not in SEVERAL
    ]


TestAlarms = Alarms.TestCase
# Shrinking a run of thirty steps takes minutes; hypothesis prints the run that failed.
TestAlarms.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, phases=[Phase.generate]
)
