"""The past over the API: gaps and quality told, the compact form, files for other tools, all within sight."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from central.live.alarm_rows import AlarmRow
from central.security.roles import Role
from central.store.rollups import MINUTE_US
from central.systems.monitoring import export
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import SECOND_US
from protocols.model.quality import Quality
from tests.central.systems.field import LEVEL, PM25, FieldGateway
from tests.central.systems.running import API, Running

PERIOD_US = 5 * SECOND_US


def iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / SECOND_US, UTC).isoformat()


async def told(city: Running, gateway: FieldGateway) -> int:
    """Send a minute, a silence of a minute, and half a minute that ends badly; return its start."""
    start = (city.clock() // MINUTE_US - 10) * MINUTE_US
    times = [start + i * PERIOD_US for i in [*range(12), *range(24, 30)]]
    quality = [0] * 11 + [int(Quality.BAD_TIMEOUT)] + [0] * 5 + [int(Quality.UNCERTAIN_SUB_NORMAL)]
    values = [float(i) for i in range(18)]
    values[11] = float("nan")
    await gateway.readings(0, times, values, quality)
    return start


async def test_a_gap_is_told_with_the_quality_before_it(city: Running, gateway: FieldGateway) -> None:
    start = await told(city, gateway)
    span = {"from": iso(start), "to": iso(start + 3 * MINUTE_US)}
    (raw,) = (await city.get("/history", point=LEVEL, resolution="raw", **span))["series"]
    ms = start // 1000
    assert raw["gaps"] == [
        {"from_ms": ms + 55_000, "to_ms": ms + 120_000, "quality": int(Quality.BAD_TIMEOUT)},
        {"from_ms": ms + 145_000, "to_ms": ms + 180_000, "quality": int(Quality.UNCERTAIN_SUB_NORMAL)},
    ]
    assert raw["value"][11] is None
    (rolled,) = (await city.get("/history", point=LEVEL, resolution="1m", **span))["series"]
    assert rolled["t"] == [ms, ms + 120_000]
    assert rolled["gaps"] == [{"from_ms": ms + 60_000, "to_ms": ms + 120_000, "quality": None}]
    assert (rolled["n"], rolled["bad"], rolled["min"], rolled["max"]) == ([11, 6], [1, 0], [0, 12], [10, 17])


async def test_what_lies_ahead_and_what_was_cut_off_is_no_gap(city: Running, gateway: FieldGateway) -> None:
    now = city.clock()
    await gateway.readings(0, [now - 2 * PERIOD_US, now - PERIOD_US], [1.0, 2.0])
    span = {"from": iso(now - 2 * PERIOD_US), "to": iso(now + 3600 * SECOND_US), "resolution": "raw"}
    (series,) = (await city.get("/history", point=LEVEL, **span))["series"]
    assert series["gaps"] == []
    (short,) = (await city.get("/history", point=LEVEL, limit=1, **span))["series"]
    assert (short["gaps"], short["truncated"]) == ([], True)


async def test_the_compact_form_says_the_same(city: Running, gateway: FieldGateway) -> None:
    start = await told(city, gateway)
    span = {"from": iso(start), "to": iso(start + 3 * MINUTE_US), "resolution": "raw"}
    (full,) = (await city.get("/history", point=LEVEL, **span))["series"]
    (few,) = (await city.get("/history/columns", point=LEVEL, **span))["series"]
    assert (few["start"] + np.cumsum([0, *few["steps"]])).tolist() == full["t"]
    assert few["columns"] == {"value": full["value"]}
    assert [code for rows, code in few["quality"] for _ in range(rows)] == full["quality"]
    assert few["gaps"] == full["gaps"]
    rolled = {**span, "resolution": "1m", "fields": "avg, n"}
    (few,) = (await city.get("/history/columns", point=LEVEL, **rolled))["series"]
    assert few["columns"] == {"avg": [5.0, 14.5], "n": [11, 6]}
    async with city.client(Role.VIEWER) as client:
        wrong = await client.get(f"{API}/history/columns", params={"point": LEVEL, "fields": "avg,colour"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/bad-field")


async def exported(city: Running, role: Role | str = Role.VIEWER, **params: Any) -> tuple[int, bytes]:
    async with city.client(role) as client:
        answer = await client.get(f"{API}/export/readings", params=params)
    return answer.status_code, answer.content


async def test_a_csv_has_units_times_and_a_mark_for_excel(city: Running, gateway: FieldGateway) -> None:
    start = await told(city, gateway)
    span = {"from": iso(start), "to": iso(start + 3 * MINUTE_US)}
    status, body = await exported(city, point=LEVEL, bom=True, **span)
    assert (status, body[:3]) == (200, b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig")))
    assert head == ["time", "point", "value [m]", "unit", "quality", "quality_name", "text"]
    assert len(rows) == 18
    first = f"{datetime.fromtimestamp(start / SECOND_US, UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    assert rows[0] == [first, LEVEL, "0", "m", "0", "Good", ""]
    assert rows[11][2:6] == ["", "m", str(int(Quality.BAD_TIMEOUT)), "BadTimeout"]
    status, body = await exported(city, point=[LEVEL, PM25], fields="value,time", **span)
    assert body.decode().splitlines()[0] == "value,time"


async def test_what_a_device_says_is_no_formula_in_a_spreadsheet(
    city: Running, gateway: FieldGateway
) -> None:
    start = city.clock() - 10 * SECOND_US
    said = {0: '=HYPERLINK("http://x","自检")', 1: "-", 2: "ok"}
    await gateway.readings(4, [start + n for n in range(3)], [float("nan")] * 3, text=said)
    _, body = await exported(city, point="gw-north.air.status", fields="text")
    assert [row[0] for row in csv.reader(io.StringIO(body.decode()))] == ["text", f"'{said[0]}", "-", "ok"]
    _, body = await exported(city, point="gw-north.air.status", fields="text", format="parquet")
    assert pq.read_table(io.BytesIO(body)).column("text").to_pylist() == [*said.values()]


async def test_marks_and_story_leave_out_an_alarm_of_another_site(
    city: Running, gateway: FieldGateway
) -> None:
    """A device that stood elsewhere brings its readings along, but not what was raised there."""
    await gateway.alarm("now", 1, AlarmEvent.ACT, at_us=city.clock.now, value=3.4)
    async with city.centre.database.session() as session:
        row = await session.get(AlarmRow, "now")
        assert row is not None
        row.site = "air-park"
    city.clock.move(10)
    marks, story = {"point": LEVEL}, "/devices/gw-north.well/story"
    assert [one["id"] for one in (await city.get("/history/marks", **marks))["alarms"]] == ["now"]
    assert "alarm" in {one["kind"] for one in (await city.get(story))["items"]}
    async with city.client(await city.person("of-north", areas=["north"])) as client:
        assert (await client.get(f"{API}/history/marks", params=marks)).json()["alarms"] == []
        told = (await client.get(API + story)).json()["items"]
        assert "alarm" not in {one["kind"] for one in told}


async def test_arrow_and_parquet_hold_every_row_although_pieces_are_small(
    city: Running, gateway: FieldGateway, monkeypatch: Any
) -> None:
    monkeypatch.setattr(export, "ROWS", 4)
    start = await told(city, gateway)
    span = {"from": iso(start), "to": iso(start + 3 * MINUTE_US), "point": LEVEL}
    _, body = await exported(city, format="parquet", **span)
    parquet = pq.read_table(io.BytesIO(body))
    _, body = await exported(city, format="arrow", **span)
    with pa.ipc.open_stream(body) as stream:
        arrow = stream.read_all()
    assert parquet.equals(arrow)
    assert parquet.num_rows == 18
    assert parquet.column("value").null_count == 1
    assert parquet.schema.field("value").metadata == {b"unit": b"m"}
    times = parquet.column("time").cast(pa.int64()).to_pylist()
    assert times[:2] == [start, start + PERIOD_US]
    _, body = await exported(city, format="parquet", resolution="1m", **span)
    assert pq.read_table(io.BytesIO(body)).column("avg").to_pylist() == [5.0, 14.5]


async def test_an_export_reaches_as_far_as_its_asker(city: Running, gateway: FieldGateway) -> None:
    await told(city, gateway)
    near = await city.person("north-only", Role.VIEWER, areas=["north"])
    assert (await exported(city, near, point=LEVEL))[0] == 200
    far = await exported(city, near, point=PM25)
    assert far[0] == 404
    assert far[1].replace(PM25.encode(), b"") == (await exported(city, near, point="none"))[1].replace(
        b"none", b""
    )
    assert (await exported(city, point=LEVEL, fields="time,colour"))[0] == 422
    assert (await exported(city, point=LEVEL, **{"from": iso(2), "to": iso(1)}))[0] == 422
