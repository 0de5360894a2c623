"""Payloads, paths, times, topics and templates."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from aiomqtt import Topic
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ConfigError
from protocols.field.mqtt.payload import (
    MISSING,
    compile_path,
    fill_template,
    find,
    interpret,
    parse,
    plain,
    source_time,
)
from protocols.field.mqtt.routes import Routes, covers
from protocols.field.mqtt.scan import Heard, describe
from protocols.model.address.mqtt import MqttAddress
from protocols.model.clock import from_datetime
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.protocols.field.devices import bind, profile, rows

NOON = from_datetime(datetime(2026, 11, 22, 12, tzinfo=UTC))
KEYS = st.text(st.characters(exclude_characters=".[]", exclude_categories=["Cs"]), min_size=1, max_size=5)


@given(st.lists(KEYS | st.integers(0, 3), min_size=1, max_size=5), st.integers())
def test_a_path_finds_what_was_put_there(steps: list[str | int], value: int) -> None:
    document: Any = value
    for step in reversed(steps):
        document = {step: document} if isinstance(step, str) else [None] * step + [document]
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
    assert compile_path(text) == tuple(steps)
    assert find(document, compile_path(text)) == value
    assert find(parse(json.dumps(document).encode()), compile_path(text)) == value


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)
    )
)
def test_looking_anywhere_never_fails(document: Any) -> None:
    for path in ("a", "a.b", "[0]", "a[1].b"):
        find(document, compile_path(path))


@pytest.mark.parametrize("path", [".a", "a..b", "a[", "a[x]", "a]"])
def test_wrong_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="dotted path"):
        compile_path(path)


@pytest.mark.parametrize(
    ("payload", "kind", "value", "quality"),
    [
        (b"21.5", "f64", 21.5, Quality.GOOD), (b" -3 ", "i16", -3.0, Quality.GOOD),
        (b"ON", "bool", 1.0, Quality.GOOD), (b"false", "bool", 0.0, Quality.GOOD),
        (b"nan", "f64", math.nan, Quality.BAD_SENSOR_FAILURE),
        (b"", "f64", math.nan, Quality.BAD_DECODING_ERROR),
        (b"warm", "f64", math.nan, Quality.BAD_DECODING_ERROR),
        (b"\xff", "f64", math.nan, Quality.BAD_DECODING_ERROR),
    ],
)  # fmt: skip
def test_plain_payloads(payload: bytes, kind: Any, value: float, quality: int) -> None:
    got = plain(payload, kind)
    assert got.value == pytest.approx(value, nan_ok=True)
    assert got.quality == quality


@pytest.mark.parametrize(
    ("found", "kind", "expected"),
    [
        (None, "f64", (math.nan, Quality.BAD_SENSOR_FAILURE, None)),
        (True, "bool", (1.0, Quality.GOOD, None)),
        ("21.5", "f64", (21.5, Quality.GOOD, None)),
        ([1], "f64", (math.nan, Quality.BAD_TYPE_MISMATCH, None)),
        ("路", "text", (math.nan, Quality.GOOD, "路")),
        (5, "text", (math.nan, Quality.BAD_TYPE_MISMATCH, None)),
        (10**400, "f64", (math.nan, Quality.BAD_OUT_OF_RANGE, None)),
    ],
)  # fmt: skip
def test_json_values(found: Any, kind: Any, expected: tuple[float, int, str | None]) -> None:
    got = interpret(found, kind)
    assert got.value == pytest.approx(expected[0], nan_ok=True)
    assert (got.quality, got.text) == expected[1:]


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-22T12:00:00Z", "2026-11-22T20:00:00+08:00", "2026-11-22T12:00:00", "20261122T120000Z",
        NOON // 1_000_000, NOON // 1_000, NOON, NOON / 1e6,
    ],
)  # fmt: skip
def test_times_as_devices_write_them(written: Any) -> None:
    assert source_time(written) == NOON


@given(
    st.datetimes(datetime.fromisoformat("2001-01-01"), datetime.fromisoformat("2090-01-01")),
    st.integers(-14, 14),
)
def test_iso_times_are_exact(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert source_time(aware.isoformat()) == from_datetime(aware)


@pytest.mark.parametrize(
    "written", [None, "", "noon", True, -5, 0, [], {}, 1e300, math.nan, math.inf, MISSING]
)
def test_times_that_are_none(written: Any) -> None:
    assert source_time(written) is None


@pytest.mark.parametrize(
    ("template", "value", "kind", "payload"),
    [
        ('{"on": {value}}', 1, "bool", '{"on": true}'), ('{"on": {value}}', 1.0, "u16", '{"on": 1}'),
        ('{"sp": {value}}', 2.5, "f64", '{"sp": 2.5}'),
        ('{"t": {value}}', '慢"行', "text", '{"t": "慢\\"行"}'),
        ("", 7.0, "f64", "7"), ("", "open", "text", "open"), ("SET {value}", 0, "bool", "SET false"),
    ],
)  # fmt: skip
def test_command_payloads(template: str, value: Any, kind: Any, payload: str) -> None:
    assert fill_template(template, value, kind) == payload


LEVELS = st.lists(st.sampled_from(["a", "b", "$s", ""]), min_size=1, max_size=4)
FILTERS = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=4).flatmap(
    lambda levels: st.sampled_from([levels, [*levels, "#"]])
)


@given(FILTERS, LEVELS)
def test_filters_match_as_aiomqtt_has_it(wide: list[str], topic: list[str]) -> None:
    name = "/".join(topic)
    if not name:
        return
    expected = Topic(name).matches("/".join(wide))
    if name.startswith("$"):
        expected = False
    assert covers("/".join(wide), name) == expected


@given(FILTERS, FILTERS, LEVELS)
def test_covering_is_matching_everything(wide: list[str], narrow: list[str], topic: list[str]) -> None:
    one, other, name = "/".join(wide), "/".join(narrow), "/".join(topic)
    if name and covers(one, other) and covers(other, name):
        assert covers(one, name)


def routes(*points: dict[str, Any]) -> Routes:
    made = Routes()
    for point in bind(profile("mqtt", list(points)), {}).points:
        address = MqttAddress.of(point.profile)
        made.add(point, address.topic, address)
    return made


def say(made: Routes, topic: str, payload: bytes, *, retained: bool = False) -> Readings:
    return Readings.of(made.rows(topic, payload, retained, 99))


def test_subscriptions_are_as_few_as_can_be() -> None:
    made = routes(
        {"key": "a", "mqtt": {"topic": "x/1/state", "json_path": "a"}},
        {"key": "b", "mqtt": {"topic": "x/1/state", "json_path": "b"}},
        {"key": "c", "mqtt": {"topic": "x/+/state", "json_path": "c"}},
        {"key": "d", "mqtt": {"topic": "y/1"}},
    )
    assert made.filters() == {"x/+/state": False, "y/1": False}
    assert set(rows(say(made, "x/1/state", b'{"a": 1, "b": 2, "c": 3}'))) == {0, 1, 2}
    assert set(rows(say(made, "x/2/state", b'{"a": 1, "b": 2, "c": 3}'))) == {2}


def test_a_part_that_is_not_there_is_left_out_but_not_everything() -> None:
    made = routes(
        {"key": "a", "mqtt": {"topic": "t", "json_path": "a"}},
        {"key": "b", "mqtt": {"topic": "t", "json_path": "b"}},
    )
    assert rows(say(made, "t", b'{"a": 1}')) == {0: (1.0, Quality.GOOD)}
    for payload in (b"{}", b"[]", b"{{", b"", b"\xff\xfe"):
        assert {code for _, code in rows(say(made, "t", payload)).values()} == {Quality.BAD_DECODING_ERROR}


def test_a_retained_value_keeps_its_own_time_or_is_uncertain() -> None:
    made = routes(
        {"key": "a", "mqtt": {"topic": "t", "json_path": "a", "time_path": "ts"}},
        {"key": "b", "mqtt": {"topic": "u", "json_path": "a"}},
    )
    timed = say(made, "t", b'{"a": 1, "ts": "2026-11-22T12:00:00Z"}', retained=True)
    assert (timed.time_us.tolist(), timed.quality.tolist()) == ([NOON], [Quality.GOOD])
    untimed = say(made, "u", b'{"a": 1}', retained=True)
    assert (untimed.time_us.tolist(), untimed.quality.tolist()) == (
        [99],
        [Quality.UNCERTAIN_LAST_USABLE_VALUE],
    )
    broken = say(made, "t", b'{"a": 1, "ts": "noon"}')
    assert (broken.time_us.tolist(), broken.quality.tolist()) == ([99], [Quality.UNCERTAIN])


@pytest.mark.parametrize("mqtt", [{"topic": "a/#/b"}, {"topic": "a+"}, {"topic": "t", "json_path": "a..b"}])
def test_addresses_that_cannot_match_are_mistakes(mqtt: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="device1"):
        routes({"key": "a", "mqtt": mqtt})


@pytest.mark.parametrize("levels", [900, 3_000, 100_000])
def test_a_payload_nested_without_an_end_harms_nobody(levels: int) -> None:
    made = routes({"key": "value", "mqtt": {"topic": "t", "json_path": "a.b"}})
    for payload in (b"[" * levels + b"]" * levels, b'{"a":' * levels + b"1" + b"}" * levels):
        ((_, quality),) = rows(say(made, "t", payload)).values()
        assert quality != Quality.GOOD
        assert describe("t", Heard(1, False, payload)).detail["bytes"] == len(payload)
