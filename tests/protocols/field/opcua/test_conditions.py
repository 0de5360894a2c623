"""Which severity a point shows of the server's own alarms, event by event; a real one in test_foreign."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from protocols.errors import ConfigError
from protocols.field.opcua.conditions import Conditions
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.table import Table
from protocols.model.clock import from_datetime
from protocols.model.quality import Quality
from protocols.model.reading import Readings
from tests.protocols.field.devices import Listening, bind, driver, profile, rows
from tests.protocols.field.opcua.harness import OpcUaServer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON_US = from_datetime(NOON)
SEVERITY, MESSAGE, HIGH = range(3)


def points() -> list[dict[str, Any]]:
    address = {"namespace": "urn:x", "node": "s=P1"}
    return [
        {"key": "severity", "opcua": address | {"condition": "*"}},
        {"key": "message", "type": "text", "opcua": address | {"condition": "*"}},
        {"key": "high", "opcua": address | {"condition": "High"}},
    ]


def conditions() -> Conditions:
    table = Table([bind(profile("opcua", points()), {})])
    table.resolve(["http://opcfoundation.org/UA/", "urn:x"])
    return Conditions(table, LastValues(table.points, {"fast": 1.0, "normal": 1.0, "slow": 1.0}))


def event(name: str = "High", *, seconds: float = 0, **given: Any) -> ua.EventFieldList:
    said = {
        "severity": 700, "active": True, "enabled": True, "acked": False, "retain": True, "quality": 0,
        "source": "P1", "message": f"{name} it is", "branch": ua.NodeId(), "hidden": False, **given,
    }  # fmt: skip
    values = [
        ua.NodeId(ua.Int32(ObjectIds.AlarmConditionType)),
        name.encode(),
        ua.NodeId.from_string(f"ns=1;s={said['source']}"),
        NOON + timedelta(seconds=seconds),
        said["severity"],
        ua.LocalizedText(said["message"]),
        ua.NodeId.from_string(f"ns=1;s=C.{name}"),
        name,
        *(said["branch"], said["retain"], ua.StatusCode(ua.UInt32(said["quality"]))),
        *(said["enabled"], said["acked"], said["active"], said["hidden"]),
    ]
    return fields(values)


def system(kind: int) -> ua.EventFieldList:
    return fields([ua.NodeId(ua.Int32(kind)), b"x", None, NOON, 1, None, *[None] * 9])


def fields(values: list[Any]) -> ua.EventFieldList:
    made = ua.EventFieldList()
    for value in values:
        one = ua.Variant()
        object.__setattr__(one, "Value", value)
        made.EventFields.append(one)
    return made


def told(found: list[Readings]) -> dict[int, tuple[float | str, int]]:
    return rows(Readings.concat(found))


def test_the_worst_active_one_counts_and_nothing_is_nought() -> None:
    one = conditions()
    assert told(one.take([event()], NOON_US)) == {
        SEVERITY: (700.0, 0), MESSAGE: ("High it is", 0), HIGH: (700.0, 0),
    }  # fmt: skip
    worse = told(one.take([event("Fire", severity=900, seconds=1)], NOON_US))
    assert worse == {SEVERITY: (900.0, 0), MESSAGE: ("Fire it is", 0)}
    over = told(one.take([event("Fire", active=False, seconds=2)], NOON_US))
    assert over == {SEVERITY: (700.0, 0), MESSAGE: ("High it is", 0)}
    assert told(one.take([event(active=False, seconds=3)], NOON_US))[HIGH] == (0.0, 0)
    assert told(one.take([event(hidden=True, seconds=4)], NOON_US))[HIGH] == (0.0, 0), "shelved there"


@pytest.mark.parametrize(
    "other",
    [
        event(source="P2"), event(branch=ua.NodeId.from_string("ns=1;i=7")), system(ObjectIds.BaseEventType),
        fields([1, 2]),
    ],
)  # fmt: skip
def test_what_is_no_condition_of_the_point_changes_nothing(other: ua.EventFieldList) -> None:
    assert conditions().take([other], NOON_US) == []


def test_a_refresh_ends_what_it_does_not_tell_of() -> None:
    one = conditions()
    one.take([event(), event("Fire", severity=900)], NOON_US)
    begin, end = system(ObjectIds.RefreshStartEventType), system(ObjectIds.RefreshEndEventType)
    assert one.take([begin, event("Fire", severity=900)], NOON_US + 1) == []
    after = one.take([end], NOON_US + 5_000_000)
    assert told(after) == {SEVERITY: (900.0, 0), MESSAGE: ("Fire it is", 0), HIGH: (0.0, 0)}
    assert {int(row.time_us[0]) for row in after} == {NOON_US + 5_000_000}, "so it stands at that moment"
    assert not one.asks_anew
    one.take([system(ObjectIds.RefreshRequiredEventType)], NOON_US)
    assert one.asks_anew


def test_quality_is_said_and_hides_no_alarm() -> None:
    one = conditions()
    assert told(one.take([event(quality=0x408F_0000)], NOON_US))[HIGH] == (700.0, 0x408F_0000)
    assert told(one.take([event(quality=0x808C_0000, seconds=1)], NOON_US))[HIGH] == (
        700.0,
        Quality.UNCERTAIN,
    )
    value, code = told(one.take([event(enabled=False, active=False, seconds=2)], NOON_US))[HIGH]
    assert math.isnan(float(value))
    assert code == StatusCodes.BadConditionDisabled


def test_an_event_that_was_fetched_late_undoes_nothing() -> None:
    one = conditions()
    one.take([event(active=False, seconds=5)], NOON_US)
    assert one.take([event(seconds=1)], NOON_US, late=True) == []
    assert told(one.take([event("Fire", seconds=1)], NOON_US, late=True))[SEVERITY] == (700.0, 0)


async def test_a_server_without_refresh_is_not_said_to_be_well(opcua_server: OpcUaServer) -> None:
    address = {"namespace": opcua_server.NAMESPACE, "node": "s=P1", "condition": "*"}
    made = profile("opcua", [{"key": "a", "opcua": address}])
    for settings, code, said in (
        ({}, Quality.BAD_WAITING_FOR_INITIAL_DATA, "ConditionRefresh"),
        ({"polling": True}, Quality.BAD_NOT_SUPPORTED, ""),
    ):
        one = driver(
            "opcua", {"url": f"opc.tcp://127.0.0.1:{opcua_server.port}/", **settings}, bind(made, {})
        )
        await one.open()
        heard = Listening(one)
        try:
            await heard.until(lambda h, code=code: h.last().get(0, (0, 0))[1] == code, 60)
            assert said in " ".join(one.remarks())
        finally:
            await heard.stop()
            await one.close()


def test_a_point_that_shows_an_alarm_is_not_written() -> None:
    point = points()[0] | {"writable": True}
    with pytest.raises(ConfigError, match="second point"):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/"}, bind(profile("opcua", [point]), {}))
