"""Another configuration while the gateway runs: what stays goes on, what fails is taken back by itself."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.app import Gateway
from protocols.errors import ConfigError, Rejected
from protocols.model.alarm import AlarmEvent
from protocols.model.clock import now_us
from protocols.model.command import CommandState
from protocols.model.order import ConfigPush
from tests.edge.centre import FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until

PERIOD_US = 50_000
CALM_US = 400_000
"""A period that a test machine keeps also when it is busy with others: for tests that look for gaps."""


def changed(path: Path, **sections: Any) -> str:
    """Return the text of a gateway file with other sections; None leaves one out."""
    data = {**yaml.safe_load(path.read_text(encoding="utf-8")), **sections}
    return yaml.safe_dump(
        {k: v for k, v in data.items() if v is not None}, allow_unicode=True, sort_keys=False
    )


def data_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def two_lines(folder: Path, first: ModbusField, second: ModbusField, centre: str | None) -> Path:
    """Write a file with pump1 and pump2 on line1 and pump3 on line2."""
    path = gateway_file(folder, first.port, centre, units=3)
    data = data_of(path)
    data["connections"].append(
        {"key": "line2", "protocol": "modbus", "settings": {"host": "127.0.0.1", "port": second.port}}
    )
    data["devices"][2].update(connection="line2", params={"unit": 1})
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def push(centre: FakeCentre, text: str, probation_s: float, base: str = "", expires_in_s: float = 60) -> str:
    """Put a configuration into the inbox; return the id of the order."""
    name = f"push-{len(centre.commands)}"
    centre.put(
        ConfigPush(
            id=name,
            text=text,
            issued_us=now_us(),
            expires_us=now_us() + round(expires_in_s * 1e6),
            issued_by="operator",
            probation_s=probation_s,
            base=base,
        )
    )
    return name


def well(gateway: Gateway) -> set[str]:
    return set(gateway.seen().devices)


def gaps(centre: FakeCentre, point: str) -> list[int]:
    times = [t for p, t, _, _ in centre.readings() if p == point]
    return [b - a for a, b in pairwise(times)]


async def test_an_unchanged_line_is_polled_throughout_under_new_numbers(tmp_path: Path) -> None:
    async with ModbusField(units=3) as first, ModbusField() as second, FakeCentre() as centre:
        path = two_lines(tmp_path, first, second, centre.url)
        path.write_text(
            changed(path, periods={"fast": CALM_US / 1e6, "normal": 1, "slow": 1}), encoding="utf-8"
        )
        second.set(1, 0, 777)
        first.set(2, 0, 222)
        async with running(path) as gateway:
            house = gateway.house
            await until(lambda: len(well(gateway)) == 3 and house.road.answers > 3)
            kept, turned = house.sessions["line2"], house.sessions["line1"]
            losses, boot = kept.losses, house.buffer.boot
            overruns = house.pollers["line2"].overruns
            data = data_of(path)
            # pump0 comes before the others: every point of the others gets another number.
            data["devices"].insert(0, {**data["devices"][0], "key": "pump0", "params": {"unit": 3}})
            del data["devices"][1]
            before = house.plan
            version = await house.settings.apply(
                yaml.safe_dump(data, allow_unicode=True), source="page", actor="page:test", probation_s=4
            )
            assert (version.number, version.state) == (2, "probation")
            assert house.settings.status().state == "probation"
            assert house.plan.declaration != before.declaration
            assert house.plan.indexes["pump3.level"] == before.indexes["pump3.level"]
            await until(lambda: house.settings.status().state == "same")
            await until(lambda: any(p == "pump0.level" for p, _, _, _ in centre.readings()))
            assert house.sessions["line2"] is kept
            assert house.sessions["line1"] is turned
            assert (kept.losses, turned.losses, house.buffer.boot) == (losses, 0, boot)
            assert house.settings.status().running == 2
            assert house.pollers["line2"].overruns == overruns
        readings = centre.readings()
    assert {v for p, _, v, _ in readings if p == "pump3.level"} == {7.77}
    assert {v for p, _, v, _ in readings if p == "pump2.level"} == {2.22}
    assert {p for p, _, _, q in readings if q >= 0x8000_0000} == set(), "nothing was ever bad"
    assert max(gaps(centre, "pump3.level")) < 2 * CALM_US, "no cycle is missed on a line that is kept"
    assert max(gaps(centre, "pump2.level")) < 2 * CALM_US, "and none on one that is opened again"
    assert len(centre.manifests) == 2


async def test_numbers_that_move_are_translated_for_drivers_that_stay(tmp_path: Path) -> None:
    async with ModbusField() as first, ModbusField() as second, FakeCentre() as centre:
        path = two_lines(tmp_path, first, second, centre.url)
        data = data_of(path)
        del data["devices"][1]
        path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        first.set(1, 0, 100)
        second.set(1, 0, 777)
        async with running(path) as gateway:
            house = gateway.house
            await until(lambda: well(gateway) == {"pump1", "pump3"})
            before = house.plan.indexes["pump3.speed"]
            data["devices"] = [data["devices"][1]]
            data["connections"] = data["connections"][1:]
            await house.settings.apply(yaml.safe_dump(data, allow_unicode=True), probation_s=4)
            assert house.plan.indexes["pump3.speed"] != before
            assert house.sessions["line2"].put.before(house.plan.indexes["pump3.speed"]) == before
            assert list(house.sessions) == ["line2"]
            seen = second.requests[1]
            await until(lambda: second.requests[1] > seen + 10)
            asked = first.requests[1]
            centre.command("gw-test.pump3.speed", 12.5)
            await until(centre.outcomes)
            await until(lambda: any((p, v) == ("pump3.speed", 12.5) for p, _, v, _ in centre.readings()))
            assert first.requests[1] == asked, "the removed line is closed"
        readings = centre.readings()
    assert [outcome.state for outcome in centre.outcomes()] == [CommandState.VERIFIED]
    assert {v for p, _, v, _ in readings if p == "pump3.level"} == {7.77}
    assert {v for p, _, v, _ in readings if p == "pump1.level"} == {1.0}


async def test_an_open_alarm_survives_a_change_and_ends_with_its_rule(tmp_path: Path) -> None:
    async with ModbusField(units=2) as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url, units=2)
        field.set(1, 0, 3500)
        field.set(2, 0, 3500)
        async with running(path) as gateway:
            await until(lambda: len(centre.alarms()) == 2)
            data = data_of(path)
            del data["devices"][1]
            await gateway.house.settings.apply(yaml.safe_dump(data, allow_unicode=True), probation_s=4)
            await until(lambda: len(centre.alarms()) == 3)
            field.set(1, 0, 1000)
            await until(lambda: len(centre.alarms()) == 4)
        steps = [(step.rule, step.event) for step in centre.alarms()]
    assert steps[2:] == [("pump2.level-high", AlarmEvent.CLR), ("pump1.level-high", AlarmEvent.CLR)]


async def test_a_push_that_cuts_the_uplink_is_undone_by_the_gateway_alone(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        good = path.read_text(encoding="utf-8")
        async with running(path) as gateway:
            house = gateway.house
            await until(lambda: gateway.seen().uplink and well(gateway) == {"pump1"})
            bad = changed(path, centre={"url": "http://127.0.0.1:9"})
            order = push(centre, bad, probation_s=2)
            await until(lambda: house.settings.status().state == "probation")
            assert path.read_text(encoding="utf-8") == bad
            assert house.settings.status().running == 2
            await until(lambda: house.settings.status().state == "rolled-back")
            status = house.settings.status()
            assert status.running == 1
            assert "the centre has not answered" in status.why
            await until(centre.outcomes)
            assert house.plan.loaded.entry.centre is not None
            assert house.plan.loaded.entry.centre.url == centre.url
            assert path.read_text(encoding="utf-8") == good, "the file says what runs"
            states = [version.state for version in house.settings.versions()]
            assert states == ["running", "rolled-back"]
            deeds = (tmp_path / "state" / "audit.jsonl").read_text(encoding="utf-8")
            await until(lambda: house.buffer.depth()["readings"].batches < 3)
    (outcome,) = centre.outcomes()
    assert (outcome.command, outcome.state, outcome.reason) == (order, CommandState.FAILED, "rolled-back")
    assert "the centre has not answered" in outcome.detail
    assert [what for what in ("config.apply", "config.rollback") if what in deeds] == [
        "config.apply",
        "config.rollback",
    ]
    times = [t for p, t, _, _ in centre.readings() if p == "pump1.level"]
    assert max(b - a for a, b in pairwise(times)) < 6 * PERIOD_US, "read and kept while it was cut off"


async def test_a_device_that_dies_by_a_change_brings_the_old_one_back(tmp_path: Path) -> None:
    async with ModbusField(units=3) as field, FakeCentre() as centre:
        field.silent.add(3)
        path = gateway_file(tmp_path, field.port, centre.url, units=2)
        async with running(path) as gateway:
            house = gateway.house
            await until(lambda: gateway.seen().uplink and len(well(gateway)) == 2)
            data = data_of(path)
            data["devices"][1]["params"]["unit"] = 3
            order = push(centre, yaml.safe_dump(data, allow_unicode=True), probation_s=2)
            await until(lambda: house.settings.status().state == "rolled-back")
            assert "pump2" in house.settings.status().why
            await until(lambda: len(well(gateway)) == 2)
            await until(centre.outcomes)
    (outcome,) = centre.outcomes()
    assert (outcome.command, outcome.reason) == (order, "rolled-back")


async def test_a_good_push_is_confirmed_and_told(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        async with running(path) as gateway:
            await until(lambda: gateway.seen().uplink and well(gateway) == {"pump1"})
            text = "# with a comment\n" + changed(path, batch={"seconds": 0.1})
            base = gateway.house.settings.status().digest
            order = push(centre, text, probation_s=2, base=base)
            await until(centre.outcomes)
            stale = push(centre, text + "\n", probation_s=2, base=base)
            wrong = push(centre, text.replace("line1", "line9", 1), probation_s=2)
            stranger = push(centre, text.replace("gw-test", "gw-other"), probation_s=2)
            await until(lambda: len(centre.outcomes()) == 4)
            assert path.read_text(encoding="utf-8") == text
            assert [v.state for v in gateway.house.settings.versions()] == ["good", "running"]
    outcomes = {outcome.command: outcome for outcome in centre.outcomes()}
    assert (outcomes[order].state, outcomes[order].reason) == (CommandState.VERIFIED, "confirmed")
    assert outcomes[stale].reason == "stale-base"
    assert outcomes[wrong].reason == "mistakes"
    assert "gateway.yaml:" in outcomes[wrong].detail, "mistakes name their line"
    assert outcomes[stranger].reason == "mistakes"
    assert "would change from 'gw-test' to 'gw-other'" in outcomes[stranger].detail


async def test_nothing_else_is_applied_on_probation_and_a_person_ends_it(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        async with running(path) as gateway:
            settings = gateway.house.settings
            await until(lambda: well(gateway) == {"pump1"})
            first = path.read_text(encoding="utf-8")
            with pytest.raises(Rejected, match="no version is on probation"):
                await settings.confirm("local:me")
            await settings.apply(changed(path, batch={"seconds": 0.1}), probation_s=600)
            with pytest.raises(Rejected, match="is on probation") as refused:
                await settings.apply(first)
            assert refused.value.reason == "on-probation"
            assert (await settings.confirm("local:me")).state == "running"
            assert settings.status().state == "same"
            with pytest.raises(ConfigError):
                await settings.apply("gateway: nonsense")
            await settings.apply(changed(path, batch={"seconds": 0.2}), probation_s=600)
            assert (await settings.rollback(2, "local:me")).number == 2
            assert settings.status().state == "rolled-back"
            assert settings.status().running == 2
            await settings.rollback(1, "local:me", probation_s=600)
            assert path.read_text(encoding="utf-8") == first
            difference = await settings.diff(2, "running")
            assert "-  seconds: 0.1" in difference.unified
            assert difference.devices.unchanged == ("pump1",)


async def test_an_edit_by_hand_is_shown_and_not_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.versions.settings._FILE_S", 0.1)
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        async with running(path) as gateway:
            settings = gateway.house.settings
            running_digest = settings.status().digest
            first = path.read_text(encoding="utf-8")
            path.write_text(changed(path, batch={"seconds": 0.1}), encoding="utf-8")
            await until(lambda: settings.status().state == "edited")
            assert settings.status().digest == running_digest != settings.status().wanted
            assert "config apply" in settings.status().why
            path.write_text(first, encoding="utf-8")
            await until(lambda: settings.status().state == "same")


async def test_a_file_that_was_edited_meanwhile_is_left_to_its_author(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        async with running(path) as gateway:
            settings = gateway.house.settings
            await until(lambda: well(gateway) == {"pump1"})
            await settings.apply(changed(path, batch={"seconds": 0.1}), probation_s=600)
            mine = changed(path, batch={"seconds": 0.3})
            path.write_text(mine, encoding="utf-8")
            await settings.rollback(1, "local:me")
            assert settings.status().running == 1
            assert path.read_text(encoding="utf-8") == mine


async def test_a_version_without_a_way_back_stays(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        async with running(path) as gateway:
            settings = gateway.house.settings
            await until(lambda: well(gateway) == {"pump1"})
            await settings.apply(changed(path, batch={"seconds": 0.1}), probation_s=600)
            (tmp_path / "state" / "versions" / "000001.json").write_bytes(b"lost")
            assert (await settings.rollback(1, "local:me")).number == 2
            assert settings.status().running == 2, "a gateway with nothing to go back to goes on"
            assert "version 1 cannot run" in settings.versions()[1].why


async def test_a_line_whose_host_moved_is_opened_there(tmp_path: Path) -> None:
    async with ModbusField() as here, ModbusField() as there:
        path = gateway_file(tmp_path, here.port)
        async with running(path) as gateway:
            await until(lambda: well(gateway) == {"pump1"})
            data = data_of(path)
            data["connections"][0]["settings"]["port"] = there.port
            began = now_us()
            await gateway.house.settings.apply(yaml.safe_dump(data, allow_unicode=True), probation_s=4)
            await until(lambda: there.requests[1] > 3)
            assert now_us() - began < 5_000_000
            asked = here.requests[1]
            await asyncio.sleep(0.3)
            assert here.requests[1] == asked
