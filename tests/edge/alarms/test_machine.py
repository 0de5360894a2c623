"""What people and logic do to alarms at the gateway: acknowledgement, latching, overlays, levels, groups."""

from __future__ import annotations

from typing import Any

import pytest

from edge.alarms.engine import AlarmEngine
from protocols.errors import Rejected
from protocols.model.alarm import AlarmState, Rule
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.edge.alarms.tank import act, at, columns, engine, feed, rule, shown, take, told

DAY = 86_400


def refused(alarms: AlarmEngine, verb: Any, second: float, **fields: Any) -> str:
    with pytest.raises(Rejected) as error:
        act(alarms, verb, second, **fields)
    return error.value.reason


def state(alarms: AlarmEngine, rule_id: str = "tank.high") -> str:
    return next((s.state.value for s in alarms.standings() if s.rule == rule_id), "NORM")


def test_acknowledged_by_name_and_closed() -> None:
    alarms = engine()
    (raised,) = take(alarms, (1, 11))
    (acked,) = act(alarms, "ack", 5, occurrence=raised.occurrence)
    assert (acked.actor, acked.comment, acked.act, acked.number) == ("li", "because", "ack-5", 2)
    assert (acked.occurrence, acked.event_us, acked.state) == (raised.occurrence, at(5), "ACKED")
    assert act(alarms, "ack", 6) == [], "acknowledging again changes nothing"
    assert told(take(alarms, (9, 1))) == ["high CLR NORM"]
    assert alarms.standings() == []


def test_an_old_occurrence_never_acknowledges_a_newer_one() -> None:
    alarms = engine()
    (old, _) = take(alarms, (1, 11), (2, 1))
    (new,) = take(alarms, (3, 11))
    assert new.occurrence != old.occurrence
    assert refused(alarms, "ack", 4, occurrence=old.occurrence) == "not-current"
    assert state(alarms) == "UNACK"


def test_latched_until_reset() -> None:
    alarms = engine(rule(latching=True))
    (raised,) = take(alarms, (1, 11))
    assert refused(alarms, "reset", 2) == "still-active"
    assert told(take(alarms, (3, 1))) == ["high CLR LTUNK"]
    assert refused(alarms, "reset", 4) == "acknowledge-first"
    (again,) = take(alarms, (5, 11))
    assert (again.occurrence, again.number, again.state) == (raised.occurrence, 3, "UNACK")
    assert told([*act(alarms, "ack", 6), *take(alarms, (7, 1)), *act(alarms, "reset", 8)]) == [
        "high ACK ACKED",
        "high CLR LTACK",
        "high RESET NORM",
    ]
    assert refused(alarms, "reset", 9) == "not-allowed"


def test_no_acknowledgement_where_the_rule_asks_for_none() -> None:
    alarms = engine(rule(ack_required=False))
    assert told(take(alarms, (1, 11), (2, 1))) == ["high ACT ACKED", "high CLR NORM"]
    alarms = engine(rule(rtn_ack=False))
    assert told(take(alarms, (1, 11), (2, 1))) == ["high ACT UNACK", "high CLR NORM"]


def test_called_again_while_it_still_is_active() -> None:
    alarms = engine(rule(realarm_s=600))
    take(alarms, (1, 11))
    assert alarms.tick(at(2000)) == [], "nobody has acknowledged it: it is still calling"
    act(alarms, "ack", 2000)
    assert alarms.tick(at(2599)) == []
    assert told(alarms.tick(at(2600))) == ["high REALARM UNACK"]
    act(alarms, "ack", 2700)
    take(alarms, (2701, 1))
    assert alarms.tick(at(5000)) == []


# ---- overlays ----


def test_shelved_for_a_time_and_back() -> None:
    alarms = engine()
    take(alarms, (1, 11))
    act(alarms, "ack", 2)
    (shelved,) = act(alarms, "shelve", 3, until_us=at(63))
    assert (told([shelved]), shelved.until_us) == (["high SHELVE ACKED SHLVD"], at(63))
    assert refused(alarms, "shelve", 4, until_us=at(64)) == "already-shelved"
    (view,) = alarms.views(at(5))
    assert (view.display, view.state, view.shelved_until_us) == ("SHLVD", "ACKED", at(63))
    assert alarms.counts() == (0, 0)
    assert alarms.tick(at(62.9)) == []
    assert told(alarms.tick(at(63))) == ["high UNSHELVE UNACK"], "annunciated again, though acknowledged"
    assert refused(alarms, "unshelve", 64) == "not-shelved"


