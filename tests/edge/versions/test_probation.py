"""The probation of a configuration, on a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.versions.probation import STEADY_S, Probation, Seen

DEVICES = ("a", "b", "c")
seconds = st.floats(1.0, 1000.0)
moments = st.lists(
    st.tuples(
        st.floats(0.01, 60.0),
        st.builds(Seen, st.frozensets(st.sampled_from(DEVICES)), st.booleans()),
    ),
    max_size=60,
)
needed = st.frozensets(st.sampled_from(DEVICES))


def is_well(seen: Seen, devices: frozenset[str], uplink: bool) -> bool:
    return devices <= seen.devices and (seen.uplink or not uplink)


@given(seconds, needed, st.booleans(), moments)
def test_it_is_confirmed_only_by_a_steady_stretch_and_fails_only_when_time_is_over(
    length: float, devices: frozenset[str], uplink: bool, seen: list[tuple[float, Seen]]
) -> None:
    probation = Probation(100.0, length, sorted(devices), uplink)
    steady = min(STEADY_S, length / 4)
    now, well_since = 100.0, None
    decided = False
    for step, moment in seen:
        now += step
        before = probation.state
        state = probation.look(now, moment)
        if decided:
            assert state == before, "a decision stands for ever"
            continue
        good = is_well(moment, devices, uplink)
        well_since = (now if well_since is None else well_since) if good else None
        if state == "confirmed":
            assert well_since is not None
            assert now - well_since >= steady
        elif state == "failed":
            assert not good
            assert now - 100.0 >= length - 1e-6
            assert set(probation.missing) == devices - moment.devices
            assert probation.cut_off == (uplink and not moment.uplink)
            assert probation.why()
        else:
            assert well_since is None or now - well_since < steady
            assert good or now - 100.0 < length + 1e-6
        decided = state != "watching"


@given(seconds, needed, st.booleans(), st.floats(0, 2000))
def test_it_always_ends(length: float, devices: frozenset[str], uplink: bool, spent: float) -> None:
    for always in (Seen(frozenset(), uplink=False), Seen(frozenset(DEVICES), uplink=True)):
        probation = Probation(0.0, length, sorted(devices), uplink, spent)
        now = 0.0
        while probation.state == "watching":
            assert now <= length + STEADY_S + 1
            now += 0.5
            probation.look(now, always)
        good = is_well(always, devices, uplink)
        assert probation.state == ("confirmed" if good else "failed")


@given(seconds, st.floats(0, 2000))
def test_what_was_spent_before_a_restart_counts(length: float, spent: float) -> None:
    probation = Probation(50.0, length, ["a"], uplink=False, spent_s=spent)
    left = probation.left_s(50.0)
    assert left == pytest.approx(length - min(spent, length))
    if left > 1e-6:
        assert probation.look(50.0 + left / 2, Seen(frozenset(), uplink=False)) == "watching"
    assert probation.look(50.0 + left + 1e-3, Seen(frozenset(), uplink=False)) == "failed"


def test_a_device_that_comes_back_at_the_end_is_watched_on() -> None:
    probation = Probation(0.0, 40.0, ["a"], uplink=True)
    assert probation.look(39.0, Seen(frozenset(), uplink=True)) == "watching"
    assert probation.look(39.5, Seen(frozenset("a"), uplink=True)) == "watching"
    assert probation.look(45.0, Seen(frozenset("a"), uplink=True)) == "watching"
    assert probation.look(49.5, Seen(frozenset("a"), uplink=True)) == "confirmed"


def test_a_person_ends_it_either_way_once() -> None:
    probation = Probation(0.0, 40.0, ["a"], uplink=True)
    assert probation.confirm() == "confirmed"
    assert probation.give_up("no") == "confirmed"
    other = Probation(0.0, 40.0, ["a"], uplink=True)
    assert other.give_up("somebody said so") == "failed"
    assert other.confirm() == "failed"
    assert other.why() == "somebody said so"


def test_the_reason_names_what_died() -> None:
    probation = Probation(0.0, 40.0, [f"d{i}" for i in range(7)], uplink=True)
    probation.look(40.0, Seen(frozenset(["d0"]), uplink=False))
    assert probation.why() == (
        "the centre has not answered since; 6 devices that were well before did not come back: "
        "d1, d2, d3, d4, d5, …"
    )
