"""What is OPC UA's own: status codes, times, confirmation of unchanged values, text in both directions."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua

from protocols.errors import ConfigError, ConnectionLost, DeviceRefused
from protocols.field.base import BoundPoint
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.values import sample, time_us, variant
from protocols.model.clock import SECOND_US, from_datetime
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, profile, rows
from tests.protocols.field.opcua.harness import OpcUaServer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def point(**given: Any) -> BoundPoint:
    made = profile("opcua", [{"key": "p", "opcua": {"namespace": "urn:x", "node": "s=P"}, **given}])
    return bind(made, {}).points[0]


def data(value: object, kind: ua.VariantType, **rest: Any) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind), **rest)


@pytest.mark.parametrize(
    "code", [0, 0x0096_0000, 0x0000_0480, 0x4094_0000, 0x40A4_0000, 0x808C_0000, 0x8034_0000, 0x800A_0123]
)
def test_status_codes_pass_unchanged(code: int) -> None:
    one = sample(
        data(1.5, ua.VariantType.Double, StatusCode=ua.StatusCode(ua.UInt32(code)), SourceTimestamp=NOON),
        "f64",
        7,
    )
    assert one.quality == code
    assert one.value == 1.5


def test_times_fall_back_from_source_to_server_to_own() -> None:
    later = NOON + timedelta(seconds=1)
    both = data(1.0, ua.VariantType.Double, SourceTimestamp=NOON, ServerTimestamp=later)
    server = data(1.0, ua.VariantType.Double, ServerTimestamp=later)
    assert sample(both, "f64", 7).time_us == from_datetime(NOON)
    assert sample(server, "f64", 7).time_us == from_datetime(later)
    own = sample(data(1.0, ua.VariantType.Double), "f64", 7)
    assert (own.time_us, own.quality) == (7, Quality.UNCERTAIN)
    assert time_us(NOON.replace(tzinfo=None)) == from_datetime(NOON)


@pytest.mark.parametrize(
    ("value", "kind", "type_", "expected"),
    [
        (True, ua.VariantType.Boolean, "bool", (1.0, Quality.GOOD, None)),
        ("x", ua.VariantType.String, "text", (math.nan, Quality.GOOD, "x")),
        (ua.LocalizedText("泵"), ua.VariantType.LocalizedText, "text", (math.nan, Quality.GOOD, "泵")),
        ("x", ua.VariantType.String, "f64", (math.nan, Quality.BAD_TYPE_MISMATCH, None)),
        (1.0, ua.VariantType.Double, "text", (math.nan, Quality.BAD_TYPE_MISMATCH, None)),
        ([1.0, 2.0], ua.VariantType.Double, "f64", (math.nan, Quality.BAD_TYPE_MISMATCH, None)),
        (math.nan, ua.VariantType.Double, "f64", (math.nan, Quality.BAD_SENSOR_FAILURE, None)),
        (None, ua.VariantType.Null, "f64", (math.nan, Quality.BAD_TYPE_MISMATCH, None)),
    ],
)
def test_values(
    value: Any, kind: ua.VariantType, type_: Any, expected: tuple[float, int, str | None]
) -> None:
    one = sample(data(value, kind, SourceTimestamp=NOON), type_, 7)
    assert one.value == pytest.approx(expected[0], nan_ok=True)
    assert (one.quality, one.text) == expected[1:]


@pytest.mark.parametrize(
    ("type_", "server", "value", "sent"),
    [
        ("f64", ua.VariantType.Float, 2, (2.0, ua.VariantType.Float)),
        ("f64", ua.VariantType.Int32, 2.0000001, (2, ua.VariantType.Int32)),
        ("u16", None, 7.0, (7, ua.VariantType.UInt16)),
        ("bool", None, 1, (True, ua.VariantType.Boolean)),
        ("text", None, "路", ("路", ua.VariantType.String)),
    ],
)
def test_writes_take_the_servers_type(
    type_: str, server: Any, value: Any, sent: tuple[object, object]
) -> None:
    made = variant(point(type=type_), value, server)
    assert (made.Value, made.VariantType) == sent


def test_a_type_that_cannot_hold_a_number_is_refused() -> None:
    with pytest.raises(DeviceRefused, match="DateTime"):
        variant(point(), 1.0, ua.VariantType.DateTime)


# ---- confirming unchanged values, on an injected clock ----


def board() -> LastValues:
    made = profile(
        "opcua",
        [
            {"key": "a", "period": "fast", "opcua": {"namespace": "urn:x", "node": "s=A"}},
            {"key": "b", "type": "text", "period": "normal", "opcua": {"namespace": "urn:x", "node": "s=B"}},
        ],
    )
    made_board = LastValues(bind(made, {}).points, {"fast": 500.0, "normal": 500.0, "slow": 500.0})
    made_board.watch([0, 1], [0, 0])
    return made_board


def item(row: int, value: object, kind: ua.VariantType, stamp: datetime) -> Any:
    return SimpleNamespace(ClientHandle=row, Value=data(value, kind, SourceTimestamp=stamp))


def test_an_unchanged_point_is_confirmed_while_the_server_is_alive() -> None:
    made, start = board(), from_datetime(NOON)
    made.take(
        [item(0, 1.5, ua.VariantType.Double, NOON), item(1, "open", ua.VariantType.String, NOON)], start, 0
    )
    assert len(made.still_valid(start + 2 * SECOND_US)) == 0
    still = made.still_valid(start + 3 * SECOND_US)
    assert rows(still) == {0: (1.5, Quality.GOOD)}
    assert still.time_us.tolist() == [start + 2_500_000], "before any change that could still be under way"
    later = made.still_valid(start + 11 * SECOND_US)
    assert rows(later) == {0: (1.5, Quality.GOOD), 1: ("open", Quality.GOOD)}


def test_a_confirmation_is_never_newer_than_the_change_that_follows() -> None:
    made, start = board(), from_datetime(NOON)
    made.take([item(0, 1.0, ua.VariantType.Double, NOON)], start, 0)
    late = NOON + timedelta(seconds=1)
    # This device's clock is, or its reports are, four seconds behind the server.
    made.take([item(0, 2.0, ua.VariantType.Double, late)], start + 5 * SECOND_US, 0)
    still = made.still_valid(start + 8 * SECOND_US)
    assert still.time_us.tolist() == [start + 3_500_000]
    assert still.time_us[0] < start + 4 * SECOND_US, "a change published now would be stamped four back"


def test_a_change_of_long_ago_is_not_confirmed_by_its_own_report() -> None:
    made, start = board(), from_datetime(NOON)
    reported = start + 3600 * SECOND_US
    made.take([item(0, 1.0, ua.VariantType.Double, NOON)], reported, 0)
    assert rows(made.still_valid(reported)) == {0: (1.0, Quality.GOOD)}, "so it stands as one begins to watch"
    changed = NOON + timedelta(seconds=1)
    taken = made.take([item(0, 2.0, ua.VariantType.Double, changed)], reported, 0)
    assert taken.time_us.tolist() == [start + SECOND_US]
    assert len(made.still_valid(reported)) == 0, "it has said something, so it was not silent"
    assert len(made.still_valid(reported + 2 * SECOND_US)) == 0
    assert rows(made.still_valid(reported + 3 * SECOND_US)) == {0: (2.0, Quality.GOOD)}


def test_without_a_connection_nothing_is_vouched_for() -> None:
    made, start = board(), from_datetime(NOON)
    made.take([item(0, 1.5, ua.VariantType.Double, NOON)], start, 0)
    lost = rows(made.unvouched(start + 9))
    assert lost[0] == (1.5, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
    assert lost[1][1] == Quality.BAD_NO_COMMUNICATION


# ---- against the server ----


@asynccontextmanager
async def listening(server: OpcUaServer, *keys: str, **rest: Any) -> AsyncIterator[Listening]:
    points = [
        {"key": key.lower(), "opcua": {"namespace": server.NAMESPACE, "node": f"s={{device}}.{key}"}, **rest}
        for key in keys
    ]
    device = bind(profile("opcua", points), {"device": "T"})
    made = driver("opcua", {"url": f"opc.tcp://127.0.0.1:{server.port}/"}, device)
    await made.open()
    heard = Listening(made)
    try:
        yield heard
    finally:
        await heard.stop()
        await made.close()


async def on_server(server: OpcUaServer, work: Any) -> None:
    await asyncio.to_thread(server.run, work)


async def test_changes_arrive_with_source_time_and_status(opcua_server: OpcUaServer) -> None:
    await on_server(opcua_server, opcua_server.variable("T.Flow", 1.0, ua.VariantType.Double))
    status = ua.StatusCode(ua.UInt32(0x4094_0000))
    now = datetime.now(UTC)
    # Before, just now and after: whatever the source says, at whatever time of the day this runs.
    for value, source in enumerate((now - timedelta(days=400), now, now + timedelta(hours=1)), 7):
        async with listening(opcua_server, "Flow") as heard:
            await heard.until(lambda h: h.seen)
            change = data(float(value), ua.VariantType.Double, StatusCode=status, SourceTimestamp=source)
            await on_server(opcua_server, opcua_server.write("T.Flow", change))
            await heard.until(lambda h, value=value: h.last()[0][0] == value)
        changes = heard.all()
        first = changes.value.tolist().index(value)
        assert heard.last()[0] == (value, 0x4094_0000)
        assert changes.time_us[first] == from_datetime(source)


async def test_many_changes_come_in_one_batch(opcua_server: OpcUaServer) -> None:
    names = [f"B{number}" for number in range(40)]

    async def all_of_them(value: float) -> None:
        for name in names:
            await opcua_server.variable(f"T.{name}", value, ua.VariantType.Double)

    await on_server(opcua_server, all_of_them(0.0))
    async with listening(opcua_server, *names) as heard:
        await heard.until(lambda h: len(h.last()) == 40)
        before = len(heard.seen)
        await on_server(opcua_server, all_of_them(5.0))
        await heard.until(lambda h: all(value == 5.0 for value, _ in h.last().values()))
    assert len(heard.seen) - before <= 3


async def test_a_wrong_password_file_is_named(tmp_path: Path) -> None:
    settings = {
        "url": "opc.tcp://127.0.0.1:1/", "username": "u", "password_file": str(tmp_path / "missing"),
    }  # fmt: skip
    made = driver(
        "opcua",
        settings,
        bind(profile("opcua", [{"key": "p", "opcua": {"namespace": "urn:x", "node": "s=P"}}]), {}),
    )
    with pytest.raises(ConnectionLost, match="password_file"):
        await made.open()
    await made.close()


def test_a_device_name_that_is_missing_is_a_mistake_in_the_file() -> None:
    made = profile("opcua", [{"key": "p", "opcua": {"namespace": "urn:x", "node": "s={device}.P"}}])
    with pytest.raises(ConfigError, match=r"params\.device"):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/"}, bind(made, {}))
