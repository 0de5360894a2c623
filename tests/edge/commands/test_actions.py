"""Local actions on a real Modbus server, without a centre: at once, once, told, and in their place."""

from __future__ import annotations

import asyncio
import statistics
import threading
from pathlib import Path
from typing import Any

import pytest

from edge.app import Gateway
from edge.audit import entries
from edge.commands.actions import inputs
from edge.opening import open_plan
from protocols.errors import StorageError
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import now_us
from protocols.model.command import CommandState, Reason
from protocols.model.order import AlarmAct
from tests.edge.commands.station import GATE, LEVEL, PUMP1, READY, SIGN, station_file
from tests.edge.commands.test_commands import send, station, told, written
from tests.edge.field import ModbusField
from tests.edge.house import until

DRAIN: dict[str, Any] = {
    "key": "drain",
    "when": {"alarm": "st.high", "on": "raise"},
    "do": [{"point": "st.pump1", "value": 1}],
    "retry_for_s": 0,
}
REST: dict[str, Any] = {
    "key": "rest",
    "when": {"alarm": "st.high", "on": "clear"},
    "do": [{"point": "st.pump1", "value": 0}],
    "retry_for_s": 0,
}


async def outcome(gateway: Gateway, n: int = 1) -> list[tuple[str, str]]:
    """Wait for n outcomes; return who had it done and how it ended, of each."""
    await until(lambda: len(told(gateway.house.buffer)) >= n)
    return [(o.issued_by, o.reason) for o in told(gateway.house.buffer)]


async def test_an_alarm_starts_the_pump_and_its_end_stops_it(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field, actions=[DRAIN, REST]) as gateway:
        field.set(1, LEVEL, 3500)
        assert await outcome(gateway) == [("action:drain", Reason.VERIFIED)]
        field.set(1, LEVEL, 1000)
        assert (await outcome(gateway, 2))[1] == ("action:rest", Reason.VERIFIED)
        first = told(gateway.house.buffer)[0]
    assert written(field) == [1, 0]
    assert (first.point, first.value, first.state) == ("st.pump1", 1, CommandState.VERIFIED)
    deeds = [(entry.actor, entry.what) for entry in entries(tmp_path / "state", 2)]
    assert deeds == [("action:drain", "command"), ("action:rest", "command")]


async def test_from_the_crossing_sample_to_the_write_is_under_100_ms_after_its_poll(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field, actions=[DRAIN, REST]) as gateway:
        steps: list[AlarmTransition] = []
        gateway.house.pipeline.watch([], steps.extend)
        for n in range(20):
            field.set(1, LEVEL, 1000 if n % 2 else 3500)
            await outcome(gateway, n + 1)
        ends = told(gateway.house.buffer)
    # The outcome is later than the write by the time of the read-back.
    waits_ms = [(end.finished_us - step.sample_us) / 1000 for end, step in zip(ends, steps, strict=True)]
    assert statistics.median(waits_ms) < 100, waits_ms


async def test_a_sign_shows_a_message_and_several_writes_go_in_order(tmp_path: Path) -> None:
    warn = {
        **DRAIN,
        "key": "warn",
        "do": [{"point": "st.sign", "value": "FLOOD"}, {"point": "st.gate", "value": 100}],
    }
    async with ModbusField() as field, station(tmp_path, field, actions=[warn]) as gateway:
        field.set(1, LEVEL, 3500)
        assert await outcome(gateway, 2) == [("action:warn", Reason.VERIFIED)] * 2
    assert [at for _, at, _ in field.writes] == [SIGN, GATE]
    assert field.get(1, SIGN) == 0x464C


async def test_a_person_wins_for_a_while_unless_the_action_protects(tmp_path: Path) -> None:
    polite = {**DRAIN, "hold_s": 3600}
    stubborn = {
        **DRAIN,
        "key": "protect",
        "hold_s": 3600,
        "force": True,
        "do": [{"point": "st.gate", "value": 9}],
    }
    async with ModbusField() as field, station(tmp_path, field, actions=[polite, stubborn]) as gateway:
        assert (await send(gateway, "st.pump1", 0)).state is CommandState.VERIFIED
        assert (await gateway.house.commands.local("st.gate", 5, "local:root")).state is CommandState.VERIFIED
        field.set(1, LEVEL, 3500)
        ends = await outcome(gateway, 4)
    assert sorted(ends[2:]) == [("action:drain", Reason.HELD), ("action:protect", Reason.VERIFIED)]
    assert written(field) == [0]


