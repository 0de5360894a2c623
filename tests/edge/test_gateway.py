"""The whole gateway against a real Modbus server and a centre that speaks the link."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from edge.buffer.glance import glance
from edge.link.enrol import enrol
from protocols.model.alarm import AlarmEvent
from protocols.model.command import CommandState
from protocols.model.quality import Quality
from tests.edge.centre import CODE, FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until


async def test_a_reading_arrives_scaled_with_time_and_quality(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        field.set(1, 0, 1234)
        field.set(1, 1, 0xFFCD)
        async with running(gateway_file(tmp_path, field.port, centre.url)):
            await until(lambda: len(centre.readings()) > 20)
        rows = centre.readings()
    assert {(v, q) for p, _, v, q in rows if p == "pump1.level"} == {(12.34, Quality.GOOD)}
    assert {(v, q) for p, _, v, q in rows if p == "pump1.speed"} == {(-5.1, Quality.GOOD)}
    names = [(p, t) for p, t, _, _ in rows]
    assert len(names) == len(set(names))


async def test_an_alarm_rises_and_clears_in_order(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        field.set(1, 0, 1000)
        async with running(gateway_file(tmp_path, field.port, centre.url)):
            await until(lambda: len(centre.readings()) > 5)
            field.set(1, 0, 3100)
            await until(lambda: len(centre.alarms()) == 1)
            field.set(1, 0, 2900)
            await until(lambda: any(v == 29.0 for _, _, v, _ in centre.readings()))
            assert len(centre.alarms()) == 1, "inside the deadband nothing clears"
            field.set(1, 0, 2700)
            await until(lambda: len(centre.alarms()) == 2)
    raised, cleared = centre.alarms()
    assert (raised.event, cleared.event) == (AlarmEvent.ACT, AlarmEvent.CLR)
    assert raised.occurrence == cleared.occurrence
    assert (raised.number, cleared.number) == (1, 2)
    assert (raised.rule, raised.point, raised.value) == ("pump1.level-high", "pump1.level", 31.0)
    assert raised.event_us < cleared.event_us


async def test_a_command_is_written_once_and_read_back(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        async with running(path) as gateway:
            await until(lambda: gateway.house.sessions["line1"].state == "online")
            centre.command("gw-test.pump1.speed", 12.5)
            await until(centre.outcomes)
            centre.command("gw-test.pump1.speed", 60)
            centre.command("gw-test.pump1.nothing", 1)
            centre.command("gw-test.pump1.level", 1)
            centre.command("gw-test.pump1.speed", 20, expected=3)
            centre.command("gw-test.pump1.speed", 20, expires_in_s=-1)
            centre.command("gw-test.pump1.speed", 20, expected=12.5)
            await until(lambda: len(centre.outcomes()) == 7)
            # The same command under a new number, as after a restored centre.
            centre.command("gw-test.pump1.speed", 33, name="command-1")
            centre.command("gw-test.pump1.speed", 21)
            await until(lambda: len(centre.outcomes()) == 8)
            field.fixed.add(1)
            centre.command("gw-test.pump1.speed", 5)
            await until(lambda: len(centre.outcomes()) == 9)
    outcomes = {outcome.command: outcome for outcome in centre.outcomes()}
    assert outcomes["command-1"].state == CommandState.VERIFIED
    assert outcomes["command-1"].read_back == 12.5
    reasons = {name: outcome.reason for name, outcome in outcomes.items()}
    assert reasons == {
        "command-1": "verified",
        "command-2": "out-of-limits",
        "command-3": "unknown-point",
        "command-4": "not-writable",
        "command-5": "unexpected-value",
        "command-6": "expired",
        "command-7": "verified",
        "command-9": "verified",
        "command-10": "read-back-differs",
    }
    assert outcomes["command-6"].state == CommandState.EXPIRED
    assert outcomes["command-10"].state == CommandState.MISMATCH
    assert [values for _, address, values in field.writes if address == 1] == [[125], [200], [210], [50]]


async def test_without_a_centre_everything_is_kept(tmp_path: Path) -> None:
    async with ModbusField() as field:
        async with running(gateway_file(tmp_path, field.port)) as gateway:
            await until(lambda: gateway.house.buffer.depth()["readings"].rows > 20)
        kept = glance(tmp_path / "state").depth["readings"].rows
        async with FakeCentre() as centre, running(gateway_file(tmp_path, field.port, centre.url)):
            await until(lambda: len(centre.readings()) >= kept)


async def test_a_backlog_drains_oldest_first_beside_the_live_readings(tmp_path: Path) -> None:
    async with ModbusField() as field:
        async with running(gateway_file(tmp_path, field.port)) as gateway:
            await until(lambda: gateway.house.buffer.depth()["readings"].batches > 30)
        async with FakeCentre() as centre, running(gateway_file(tmp_path, field.port, centre.url)) as gateway:
            house = gateway.house
            await until(lambda: len(centre.batches) > 30 and house.buffer.depth()["readings"].batches < 3)
        seqs = [seq for stream, seq in centre.order if stream == "readings"]
    assert sorted(seqs) == list(range(1, max(seqs) + 1)), "no number is missing"
    assert seqs.index(max(seqs[:4])) < 4, "the newest goes first"
    old = [seq for seq in seqs if seq <= 30][3:-8]
    assert sum(b > a for a, b in pairwise(old)) > len(old) * 0.6, "the rest oldest first"


async def test_a_lost_receipt_doubles_nothing(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        centre.swallow_receipts = 2
        async with running(gateway_file(tmp_path, field.port, centre.url)) as gateway:
            await until(lambda: gateway.house.sender is not None and gateway.house.sender.duplicates > 0)
            await until(lambda: len(centre.batches) > 5)
    names = [(p, t) for p, t, _, _ in centre.readings()]
    assert len(names) == len(set(names))
    assert max(centre.deliveries.values()) > 1


async def test_a_centre_that_forgot_is_told_again(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        async with running(path):
            await until(lambda: len(centre.batches) > 3)
            known = len(centre.batches)
            centre.manifests.clear()
            await until(lambda: len(centre.batches) > known + 3)
    assert centre.problems["declare-first"] >= 1


async def test_a_refused_batch_is_set_aside_and_told(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        centre.refuse_seq = {2: (400, "corrupt")}
        async with running(gateway_file(tmp_path, field.port, centre.url)) as gateway:
            house = gateway.house
            await until(lambda: len(centre.batches) > 5 and house.sender and house.sender.set_aside)
        seen = glance(tmp_path / "state")
    assert [(aside.stream, aside.seq) for aside in seen.asides] == [("readings", 2)]
    assert "corrupt" in seen.asides[0].reason
    assert centre.problems["corrupt"] == 1, "never tried again"


async def test_an_unknown_gateway_keeps_everything(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        centre.token = "another"
        async with running(gateway_file(tmp_path, field.port, centre.url)) as gateway:
            await until(lambda: gateway.house.road.state == "refused")
            before = sum(centre.problems.values())
            await until(lambda: gateway.house.buffer.depth()["readings"].batches > 5)
            assert sum(centre.problems.values()) <= before + 6, "not asked again and again"
        assert glance(tmp_path / "state").asides == []


async def test_a_dead_unit_costs_the_others_nothing(tmp_path: Path) -> None:
    async with ModbusField(units=3) as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url, units=3)
        async with running(path) as gateway:
            await until(lambda: len(centre.readings()) > 20)
            field.silent.add(2)
            await until(lambda: gateway.house.sessions["line1"].breakers["pump2"].open)
            asked = field.requests[2]
            seen = field.requests[3]
            await until(lambda: field.requests[3] > seen + 20)
            assert field.requests[2] == asked, "it is left in peace"
            await until(lambda: any(q == Quality.BAD_TIMEOUT for _, _, _, q in centre.readings()))
    bad = [(p, t) for p, t, _, q in centre.readings() if q == Quality.BAD_TIMEOUT]
    assert {p for p, _ in bad} == {"pump2.level", "pump2.speed", "pump2.count"}
    assert len(bad) == 3, "told once, not every cycle"


async def test_a_lost_line_is_opened_again(tmp_path: Path) -> None:
    field = ModbusField()
    async with FakeCentre() as centre:
        async with field:
            path = gateway_file(tmp_path, field.port, centre.url)
        async with running(path) as gateway:
            await until(lambda: any(q == Quality.BAD_NO_COMMUNICATION for _, _, _, q in centre.readings()))
            assert gateway.house.sessions["line1"].state != "online"
            async with field:
                await until(lambda: any(q == Quality.GOOD for p, _, _, q in centre.readings() if "pump" in p))
                await until(lambda: gateway.house.sessions["line1"].state == "online")
    bad = [p for p, _, _, q in centre.readings() if q == Quality.BAD_NO_COMMUNICATION]
    assert sorted(bad)[:3] == ["pump1.count", "pump1.level", "pump1.speed"]


async def test_the_gateway_tells_about_itself(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        async with running(gateway_file(tmp_path, field.port, centre.url)) as gateway:
            await until(lambda: gateway.house.receiver is not None and len(centre.readings()) > 3)
            gateway.house.pipeline.put(await gateway.health())
            await until(lambda: any(p == "_gateway.rss" for p, _, _, _ in centre.readings()))
        latest = {p: v for p, _, v, _ in centre.readings()}
        manifest = next(iter(centre.manifests.values()))
    assert latest["pump1._online"] == 1
    assert latest["_gateway.uplink"] == 1
    assert latest["_gateway.line-line1"] == 1
    assert latest["_gateway.rss"] == pytest.approx(psutil.Process().memory_info().rss / 1e6, rel=0.2)
    assert latest["pump1._latency"] >= 0
    assert {device.key for device in manifest.devices} == {"pump1", "_gateway"}


async def test_enrolling_while_it_runs_connects_it(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        async with running(path, enrolled=False):
            file = await enrol(centre.url, None, "gw-test", CODE, tmp_path / "state")
            assert file.stat().st_mode & 0o777 == 0o600
            await until(lambda: len(centre.readings()) > 3)