def test_under_an_overlay_the_base_state_goes_on() -> None:
    alarms = engine()
    act(alarms, "shelve", 0, until_us=at(1000))
    steps = take(alarms, (1, 11), (2, 1), (3, 11), (4, 1))
    assert told(steps)[:2] == ["high ACT UNACK SHLVD", "high CLR RTNUN SHLVD"]
    assert told(act(alarms, "unshelve", 5)) == ["high UNSHELVE NORM"], "it is over, and nobody was called"
    assert alarms.rates.flood_since_us is None
    assert alarms.standings() == []


def test_a_latched_alarm_stays_latched_when_the_overlay_goes() -> None:
    alarms = engine(rule(latching=True))
    take(alarms, (1, 11))
    act(alarms, "shelve", 2, until_us=at(100))
    take(alarms, (3, 1))
    assert told(act(alarms, "unshelve", 5)) == ["high UNSHELVE LTUNK"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"until_us": at(3)}, "shelving-time"),
        ({"until_us": at(2)}, "shelving-time"),
        ({"until_us": at(3 + 3601)}, "shelving-time"),
        ({}, "shelving-time"),
        ({"until_us": at(60), "comment": " "}, "reason-missing"),
    ],
)
def test_shelving_is_bounded_and_has_a_reason(fields: dict[str, Any], code: str) -> None:
    alarms = engine(rule(max_shelve_s=3600))
    assert refused(alarms, "shelve", 3, **fields) == code


def test_what_is_never_shelved_and_what_is_not_known() -> None:
    alarms = engine(rule(max_shelve_s=0))
    assert refused(alarms, "shelve", 3, until_us=at(60)) == "not-shelvable"
    assert refused(alarms, "ack", 3, rule_id="tank.none") == "unknown-alarm"


def test_an_order_to_shelve_that_came_too_late_calls_again() -> None:
    """At the centre it was shelved meanwhile, and is back: both sides come to the same state."""
    alarms = engine()
    take(alarms, (1, 11))
    act(alarms, "ack", 2)
    late = act(alarms, "shelve", 100, at_us=at(10), until_us=at(70))
    assert told(late) == ["high SHELVE ACKED SHLVD", "high UNSHELVE UNACK"]


def test_one_shot_ends_with_the_alarm_or_at_the_longest_time() -> None:
    alarms = engine()
    take(alarms, (1, 11))
    act(alarms, "shelve", 2, one_shot=True)
    assert told(take(alarms, (3, 1))) == ["high CLR RTNUN SHLVD", "high UNSHELVE NORM"]
    act(alarms, "shelve", 4, one_shot=True)
    assert alarms.tick(at(4 + DAY - 1)) == []
    assert told(alarms.tick(at(4 + DAY))) == ["high UNSHELVE NORM"]


def test_out_of_service_until_it_is_returned() -> None:
    alarms = engine()
    assert refused(alarms, "suspend", 1, comment="") == "reason-missing"
    (step,) = act(alarms, "suspend", 1, comment="permit 17")
    assert (told([step]), step.occurrence, step.number) == (["high SUSPEND NORM OOSRV"], "", 1)
    take(alarms, (2, 11))
    assert alarms.tick(at(30 * DAY)) == []
    assert refused(alarms, "suspend", 30 * DAY) == "already-out-of-service"
    assert told(act(alarms, "return", 30 * DAY)) == ["high RETURN UNACK"]
    assert refused(alarms, "return", 30 * DAY) == "not-out-of-service"


def test_two_overlays_and_only_the_last_one_calls() -> None:
    alarms = engine()
    take(alarms, (1, 11))
    act(alarms, "shelve", 2, until_us=at(50))
    act(alarms, "suspend", 3)
    assert alarms.views(at(4))[0].display == "OOSRV"
    act(alarms, "ack", 5)
    assert told(alarms.tick(at(50))) == ["high UNSHELVE ACKED OOSRV"]
    assert told(act(alarms, "return", 60)) == ["high RETURN UNACK"]


def test_overlays_and_alarms_outlive_the_process() -> None:
    one = rule(latching=True, realarm_s=60)
    alarms = engine(one)
    take(alarms, (1, 11))
    act(alarms, "ack", 2)
    act(alarms, "shelve", 3, until_us=at(100))
    again = engine(one, now=4, restored=alarms.state())
    assert again.views(at(5)) == alarms.views(at(5))
    assert told(again.tick(at(100))) == ["high UNSHELVE UNACK"]


def test_a_step_back_of_the_clock_extends_nothing() -> None:
    alarms = engine()
    take(alarms, (1, 11))
    act(alarms, "shelve", 3600, until_us=at(3600 + 600))
    assert alarms.tick(at(3610)) == []
    assert alarms.tick(at(10)) == [], "back by an hour, ten seconds after it was shelved"
    assert alarms.tick(at(599)) == []
    assert told(alarms.tick(at(600))) == ["high UNSHELVE UNACK"]