async def test_neither_local_manual_mode_nor_an_interlock_gives_way_to_force(tmp_path: Path) -> None:
    forced = {**DRAIN, "force": True}
    guard = {"point": "st.gate", "permit": ["st.ready == 1"]}
    other = {**forced, "key": "open", "do": [{"point": "st.gate", "value": 50}]}
    async with ModbusField() as field, station(tmp_path, field, guard, actions=[forced]) as gateway:
        await gateway.house.commands.manual("st", True, "local:root", "work")
        field.set(1, LEVEL, 3500)
        assert await outcome(gateway) == [("action:drain", Reason.LOCAL_MANUAL)]
        await gateway.house.commands.manual("st", False, "local:root")
        await asyncio.sleep(0.3)
        assert field.writes == [], "giving the device back starts nothing"
    again = tmp_path / "again"
    again.mkdir()
    async with ModbusField() as field, station(again, field, guard, actions=[other]) as gateway:
        field.set(1, LEVEL, 3500)
        assert await outcome(gateway) == [("action:open", Reason.INTERLOCK)]
    assert field.writes == []


async def test_what_passes_by_itself_is_tried_again_and_told_once(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "permit": ["st.ready == 1"]}
    patient = {**DRAIN, "retry_s": 0.05, "retry_for_s": 30}
    async with ModbusField() as field, station(tmp_path, field, guard, actions=[patient]) as gateway:
        field.set(1, LEVEL, 3500)
        await asyncio.sleep(0.3)
        assert (field.writes, told(gateway.house.buffer)) == ([], [])
        field.set(1, READY, 1)
        assert await outcome(gateway) == [("action:drain", Reason.VERIFIED)]
        assert "tried" in told(gateway.house.buffer)[0].detail
    assert written(field) == [1]


async def test_it_is_not_tried_any_more_when_the_alarm_is_over(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "permit": ["st.ready == 1"]}
    patient = {**DRAIN, "retry_s": 0.05, "retry_for_s": 3600}
    async with ModbusField() as field, station(tmp_path, field, guard, actions=[patient]) as gateway:
        field.set(1, LEVEL, 3500)
        await until(lambda: gateway.house.pipeline.alarms_open)
        field.set(1, LEVEL, 1000)
        assert await outcome(gateway) == [("action:drain", Reason.INTERLOCK)]
        field.set(1, READY, 1)
        await asyncio.sleep(0.2)
    assert field.writes == []


async def test_the_better_priority_stands_as_long_as_its_alarm(tmp_path: Path) -> None:
    low = {
        "key": "spare",
        "when": {"alarm": "st.low"},
        "do": [{"point": "st.pump1", "value": 0}],
        "priority": 1,
        "retry_for_s": 0,
    }
    wet = {
        "key": "wet",
        "when": {"alarm": "st.wet"},
        "do": [{"point": "st.pump1", "value": 1}],
        "retry_for_s": 0,
    }
    condition = {"key": "wet", "when": "st.ready == 1", "priority": "P3", "name": {"zh": "湿", "en": "Wet"}}
    async with (
        ModbusField() as field,
        station(tmp_path, field, actions=[low, wet], conditions=[condition]) as gateway,
    ):
        field.set(1, LEVEL, 50)
        assert await outcome(gateway) == [("action:spare", Reason.VERIFIED)]
        field.set(1, READY, 1)
        assert (await outcome(gateway, 2))[1] == ("action:wet", Reason.OUTRANKED)
        field.set(1, LEVEL, 1000)
        field.set(1, READY, 0)
        await until(lambda: not gateway.house.pipeline.alarms_open)
        field.set(1, READY, 1)
        assert (await outcome(gateway, 3))[2] == ("action:wet", Reason.VERIFIED)
    assert written(field) == [0, 1]


async def test_an_action_is_done_once_also_over_a_restart(tmp_path: Path) -> None:
    async with ModbusField() as field:
        async with station(tmp_path, field, actions=[DRAIN]) as gateway:
            field.set(1, LEVEL, 3500)
            await outcome(gateway)
        field.set(1, PUMP1, 0)
        async with station(tmp_path, field, actions=[DRAIN]) as gateway:
            assert gateway.house.pipeline.alarms_open
            await asyncio.sleep(0.5)
    assert written(field) == [1]


async def test_an_action_that_the_end_came_before_is_done_after_the_restart(tmp_path: Path) -> None:
    late = {**DRAIN, "key": "late"}
    async with ModbusField() as field:
        async with station(tmp_path, field) as gateway:
            field.set(1, LEVEL, 3500)
            await until(lambda: gateway.house.pipeline.alarms_open)
            await gateway.house.pipeline.settled()
        async with station(tmp_path, field, actions=[late]) as gateway:
            assert await outcome(gateway) == [("action:late", Reason.VERIFIED)]
    assert written(field) == [1]


