"""Whose topic it is, and how much is kept of devices that nobody has declared."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.field.base import Watch
from protocols.field.mqtt.routes import covers
from protocols.field.mqtt.strangers import MOST_HELD, MOST_HELD_BYTES, Strangers, pattern_of
from tests.protocols.field.devices import profile

PROFILE = profile("mqtt", [{"key": "x", "mqtt": {"topic": "p/{device}/x"}}])
WORDS = st.sampled_from(["a", "b", "air-1", "", "äö", "a.b"])


def watch(topic: str) -> Watch:
    return Watch("rule", topic, PROFILE)


@pytest.mark.parametrize(
    ("topic", "said", "name"),
    [
        ("p/{device}/status", "p/air-1/status", "air-1"),
        ("p/{device}/status", "p/air-1/status/x", None),
        ("p/{device}/status", "p//status", None),
        ("tele_{device}_s/+/v", "tele_A:1_s/x/v", "A:1"),
        ("p/{device}/#", "p/air-1", "air-1"),
        ("p/{device}/#", "p/air-1/a/b", "air-1"),
        ("{device}", "air-1", "air-1"),
        ("a.c/{device}", "abc/air-1", None),
    ],
)
def test_the_name_is_taken_out_of_the_topic(topic: str, said: str, name: str | None) -> None:
    found = pattern_of(watch(topic)).name.fullmatch(said)
    assert (found and found["device"]) == name


@given(
    st.lists(WORDS, min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b", "+"]), max_size=2),
    st.booleans(),
)
def test_a_name_is_found_in_just_what_is_subscribed_to(said: list[str], rest: list[str], deep: bool) -> None:
    pattern = pattern_of(watch("/".join(["{device}", *rest, *(["#"] if deep else [])])))
    topic = "/".join(said)
    assert (pattern.name.fullmatch(topic) is not None) == (covers(pattern.filter, topic) and said[0] != "")


def test_what_is_kept_is_bounded_and_comes_in_order() -> None:
    made = Strangers([watch("p/{device}/#")], ["known"], lambda _rule, name, _retained: name != "denied")
    for number in range(3):
        for name in ("one", "known", "denied"):
            made.hear(f"p/{name}/v", str(number).encode(), False, partial(int, number))
    made.hear("p/one/v", b"", True, lambda: 9)
    assert [(said.payload, said.came_us) for said in made.joined("one")] == [(b"0", 0), (b"1", 1), (b"2", 2)]
    assert made.joined("known") == made.joined("denied") == made.joined("one") == []
    for _ in range(MOST_HELD + 5):
        made.hear("p/two/v", b"x", True, lambda: 0)
    assert len(made.joined("two")) == MOST_HELD
    made.hear("p/three/v", b"x" * MOST_HELD_BYTES, False, lambda: 0)
    made.hear("p/three/v", b"x", False, lambda: 0)
    assert len(made.joined("three")) == 1