def test_a_clock_that_was_behind_at_the_restart_extends_nothing() -> None:
    alarms = engine()
    act(alarms, "shelve", 3600, until_us=at(3600 + 600))
    again = engine(restored=alarms.state())
    assert again.views(at(0))[0].shelved_until_us == at(600)


# ---- suppression by design ----


def level(**changes: Any) -> tuple[Rule, Rule]:
    return (
        rule(id="tank.high", kind="hi", limit=10.0),
        rule(id="tank.veryhigh", kind="hihi", limit=20.0, **changes),
    )


def test_the_higher_level_hides_the_lower_one() -> None:
    alarms = engine(*level())
    assert told(take(alarms, (1, 11), (2, 21))) == [
        "high ACT UNACK",
        "veryhigh ACT UNACK",
        "high SUPPRESS UNACK DSUPR",
    ]
    assert [(view.rule, view.display) for view in alarms.views(at(3))] == [
        ("tank.veryhigh", "UNACK"),
        ("tank.high", "DSUPR"),
    ]
    act(alarms, "ack", 3, "tank.veryhigh")
    assert state(alarms) == "ACKED", "who acknowledges the level has seen the lower one too"
    assert told(take(alarms, (4, 15))) == ["veryhigh CLR NORM", "high UNSUPPRESS ACKED"], "no new alarm"


def test_straight_to_the_higher_level_calls_once() -> None:
    alarms = engine(*level())
    assert told(take(alarms, (1, 21))) == ["veryhigh ACT UNACK", "high ACT UNACK DSUPR"]
    assert alarms.counts() == (1, 1)
    assert told(take(alarms, (2, 1))) == ["veryhigh CLR RTNUN", "high UNSUPPRESS UNACK", "high CLR RTNUN"]
    assert told(act(alarms, "ack", 3, "tank.veryhigh")) == ["veryhigh ACK NORM", "high ACK NORM"]


def test_a_parent_hides_its_children() -> None:
    trip = rule(id="tank.trip", point="tank.flow", kind="lo", limit=1.0)
    alarms = engine(rule(parent="tank.trip"), trip)
    take(alarms, (1, 11))
    act(alarms, "ack", 2)
    assert told(take(alarms, (3, 0), point=1)) == ["trip ACT UNACK", "high SUPPRESS ACKED DSUPR"]
    (hidden,) = [view for view in alarms.views(at(4)) if view.rule == "tank.high"]
    assert hidden.hidden_by == ("tank.trip",)
    assert told(take(alarms, (5, 2), point=1)) == ["trip CLR RTNUN", "high UNSUPPRESS UNACK"]


def test_what_comes_while_the_parent_is_active_is_hidden_from_the_start() -> None:
    trip = rule(id="tank.trip", point="tank.flow", kind="lo", limit=1.0)
    alarms = engine(rule(parent="tank.trip"), trip)
    take(alarms, (1, 0), point=1)
    assert told(take(alarms, (2, 11), (3, 1))) == ["high ACT UNACK DSUPR", "high CLR RTNUN DSUPR"]
    assert told(take(alarms, (4, 2), point=1)) == ["trip CLR RTNUN", "high UNSUPPRESS NORM"]


def test_one_alarm_for_a_device_that_is_silent() -> None:
    bad = int(Quality.BAD_TIMEOUT)
    online = rule(id="tank.communication", point="tank.command", kind="off_normal", limit=1.0)
    silent = rule(id="tank.silent", kind="no_data", limit=30.0, parent="tank.communication")
    broken = rule(id="tank.bad", point="tank.flow", kind="bad_quality", parent="tank.communication")
    alarms = engine(online, silent, broken)
    assert told(take(alarms, (1, 0), point=2)) == ["communication ACT UNACK"]
    assert told(take(alarms, (2, float("nan"), bad), point=1)) == ["bad ACT UNACK DSUPR"]
    assert told(alarms.tick(at(31))) == ["silent ACT UNACK DSUPR"]
    assert alarms.counts() == (1, 1)


def test_suppressed_by_an_expression() -> None:
    alarms = engine(rule(suppress_when="tank.command == 0"))
    take(alarms, (0, 1), point=2)
    take(alarms, (1, 11))
    assert told(take(alarms, (2, 0), point=2)) == ["high SUPPRESS UNACK DSUPR"]
    assert told(take(alarms, (3, float("nan"), int(Quality.BAD)), point=2)) == [], "unknown holds"
    assert told(take(alarms, (4, 1), point=2)) == ["high UNSUPPRESS UNACK"]