async def test_a_rule_out_of_service_makes_nothing_move_and_a_shelved_one_does(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field, actions=[DRAIN]) as gateway:
        pipeline = gateway.house.pipeline

        def act(verb: str) -> None:
            until_us = now_us() + 60_000_000 if verb == "shelve" else None
            pipeline.act(
                AlarmAct(
                    id=verb, verb=verb, rule="st.high", actor="a", at_us=now_us(), comment="permit 7",  # type: ignore[arg-type]
                    until_us=until_us,
                )
            )  # fmt: skip

        act("suspend")
        field.set(1, LEVEL, 3500)
        await until(lambda: any(view.active and view.rule == "st.high" for view in pipeline.alarm_views()))
        field.set(1, LEVEL, 1000)
        await until(lambda: not any(v.active and v.rule == "st.high" for v in pipeline.alarm_views()))
        act("return")
        assert (field.writes, told(gateway.house.buffer)) == ([], [])
        act("shelve")
        field.set(1, LEVEL, 3500)
        assert await outcome(gateway) == [("action:drain", Reason.VERIFIED)]


async def test_a_full_disk_does_not_hold_back_what_protects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise StorageError("disk full")

    async with ModbusField() as field, station(tmp_path, field, actions=[DRAIN]) as gateway:
        with monkeypatch.context() as patch:
            patch.setattr(gateway.house.buffer, "begin", full)
            patch.setattr(gateway.house.buffer, "finish", full)
            patch.setattr(gateway.house.buffer, "save_state", full)
            field.set(1, LEVEL, 3500)
            await until(lambda: field.writes)
            with pytest.raises(StorageError):
                await gateway.house.commands.local("st.pump1", 0, "local:root")
        assert await outcome(gateway) == [("action:drain", Reason.VERIFIED)]
    assert written(field) == [1]


def test_what_a_rule_looks_at_is_judged_without_waiting(tmp_path: Path) -> None:
    condition = {
        "key": "c",
        "when": "st.level > 2 and st.ready == 1",
        "priority": "P3",
        "name": {"zh": "丙", "en": "C"},
    }
    plan = open_plan(station_file(tmp_path, 5020, conditions=[condition]))
    (rule,) = [rule for rule in plan.rules if rule.expression]
    assert inputs(rule) == {"st.level", "st.ready"}


async def test_a_slow_disk_does_not_hold_up_the_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ModbusField() as field, station(tmp_path, field, actions=[DRAIN]) as gateway:
        buffer = gateway.house.buffer
        at_work, done, append = threading.Event(), threading.Event(), buffer.append

        def slow(*what: Any) -> list[int]:
            at_work.set()
            done.wait(30)
            return append(*what)

        monkeypatch.setattr(buffer, "append", slow)
        try:
            await until(at_work.is_set)
            field.set(1, LEVEL, 3500)
            await until(lambda: field.writes)
        finally:
            done.set()
        assert await outcome(gateway) == [("action:drain", Reason.VERIFIED)]


async def test_an_action_that_is_still_refused_at_the_end_is_told_as_refused(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "permit": ["st.ready == 1"]}
    patient = {**DRAIN, "retry_s": 3600, "retry_for_s": 7200}
    async with ModbusField() as field:
        async with station(tmp_path, field, guard, actions=[patient]) as gateway:
            field.set(1, LEVEL, 3500)
            await until(lambda: gateway.house.pipeline.alarms_open)
            await asyncio.sleep(0.3)
            assert told(gateway.house.buffer) == []
        async with station(tmp_path, field, guard, actions=[patient]) as gateway:
            assert [o.reason for o in told(gateway.house.buffer)] == [Reason.INTERLOCK]
    assert field.writes == []


async def test_an_action_that_the_configuration_loses_is_not_tried_any_more(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "permit": ["st.ready == 1"]}
    patient = {**DRAIN, "retry_s": 0.05, "retry_for_s": 3600}
    async with ModbusField() as field, station(tmp_path, field, guard, actions=[patient]) as gateway:
        field.set(1, LEVEL, 3500)
        await until(lambda: gateway.house.pipeline.alarms_open)
        text = station_file(tmp_path, field.port, interlocks=[guard]).read_text(encoding="utf-8")
        await gateway.house.settings.apply(text, actor="local:root", probation_s=4)
        assert await outcome(gateway) == [("action:drain", Reason.INTERLOCK)]
        field.set(1, READY, 1)
        await asyncio.sleep(0.2)
    assert field.writes == []


async def test_an_action_of_a_new_configuration_waits_for_its_alarm(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        text = station_file(tmp_path, field.port, actions=[DRAIN]).read_text(encoding="utf-8")
        await gateway.house.settings.apply(text, actor="local:root", probation_s=4)
        field.set(1, LEVEL, 3500)
        assert await outcome(gateway) == [("action:drain", Reason.VERIFIED)]
    assert written(field) == [1]
