"""An edge node's life, message by message: what its values are worth at every moment."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.field.sparkplug.node import CONFIRM_S
from protocols.model.quality import Quality
from protocols.model.sparkplug import DataType
from protocols.model.sparkplug.payload_pb2 import Payload
from tests.protocols.field.sparkplug.payloads import T0_MS, T0_US, Desk, bd_seq, metric, payload

POINTS: dict[str, tuple[str, ...]] = {
    "power": ("", "Power", "f64"),
    "level": ("tank", "Level", "f64"),
    "count": ("tank", "Count", "i16"),
    "ghost": ("tank", "Ghost", "f64"),
}
LOST = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE


def node_birth(number: int = 0, seq: int = 0, power: float = 1.0) -> Payload:
    power_ = metric("Power", power, alias=1, datatype=DataType.DOUBLE)
    return payload([bd_seq(number), power_], seq)


def device_birth(seq: int = 1, level: float = 2.5) -> Payload:
    level_ = metric("Level", level, alias=2, datatype=DataType.DOUBLE)
    return payload([level_, metric("Count", 0xFF33, alias=3, datatype=DataType.INT16)], seq)


def level(value: Any, seq: int, **fields: Any) -> Payload:
    return payload([metric("", value, alias=2, **fields)], seq)


@pytest.fixture
def desk() -> Desk:
    """A node that has been born, with its device."""
    desk = Desk(POINTS)
    desk.take("NBIRTH", node_birth())
    desk.take("DBIRTH", device_birth(), "tank")
    return desk


def test_births_bring_values_and_what_they_do_not_name_is_bad(desk: Desk) -> None:
    told = desk.last()
    assert told["power"] == (1.0, Quality.GOOD)
    assert told["level"] == (2.5, Quality.GOOD)
    assert told["count"] == (-205.0, Quality.GOOD)
    assert told["ghost"][1] == Quality.BAD_NODE_ID_UNKNOWN
    assert desk.node.ask == ""


def test_data_comes_by_alias_at_the_time_of_the_metric(desk: Desk) -> None:
    desk.drawn()
    desk.take("DDATA", level(3.5, 2, timestamp=T0_MS - 7_000), "tank")
    assert desk.drawn() == [("level", T0_US - 7_000_000, 3.5, Quality.GOOD)]
    desk.take("DDATA", payload([metric("Count", 5)], 3, T0_MS + 1), "tank")
    assert desk.drawn() == [("count", T0_US + 1_000, 5.0, Quality.GOOD)]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (metric(alias=2), (math.nan, Quality.BAD_SENSOR_FAILURE)),
        (metric("", "high", alias=2), (math.nan, Quality.BAD_DECODING_ERROR)),
        (metric("", math.inf, alias=2), (math.nan, Quality.BAD_SENSOR_FAILURE)),
    ],
)  # fmt: skip
def test_what_is_no_value_is_none(desk: Desk, made: Payload.Metric, expected: tuple[float, int]) -> None:
    desk.take("DDATA", payload([made], 2), "tank")
    value, quality = desk.last()["level"]
    assert value == pytest.approx(expected[0], nan_ok=True)
    assert quality == expected[1]


def test_the_quality_property_goes_with_the_value(desk: Desk) -> None:
    stale = metric("", 9.0, alias=2)
    stale.properties.keys.append("Quality")
    stale.properties.values.add(type=3, int_value=500)
    desk.take("DDATA", payload([stale], 2), "tank")
    assert desk.last()["level"] == (9.0, LOST)


def test_a_dead_device_keeps_its_last_value_as_uncertain_from_its_own_time(desk: Desk) -> None:
    desk.drawn()
    desk.later(10)
    desk.take("DDEATH", payload((), 2, T0_MS + 4_000), "tank")
    told = desk.drawn()
    assert ("level", T0_US + 4_000_000, 2.5, LOST) in told
    assert {key for key, *_ in told} == {"level", "count", "ghost"}
    desk.later(3600)
    assert desk.drawn() == []
    desk.latest.repeat(desk.now, desk.now_us)
    desk.latest.repeat(desk.now + 1e4, desk.now_us)
    assert {key for key, *_ in desk.drawn()} == {"power"}, "only living devices are vouched for"


def test_a_dead_node_takes_its_devices_along_at_the_hosts_time(desk: Desk) -> None:
    desk.drawn()
    desk.later(20)
    desk.take("NDEATH", payload([bd_seq(0)], at_ms=T0_MS - 99_000))
    assert ("power", desk.now_us, 1.0, LOST) in (told := desk.drawn())
    assert ("level", desk.now_us, 2.5, LOST) in told
    assert not desk.node.online


def test_the_late_will_of_an_earlier_session_kills_nobody(desk: Desk) -> None:
    desk.take("NBIRTH", node_birth(1))
    desk.take("DBIRTH", device_birth(), "tank")
    desk.drawn()
    desk.take("NDEATH", payload([bd_seq(0)]))
    assert desk.drawn() == []
    assert desk.node.online
    desk.take("NDEATH", payload([bd_seq(1)]))
    assert not desk.node.online


def test_after_a_gap_nothing_is_good_until_the_rebirth(desk: Desk) -> None:
    desk.drawn()
    desk.take("DDATA", level(4.0, 3), "tank")
    assert desk.drawn() == [], "the missing message may still come"
    desk.later(2.0)
    told = desk.last()
    assert told["level"] == (4.0, Quality.GOOD), "what came is true"
    assert told["power"] == (1.0, Quality.UNCERTAIN_LAST_USABLE_VALUE)
    assert told["count"] == (-205.0, Quality.UNCERTAIN_LAST_USABLE_VALUE)
    assert "lost" in desk.node.ask
    desk.take("NBIRTH", node_birth(0, power=7.0))
    desk.take("DBIRTH", device_birth(), "tank")
    assert desk.node.ask == ""
    told = desk.last()
    assert told["power"] == (7.0, Quality.GOOD)
    assert told["count"] == (-205.0, Quality.GOOD)


def test_a_missing_message_that_comes_in_time_is_no_gap(desk: Desk) -> None:
    desk.drawn()
    desk.take("DDATA", level(5.0, 3), "tank")
    desk.take("DDATA", level(4.0, 2), "tank")
    assert [value for _, _, value, _ in desk.drawn()] == [4.0, 5.0]
    desk.later(60)
    assert desk.node.ask == ""


def test_a_message_delivered_twice_counts_once(desk: Desk) -> None:
    desk.drawn()
    for _ in range(2):
        desk.take("DDATA", level(4.0, 2), "tank")
    desk.later(60)
    assert [value for _, _, value, _ in desk.drawn()] == [4.0]
    assert desk.node.ask == ""


@pytest.mark.parametrize("verb", ["NDATA", "DDATA", "DBIRTH", "DDEATH"])
def test_a_stranger_is_asked_for_its_birth(verb: str) -> None:
    desk = Desk(POINTS)
    desk.node.ask = ""
    desk.take(verb, level(1.0, 9), "tank" if verb[0] == "D" else "")
    assert verb in desk.node.ask
    assert desk.drawn() == []


def test_an_alias_that_no_birth_named_asks_for_one_and_harms_no_other(desk: Desk) -> None:
    desk.drawn()
    made = payload([metric("", 1.0, alias=77), metric("", 6.0, alias=2)], 2)
    desk.take("DDATA", made, "tank")
    assert [value for _, _, value, _ in desk.drawn()] == [6.0]
    assert "77" in desk.node.ask


def test_an_alias_of_one_device_is_not_taken_for_anothers(desk: Desk) -> None:
    desk.drawn()
    desk.take("NDATA", payload([metric("", 6.0, alias=2)], 2))
    assert desk.drawn() == []
    assert desk.node.ask


def test_a_rebirth_leaves_devices_alive_but_only_for_a_while(desk: Desk) -> None:
    desk.drawn()
    desk.take("NBIRTH", node_birth(0))
    assert {key for key, *_ in desk.drawn()} == {"power"}
    desk.later(CONFIRM_S)
    assert desk.last()["level"] == (2.5, LOST)


def test_a_new_session_makes_devices_stale_until_they_are_born(desk: Desk) -> None:
    desk.drawn()
    desk.take("NBIRTH", node_birth(1))
    assert desk.last()["level"] == (2.5, LOST)
    desk.take("DBIRTH", device_birth(level=8.0), "tank")
    assert desk.last()["level"] == (8.0, Quality.GOOD)


def test_what_was_kept_during_an_outage_goes_before_the_present(desk: Desk) -> None:
    desk.drawn()
    old = [metric("", 1.0 + n, alias=2, is_historical=True, timestamp=T0_MS - 60_000 + n) for n in range(2)]
    desk.take("DDATA", payload(old, 2), "tank")
    told = desk.drawn()
    assert [value for _, _, value, _ in told] == [1.0, 2.5, 2.0, 2.5]
    assert told[0][1] == T0_US - 60_000_000
    assert told[-1] == ("level", T0_US, 2.5, Quality.GOOD)
    assert desk.latest.present(1) == 2.5


def test_a_clock_that_is_set_back_silences_nobody(desk: Desk) -> None:
    desk.drawn()
    desk.latest.repeat(desk.now, desk.now_us)
    hour_ago = desk.now_us - 3_600_000_000
    desk.latest.repeat(desk.now + 10.0, hour_ago)
    assert ("level", hour_ago, 2.5, Quality.GOOD) in desk.drawn()
    desk.latest.repeat(desk.now + 10.5, hour_ago)
    assert desk.drawn() == [], "what was just told again is not told twice"


def test_parts_of_composite_metrics() -> None:
    points = {
        "second": ("", "Array", "f64", "1"),
        "far": ("", "Array", "f64", "9"),
        "all": ("", "Raw", "text"),
    }
    desk = Desk(points)
    array = metric("Array", b"\x05\xfb", datatype=DataType.INT8_ARRAY)
    desk.take("NBIRTH", payload([array, metric("Raw", b"\x01\xff", datatype=DataType.BYTES)], 0))
    told = desk.last()
    assert told["second"] == (-5.0, Quality.GOOD)
    assert told["far"][1] == Quality.BAD_NODE_ID_UNKNOWN
    assert told["all"] == ("01ff", Quality.GOOD)


class Truth:
    """An edge node as it really is, and the line that loses, doubles and reorders what it says."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.seq = 0
        self.session = 0
        self.values = {"Power": 0.0, "Level": 0.0}
        self.said: set[float] = set()
        self.counter = 0.0

    def numbered(self) -> int:
        seq, self.seq = self.seq, (self.seq + 1) % 256
        return seq

    def changed(self, name: str) -> float:
        self.counter += 1.0
        self.values[name] = self.counter
        return self.counter

    def births(self) -> list[tuple[str, str, Payload]]:
        self.seq = 0
        born = payload([bd_seq(self.session), self.metric("Power", 1)], self.numbered())
        return [("NBIRTH", "", born), ("DBIRTH", "tank", payload([self.metric("Level", 2)], self.numbered()))]

    def metric(self, name: str, alias: int) -> Payload.Metric:
        return metric(name, self.values[name], alias=alias, datatype=DataType.DOUBLE)

    def data(self) -> tuple[str, str, Payload]:
        device, name, alias = self.rng.choice([("", "Power", 1), ("tank", "Level", 2)])
        made = payload([metric("", self.changed(name), alias=alias)], self.numbered())
        return ("DDATA" if device else "NDATA", device, made)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 120))
