"""CSV, bytes, zones, message ids and device states, as columns."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocols.field.mqtt.broker import MOST_BYTES
from protocols.field.mqtt.commands import Asked, command_of
from protocols.field.mqtt.formats import big_endian, row, unpack
from protocols.field.mqtt.payload import MISSING, source_time
from protocols.field.mqtt.routes import MOST_IDS, Routes
from protocols.model.address.mqtt import MqttAddress, MqttBytes, MqttState
from protocols.model.datatypes import WordOrder
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.protocols.field.devices import bind, profile, rows

ORDERS: tuple[WordOrder, ...] = ("ABCD", "CDAB", "BADC", "DCBA")


def routes(**points: dict[str, Any]) -> Routes:
    """Return the routes of points by key; `type` is taken out of each address."""
    made = Routes()
    specs = [{"key": key, "type": spec.pop("type", "f64"), "mqtt": spec} for key, spec in points.items()]
    for point in bind(profile("mqtt", specs), {}).points:
        address = MqttAddress.of(point.profile)
        made.add(point, address.topic, address)
    return made


def say(made: Routes, topic: str, payload: bytes, retained: bool, now_us: int) -> Readings:
    return Readings.of(made.rows(topic, payload, retained, now_us))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"1,2.5,on", ["1", "2.5", "on"]), (b"a,b\r\n1, 2 \r\n\r\n", ["1", "2"]),
        (b'"a,b",2', ["a,b", "2"]), (b"\xef\xbb\xbf7", ["7"]), (b"", MISSING), (b"\n \n", MISSING),
        (b"\xff", MISSING), (b'"open', MISSING),
    ],
)  # fmt: skip
def test_rows_of_csv(payload: bytes, expected: Any) -> None:
    assert row(payload, ",") == expected


def test_csv_by_column_with_its_time_and_zone() -> None:
    made = routes(
        flow={"topic": "t", "format": "csv", "separator": ";", "json_path": "[2]", "time_path": "[0]",
              "time_zone": "Asia/Shanghai"},
        state={"topic": "t", "format": "csv", "separator": ";", "json_path": "[3]", "type": "bool"},
    )  # fmt: skip
    said = say(made, "t", b"2026-11-22 20:00:00;x;3.5;ON", False, 99)
    assert rows(said) == {0: (3.5, Quality.GOOD), 1: (1.0, Quality.GOOD)}
    assert said.time_us.tolist() == [source_time("2026-11-22T12:00:00Z"), 99]
    assert rows(say(made, "t", b"1700000000;x;4", False, 99)) == {0: (4.0, Quality.GOOD)}
    assert say(made, "t", b"1700000000;x;4", False, 99).time_us.tolist() == [1_700_000_000_000_000]
    assert {code for _, code in rows(say(made, "t", b"\xff", False, 99)).values()} == {
        Quality.BAD_DECODING_ERROR
    }


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 7), st.sampled_from(ORDERS))
def test_binary_integers_are_found_in_any_order(value: int, offset: int, order: WordOrder) -> None:
    payload = b"\xaa" * offset + big_endian(struct.pack(">i", value), order) + b"\xaa"
    assert unpack(payload, "i32", MqttBytes(offset=offset, order=order)).value == value


@pytest.mark.parametrize(
    ("raw", "kind", "place", "value"),
    [
        ("43663333", "f32", {"offset": 0}, 230.2), ("ff33", "i16", {"offset": 0}, -205.0),
        ("7f", "u16", {"offset": 0, "length": 1}, 127.0), ("ff", "i16", {"offset": 0, "length": 1}, -1.0),
        ("0004", "bool", {"offset": 0, "length": 2, "bit": 2}, 1.0), ("1234", "bcd16", {"offset": 0}, 1234.0),
        ("f8ffff", "i32", {"offset": 0, "length": 3, "order": "DCBA"}, -8.0),
        ("12fa", "bcd16", {"offset": 0}, None), ("43", "f32", {"offset": 0}, None),
        ("43", "u16", {"offset": 9}, None),
        ("7fc00000", "f32", {"offset": 0}, None), ("01", "bool", {"offset": 0, "bit": 9}, None),
    ],
)  # fmt: skip
def test_binary_values(raw: str, kind: Any, place: dict[str, Any], value: float | None) -> None:
    got = unpack(bytes.fromhex(raw), kind, MqttBytes.model_validate(place))
    if value is None:
        assert math.isnan(got.value)
        assert got.quality >= Quality.BAD
    else:
        assert got.value == pytest.approx(value, rel=1e-6)
        assert got.quality == Quality.GOOD


@given(st.binary(max_size=40), st.sampled_from(["json", "csv", "bytes"]), st.booleans())
def test_no_payload_harms_and_none_is_a_wrong_number(payload: bytes, form: str, retained: bool) -> None:
    place: dict[str, Any] = {"bytes": {"offset": 3}} if form == "bytes" else {"json_path": "[1]"}
    made = routes(
        x={"topic": "t", "format": form, **place},
        y={"topic": "t", "format": form, "type": "i16", **place},
        z={"topic": "t", "type": "bool"},
    )
    said = say(made, "t", payload, retained, 99)
    good = said.quality < Quality.UNCERTAIN
    assert all(math.isfinite(value) for value in said.value[good].tolist())
    assert not (retained and good.any())


def test_a_message_as_large_as_no_device_sends_is_not_looked_into() -> None:
    made = routes(x={"topic": "t", "json_path": "v"}, y={"topic": "t", "type": "text"})
    huge = b'{"v": 1, "junk": "' + b"x" * MOST_BYTES + b'"}'
    said = say(made, "t", huge, False, 99)
    assert [code for _, code in rows(said).values()] == [Quality.BAD_DECODING_ERROR] * 2


def test_a_message_that_came_already_is_ignored() -> None:
    made = routes(x={"topic": "t", "json_path": "v", "id_path": "id"}, y={"topic": "t", "json_path": "v"})
    assert len(say(made, "t", b'{"v": 1, "id": 7}', False, 1)) == 2
    assert len(say(made, "t", b'{"v": 1, "id": 7}', False, 2)) == 0
    assert made.repeats == 1
    assert len(say(made, "t", b'{"v": 2}', False, 3)) == 2
    for number in range(MOST_IDS):
        say(made, "t", b'{"v": 1, "id": "n%d"}' % number, False, 4)
    assert len(say(made, "t", b'{"v": 1, "id": 7}', False, 5)) == 2, "only so many are remembered"


@pytest.mark.parametrize(
    ("state", "payload", "there"),
    [
        ({}, b"online", True), ({}, b"Offline", False), ({}, b"1", True), ({}, b"false", False),
        ({}, b"", False),
        ({"json_path": "up"}, b'{"up": true}', True), ({"json_path": "up"}, b'{"up": "no"}', False),
        ({"online": "alive"}, b"ALIVE", True), ({"online": "alive"}, b"online", False),
    ],
)  # fmt: skip
def test_birth_and_will(state: dict[str, str], payload: bytes, there: bool) -> None:
    made = Routes()
    made.add_state("d", "d/lwt", MqttState(topic="d/lwt", **state))
    assert made.states("d/lwt", payload) == [("d", there)]
    assert made.filters() == {"d/lwt": True}


def test_a_state_that_is_not_in_the_message_says_nothing() -> None:
    made = Routes()
    made.add_state("d", "d/lwt", MqttState(topic="d/lwt", json_path="up"))
    assert made.states("d/lwt", b'{"down": 1}') == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({"format": "bytes"}, "needs its place"), ({"bytes": {"offset": 0}}, "needs its place"),
        ({"format": "csv"}, "needs its column"), ({"time_zone": "Mars/Olympus"}, "is no time zone"),
        ({"separator": '"'}, "cannot be a quote"), ({"response_topic": "x"}, "nobody answers"),
        ({"command_topic": "x", "response_topic": "y", "response_id_path": "id"}, "an id to repeat"),
        ({"format": "bytes", "bytes": {"offset": 0}, "time_path": "ts"}, "has no paths"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_work_say_how_to_repair_them(address: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MqttAddress.model_validate({"topic": "t", **address})


async def test_an_answer_without_correlation_is_known_by_its_topic() -> None:
    address = MqttAddress(topic="t", command_topic="c", response_topic="r", response_ok="DONE")
    point = bind(profile("mqtt", [{"key": "x", "mqtt": {"topic": "t"}}]), {}).points[0]
    asked = Asked(command_of(point, address, ""))
    assert not asked.hear("other", b"DONE", None)
    assert not asked.hear("r", b"DONE", b"somebody else's")
    assert asked.hear("r", b"done", None)
    assert asked.answer.result() == ""
