"""Commands on a real Modbus server: every rule before the write, the read-back, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.app import Gateway
from edge.audit import entries, verify
from edge.buffer.base import Buffer
from edge.commands.origin import Origin
from protocols.errors import Rejected, StorageError
from protocols.model.command import Command, CommandOutcome, CommandState, CommandStep, Reason
from protocols.wire.batch import decode
from tests.edge.commands.station import GATE, LEVEL, PUMP1, READY, SIGN, station_file
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until

WHO = "anna"


@asynccontextmanager
async def station(
    folder: Path, field: ModbusField, *interlocks: dict[str, Any], **more: Any
) -> AsyncIterator[Gateway]:
    """Run a gateway on the station; everything of it has been read once, and its level is in order."""
    if not field.get(1, LEVEL):
        field.set(1, LEVEL, 1000)
    path = station_file(folder, field.port, interlocks=interlocks, **more)
    async with running(path) as gateway:
        await until(gateway.house.pipeline.shaper.latest_us[:6].all)
        yield gateway


def written(field: ModbusField, address: int = PUMP1) -> list[int]:
    return [int(values[0]) for _, at, values in field.writes if at == address]


async def send(
    gateway: Gateway,
    point: str,
    value: float | str,
    *,
    step: CommandStep = "direct",
    by: str = WHO,
    name: str | None = None,
    lasts_s: float = 30,
) -> CommandOutcome:
    """Have a command of the centre begun and carried out."""
    commands = gateway.house.commands
    command = commands.compose(name or f"{point}-{id(object())}-{value}-{step}", point, value, by, lasts_s)
    command = Command(**{**{f: getattr(command, f) for f in command.__struct_fields__}, "step": step})
    return await commands.execute(command)


def told(buffer: Buffer) -> list[CommandOutcome]:
    """Return the outcomes that wait for the centre."""
    rows: list[CommandOutcome] = []
    for stored in buffer.pending("outcomes", limit=1000):
        rows += [row for row in decode(stored.data).payload if isinstance(row, CommandOutcome)]  # type: ignore[union-attr]
    return rows


async def test_a_point_that_wants_it_is_selected_before_it_is_operated(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        first = await send(gateway, "st.gate", 40)
        selected = await send(gateway, "st.gate", 40, step="select")
        other = await send(gateway, "st.gate", 40, step="operate", by="boris")
        assert written(field, GATE) == []
        done = await send(gateway, "st.gate", 40, step="operate")
        again = await send(gateway, "st.gate", 40, step="operate")
        plain = await send(gateway, "st.pump1", 1, step="select")
    assert [outcome.reason for outcome in (first, selected, other, done, again, plain)] == [
        Reason.SELECT_FIRST,
        Reason.SELECTED,
        Reason.SELECTED_BY_OTHER,
        Reason.VERIFIED,
        Reason.SELECT_FIRST,
        Reason.SELECTED,
    ]
    assert selected.state is CommandState.SELECTED
    assert written(field, GATE) == [40]


async def test_a_selection_is_judged_like_the_command_that_follows(tmp_path: Path) -> None:
    guard = {"point": "st.gate", "permit": ["st.ready == 1"], "permit_for": "any", "select_s": 0.05}
    async with ModbusField() as field, station(tmp_path, field, guard) as gateway:
        refused = await send(gateway, "st.gate", 40, step="select")
        limits = await send(gateway, "st.gate", 101, step="select")
        field.set(1, READY, 1)
        await until(lambda: gateway.house.pipeline.shaper.latest_value[4] == 1)
        await send(gateway, "st.gate", 40, step="select")
        await asyncio.sleep(0.06)
        late = await send(gateway, "st.gate", 40, step="operate")
    assert [o.reason for o in (refused, limits, late)] == [
        Reason.INTERLOCK,
        Reason.OUT_OF_LIMITS,
        Reason.SELECT_FIRST,
    ]
    assert field.writes == []


async def test_a_person_at_the_gateway_needs_no_selection_and_ends_that_of_others(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        await send(gateway, "st.gate", 40, step="select")
        here = await gateway.house.commands.local("st.gate", 70, "page:10.0.0.9")
        there = await send(gateway, "st.gate", 40, step="operate")
    assert (here.state, here.read_back, there.reason) == (CommandState.VERIFIED, 70, Reason.SELECT_FIRST)
    assert written(field, GATE) == [70]


async def test_a_permissive_that_fails_or_cannot_be_read_keeps_the_pump_off(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "permit": ["st.ready == 1"]}
    async with ModbusField() as field, station(tmp_path, field, guard) as gateway:
        ready = gateway.house.pipeline.shaper
        no = await gateway.house.commands.local("st.pump1", 1, "local:root")
        field.set(1, READY, 65535)
        await until(lambda: ready.latest_quality[4] != 0)
        unknown = await gateway.house.commands.local("st.pump1", 1, "local:root")
        assert field.writes == []
        off = await gateway.house.commands.local("st.pump1", 0, "local:root")
        field.set(1, READY, 1)
        await until(lambda: ready.latest_value[4] == 1)
        yes = await send(gateway, "st.pump1", 1)
    assert [o.reason for o in (no, unknown, off, yes)] == [
        Reason.INTERLOCK,
        Reason.INTERLOCK_UNKNOWN,
        Reason.VERIFIED,
        Reason.VERIFIED,
    ]
    assert "st.ready == 1" in no.detail


async def test_two_pumps_that_exclude_one_another_never_start_together(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "excludes": ["st.pump2"]}
    async with ModbusField() as field, station(tmp_path, field, guard) as gateway:
        both = await asyncio.gather(send(gateway, "st.pump1", 1), send(gateway, "st.pump2", 1))
        assert sorted(o.reason for o in both) == [Reason.EXCLUDED, Reason.VERIFIED]
        assert len(field.writes) == 1


async def test_a_write_of_which_nobody_knows_blocks_its_partner(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "excludes": ["st.pump2"]}
    async with ModbusField() as field:
        # Nothing is polled during the test: what the gateway knows it knows from its writes.
        slow = {"fast": 3600, "normal": 3600, "slow": 3600}
        async with station(tmp_path, field, guard, periods=slow) as gateway:
            field.delay_writes = asyncio.Event()
            lost = await send(gateway, "st.pump2", 1)
            field.delay_writes.set()
            blocked = await send(gateway, "st.pump1", 1)
    assert (lost.state, lost.reason) == (CommandState.UNKNOWN, Reason.NO_ANSWER)
    assert blocked.reason == Reason.INTERLOCK_UNKNOWN


async def test_minimum_times_are_kept_over_a_restart(tmp_path: Path) -> None:
    guard = {"point": "st.pump1", "min_on_s": 3600, "min_off_s": 0.2}
    async with ModbusField() as field:
        async with station(tmp_path, field, guard) as gateway:
            early = await gateway.house.commands.local("st.pump1", 1, "local:root")
            await asyncio.sleep(0.3)
            start = await gateway.house.commands.local("st.pump1", 1, "local:root")
        async with station(tmp_path, field, guard) as gateway:
            stop = await gateway.house.commands.local("st.pump1", 0, "local:root")
    assert [o.reason for o in (early, start, stop)] == [Reason.MIN_OFF, Reason.VERIFIED, Reason.MIN_ON]
    assert written(field) == [1]


async def test_a_slow_gate_is_looked_at_until_it_is_there(tmp_path: Path) -> None:
    guard = {"point": "st.gate", "select": False, "travel_s": 5}
    async with ModbusField() as field, station(tmp_path, field, guard) as gateway:
        field.fixed.add(1)
        asking = asyncio.create_task(send(gateway, "st.gate", 60))
        await until(lambda: field.writes)
        field.set(1, GATE, 30)
        await asyncio.sleep(0.3)
        assert not asking.done()
        field.set(1, GATE, 60)
        there = await asking
        asking = asyncio.create_task(send(gateway, "st.gate", 10))
        await until(lambda: len(field.writes) == 2)
        field.fixed.clear()
        newer = await send(gateway, "st.gate", 20)
        older = await asking
    assert (there.state, there.read_back) == (CommandState.VERIFIED, 60)
    assert (older.state, older.reason) == (CommandState.WRITTEN, Reason.SUPERSEDED)
    assert newer.state is CommandState.VERIFIED


async def test_a_gate_that_never_arrives_is_a_mismatch(tmp_path: Path) -> None:
    guard = {"point": "st.gate", "select": False, "travel_s": 0.5}
    async with ModbusField() as field, station(tmp_path, field, guard) as gateway:
        field.fixed.add(1)
        stuck = await send(gateway, "st.gate", 60)
    assert (stuck.state, stuck.reason, stuck.read_back) == (
        CommandState.MISMATCH,
        Reason.READ_BACK_DIFFERS,
        0,
    )


async def test_local_manual_mode_locks_remote_commands_out_and_outlives_a_restart(tmp_path: Path) -> None:
    async with ModbusField() as field:
        async with station(tmp_path, field) as gateway:
            commands = gateway.house.commands
            await commands.manual("st", True, "local:root", "oil change")
            assert commands.held == {"st"}
            index = gateway.house.plan.indexes
            latest = gateway.house.pipeline.shaper.latest_value
            await until(lambda: latest[index["st._manual"]] == latest[index["_gateway.local-manual"]] == 1)
            remote = await send(gateway, "st.pump1", 1)
            here = await commands.local("st.pump1", 1, "local:root")
            with pytest.raises(Rejected, match="no device 'sty'"):
                await commands.manual("sty", True, "local:root")
        async with station(tmp_path, field) as gateway:
            commands = gateway.house.commands
            still = await send(gateway, "st.pump1", 0)
            await commands.manual("*", True, "page:10.0.0.9", "storm")
            await commands.manual("st", False, "local:root")
            by_all = await send(gateway, "st.pump1", 0)
            await commands.manual("*", False, "local:root")
            free = await send(gateway, "st.pump1", 0)
    assert [o.reason for o in (remote, here, still, by_all, free)] == [
        Reason.LOCAL_MANUAL,
        Reason.VERIFIED,
        Reason.LOCAL_MANUAL,
        Reason.LOCAL_MANUAL,
        Reason.VERIFIED,
    ]
    assert "oil change" in remote.detail
    assert written(field) == [1, 0]
    deeds = [(entry.actor, entry.what, entry.subject) for entry in entries(tmp_path / "state", 20)]
    assert ("local:root", "manual-on", "st") in deeds
    assert ("page:10.0.0.9", "manual-on", "*") in deeds
    assert verify(tmp_path / "state").tampering == ()


async def test_a_mode_that_the_disk_does_not_keep_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(key: str, value: bytes) -> None:
        raise StorageError("disk full")

    async with ModbusField() as field, station(tmp_path, field) as gateway:
        monkeypatch.setattr(gateway.house.buffer, "save_state", full)
        with pytest.raises(StorageError):
            await gateway.house.commands.manual("st", True, "local:root")
        assert gateway.house.commands.held == frozenset()
        monkeypatch.undo()


async def test_a_local_write_is_told_and_written_down(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        wrote = await gateway.house.commands.local("gw-test.st.pump1", 1, "local:root", expected=0)
        text = await gateway.house.commands.local("st.sign", "CLOSED", "local:root")
        wrong = await gateway.house.commands.local("st.sign", 5, "local:root")
        outcomes = {o.command: o for o in told(gateway.house.buffer)}
    assert (wrote.state, text.state, wrong.reason) == (
        CommandState.VERIFIED,
        CommandState.VERIFIED,
        Reason.WRONG_TYPE,
    )
    assert (text.read_back, field.get(1, SIGN)) == ("CLOSED", 0x434C)
    kept = outcomes[wrote.command]
    assert (kept.point, kept.value, kept.issued_by) == ("st.pump1", 1, "local:root")
    assert 0 < kept.issued_us <= kept.finished_us
    deeds = [(entry.actor, entry.what, entry.subject) for entry in entries(tmp_path / "state", 3)]
    assert deeds == [
        ("local:root", "command", "st.pump1"),
        ("local:root", "command", "st.sign"),
        ("local:root", "command", "st.sign"),
    ]


async def test_a_command_goes_to_its_end_when_its_caller_is_gone(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        field.delay_writes = asyncio.Event()
        asking = asyncio.create_task(send(gateway, "st.pump1", 1, name="orphan"))
        await until(lambda: field.writes)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        field.delay_writes.set()
        await until(lambda: told(gateway.house.buffer))
        (outcome,) = told(gateway.house.buffer)
    assert (outcome.command, outcome.state) == ("orphan", CommandState.VERIFIED)
    assert written(field) == [1]


async def test_a_command_that_waits_past_its_time_is_not_written(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        field.delay_writes = asyncio.Event()
        first = asyncio.create_task(send(gateway, "st.pump1", 1))
        await until(lambda: field.writes)
        second = asyncio.create_task(send(gateway, "st.pump1", 0, lasts_s=0.1))
        await asyncio.sleep(0.15)
        field.delay_writes.set()
        outcomes = await asyncio.gather(first, second)
    assert [o.reason for o in outcomes] == [Reason.VERIFIED, Reason.EXPIRED]
    assert written(field) == [1]


async def test_a_command_that_waits_while_somebody_takes_the_device_by_hand_is_not_written(
    tmp_path: Path,
) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        field.delay_writes = asyncio.Event()
        first = asyncio.create_task(send(gateway, "st.pump1", 1))
        await until(lambda: field.writes)
        second = asyncio.create_task(send(gateway, "st.pump1", 0))
        await asyncio.sleep(0.05)
        await gateway.house.commands.manual("st", True, "page:here", "belt is changed")
        field.delay_writes.set()
        outcomes = await asyncio.gather(first, second)
    assert [o.reason for o in outcomes] == [Reason.VERIFIED, Reason.LOCAL_MANUAL]
    assert written(field) == [1]


async def test_an_action_that_waits_behind_a_persons_command_gives_way_to_it(tmp_path: Path) -> None:
    async with ModbusField() as field, station(tmp_path, field) as gateway:
        field.delay_writes = asyncio.Event()
        commands, action = gateway.house.commands, Origin("action", hold_us=60_000_000)
        line = asyncio.create_task(send(gateway, "st.pump2", 1))
        await until(lambda: field.writes)
        person = asyncio.create_task(commands.local("st.pump1", 0, "page:here"))
        await asyncio.sleep(0.05)
        drain = commands.compose("drain", "st.pump1", 1, "action:drain", 30)
        second = asyncio.create_task(commands.attempt(drain, action))
        await asyncio.sleep(0.05)
        field.delay_writes.set()
        outcomes = await asyncio.gather(line, person, second)
    assert [o.reason for o in outcomes] == [Reason.VERIFIED, Reason.VERIFIED, Reason.HELD]
    assert written(field) == [0]


async def test_a_command_that_waits_while_the_configuration_changes_meets_its_own_point(
    tmp_path: Path,
) -> None:
    async with ModbusField(units=2) as field:
        path = gateway_file(tmp_path, field.port, units=2)
        guard = {"point": "pump2.speed", "permit": ["pump2.level >= 0"]}
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        async with running(path) as gateway:
            house = gateway.house
            await until(lambda: house.sessions["line1"].state == "online")
            await until(lambda: house.pipeline.shaper.latest_us[house.plan.indexes["pump2.level"]])
            field.delay_writes = asyncio.Event()
            first = asyncio.create_task(send(gateway, "pump2.speed", 10))
            await until(lambda: field.writes)
            second = asyncio.create_task(send(gateway, "pump2.speed", 20))
            await asyncio.sleep(0.05)
            was = house.plan.indexes["pump2.speed"]
            # The order of the devices is turned round: every point gets another number.
            data.update(devices=data["devices"][::-1], interlocks=[guard])
            text = yaml.safe_dump(data, allow_unicode=True)
            applying = asyncio.create_task(house.settings.apply(text, actor="local:root", probation_s=4))
            await until(lambda: house.plan.indexes["pump2.speed"] != was)
            field.delay_writes.set()
            ends = await asyncio.gather(first, second)
            await applying
    assert [unit for unit, _, _ in field.writes] == [2, 2]
    assert ends[1].reason == Reason.VERIFIED
    assert field.get(2, 1) == 200


async def test_a_person_gets_an_answer_also_while_the_disk_takes_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise StorageError("disk full")

    async with ModbusField() as field, station(tmp_path, field) as gateway:
        with monkeypatch.context() as patch:
            patch.setattr(gateway.house.audit, "note", full)
            async with asyncio.timeout(20):
                done = await gateway.house.commands.local("st.pump1", 1, "local:root")
        assert done.state is CommandState.VERIFIED
        await until(lambda: entries(tmp_path / "state", 1))
        assert len(told(gateway.house.buffer)) == 1