def test_no_wrong_value_is_ever_good_and_all_is_right_in_the_end(seed: int, n: int) -> None:
    """The line loses, doubles and delays at random; the host asks for rebirths as the driver does."""
    rng = random.Random(seed)  # noqa: S311
    truth = Truth(rng)
    desk = Desk({"power": POINTS["power"], "level": POINTS["level"]})
    for message in truth.births():
        desk.take(message[0], message[2], message[1])
    waiting: list[tuple[str, str, Payload]] = []
    for _ in range(n):
        waiting.append(truth.data())
        while waiting and rng.random() < 0.6:
            verb, device, made = waiting.pop(rng.randrange(min(3, len(waiting))))
            if rng.random() < 0.05:
                continue
            for _ in range(2 if rng.random() < 0.1 else 1):
                desk.take(verb, made, device)
        desk.later(rng.choice([0.01, 0.01, 0.5]))
        if desk.node.ask and rng.random() < 0.3:
            waiting = []
            for verb, device, made in truth.births():
                desk.take(verb, made, device)
            assert desk.node.ask == ""
        told = [value for _, _, value, quality in desk.drawn() if quality == Quality.GOOD]
        assert all(isinstance(value, float) and 0.0 <= value <= truth.counter for value in told)
    # The loss of a last message shows by the next one only.
    for verb, device, made in [*waiting, truth.data()]:
        desk.take(verb, made, device)
    desk.later(3.0)
    for verb, device, made in truth.births() if desk.node.ask else []:
        desk.take(verb, made, device)
    # Nothing is asked for any more: then what the host holds for present is what is.
    assert desk.latest.present(0) == truth.values["Power"]
    assert desk.latest.present(1) == truth.values["Level"]


VERBS = st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"])


@settings(max_examples=300)
@given(st.lists(st.tuples(VERBS, st.binary(max_size=60) | st.just(b""), st.integers(0, 400)), max_size=8))
def test_random_and_mutated_bytes_harm_nobody(messages: list[tuple[str, bytes, int]]) -> None:
    desk = Desk(POINTS)
    desk.take("NBIRTH", node_birth())
    desk.take("DBIRTH", device_birth(), "tank")
    desk.drawn()
    seeds = [node_birth().SerializeToString(), device_birth().SerializeToString()]
    for verb, junk, place in messages:
        raw = bytearray(seeds[place % 2])
        at = place % len(raw)
        raw[at : at + len(junk)] = junk
        try:
            made = Payload.FromString(bytes(raw))
        except DecodeError:
            continue
        desk.take(verb, made, "tank" if verb.startswith("D") else "")
        desk.later(1.0)
    for _, time_us, value, quality in desk.drawn():
        assert 0 < time_us < 2**62
        assert quality >= Quality.UNCERTAIN or isinstance(value, str) or math.isfinite(value)