def test_a_suppression_whose_reason_the_configuration_no_longer_has() -> None:
    trip = rule(id="tank.trip", point="tank.flow", kind="lo", limit=1.0)
    alarms = engine(rule(parent="tank.trip", suppress_when="tank.command == 0"), trip)
    take(alarms, (1, 11))
    take(alarms, (2, 0), point=1)
    take(alarms, (2, 0), point=2)
    alone = engine(rule(), restored=alarms.state())
    assert told(alone.tick(at(3))) == ["trip CLR RTNUN", "high UNSUPPRESS UNACK"]


def test_a_parent_that_the_configuration_gives_hides_what_stands() -> None:
    trip = rule(id="tank.trip", point="tank.flow", kind="lo", limit=1.0)
    alarms = engine(rule(), trip)
    take(alarms, (1, 11))
    take(alarms, (2, 0), point=1)
    again = engine(rule(parent="tank.trip"), trip, restored=alarms.state())
    assert told(again.tick(at(3))) == ["high SUPPRESS UNACK DSUPR"]


def test_a_rule_that_is_gone_takes_its_overlay_along() -> None:
    alarms = engine()
    take(alarms, (1, 11))
    act(alarms, "shelve", 2, until_us=at(500))
    again = engine(rule(id="tank.other"), restored=alarms.state())
    assert told(again.tick(at(3))) == ["high UNSHELVE UNACK", "high CLR RTNUN"]


def test_what_another_version_kept_is_left_alone() -> None:
    alarms = engine(restored=b"\x91\x81\xa4rule\xa1x")
    assert alarms.standings() == []
    assert feed(alarms, (1, 11)) == ["ACT@1"]


# ---- first-out ----


def group() -> tuple[Rule, ...]:
    return (
        rule(group="trip"),
        rule(id="tank.low", kind="lo", limit=1.0, group="trip"),
        rule(id="tank.noflow", point="tank.flow", kind="lo", limit=1.0, group="trip"),
    )


def test_the_first_of_a_group_is_marked_until_all_is_over() -> None:
    alarms = engine(*group())
    (first,) = take(alarms, (1, 0), point=1)
    (second,) = take(alarms, (2, 11))
    assert (first.first_out, second.first_out, first.group) == (True, False, "trip")
    take(alarms, (3, 5), point=1)
    (low,) = [step for step in take(alarms, (4, 0.5)) if step.event == "ACT"]
    assert not low.first_out, "the first one waits for its acknowledgement"
    for name in ("tank.noflow", "tank.high", "tank.low"):
        act(alarms, "ack", 5, name)
    take(alarms, (6, 5))
    (anew,) = take(alarms, (7, 11))
    assert anew.first_out, "the group is armed again"


def test_the_earlier_sample_of_one_batch_is_the_first() -> None:
    alarms = engine(*group())
    take(alarms, (0, 5), point=1)
    both = Readings.concat([columns([(3, 11)]), columns([(2, 0)], point=1)])
    assert [(step.rule, step.first_out) for step in alarms.evaluate(both, at(3))] == [
        ("tank.noflow", True),
        ("tank.high", False),
    ]


def test_a_shelved_member_is_never_the_first() -> None:
    alarms = engine(*group())
    act(alarms, "shelve", 0, until_us=at(1000))
    (hidden,) = take(alarms, (1, 11))
    (seen,) = take(alarms, (2, 0), point=1)
    assert (hidden.first_out, seen.first_out) == (False, True)


def test_the_view_says_what_the_page_shows() -> None:
    alarms = engine(rule(group="trip", response_zh="看", response_en="Look", category="water"))
    take(alarms, (1, 11))
    (view,) = alarms.views(at(2))
    assert (view.rule, view.device, view.point) == ("tank.high", "tank", "tank.level")
    assert (view.name, view.response, view.category) == (("高", "High"), ("看", "Look"), "water")
    assert (view.active, view.acked, view.raised_us, view.value) == (True, False, at(1), 11)
    assert (view.limit, view.first_out, view.chattering) == (10.0, True, False)
    assert view.state is AlarmState.UNACK


def test_a_late_acknowledgement_does_not_move_source_times() -> None:
    alarms = engine()
    slow = alarms.evaluate(columns([(-3600, 11)]), at(0))
    act(alarms, "ack", 5)
    cleared = alarms.evaluate(columns([(-3590, 1)]), at(10))
    assert shown([*slow, *cleared]) == ["ACT@-3600", "CLR@-3590"]
