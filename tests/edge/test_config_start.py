"""What a gateway begins with: a file that changed, a file that is broken, a probation that was cut short."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest
import yaml

from edge.link.credentials import save
from edge.versions.store import Index
from protocols.errors import ConfigError
from protocols.model.command import CommandState
from protocols.model.order import ConfigPush
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until
from tests.edge.test_config_change import changed, data_of, push, well
from tests.edge.test_faults import process


def index(folder: Path) -> Index:
    try:
        return msgspec.json.decode((folder / "state/versions/index.json").read_bytes(), type=Index)
    except FileNotFoundError:
        return Index()


def starts(folder: Path) -> int | None:
    trial = index(folder).trial
    return None if trial is None else trial.starts


async def test_a_file_that_changed_runs_on_probation(tmp_path: Path) -> None:
    async with ModbusField(units=2) as field:
        path = gateway_file(tmp_path, field.port, units=2)
        async with running(path) as gateway:
            assert gateway.house.settings.status().running == 1
            await until(lambda: len(well(gateway)) == 2)
        async with running(path) as gateway:
            assert [v.number for v in gateway.house.settings.versions()] == [1], "nothing is different"
            await until(lambda: len(well(gateway)) == 2)
        path.write_text(changed(path, batch={"seconds": 0.1}), encoding="utf-8")
        async with running(path) as gateway:
            status = gateway.house.settings.status()
            assert (status.running, status.state) == (2, "probation")
            trial = index(tmp_path).trial
            assert trial is not None
            assert trial.devices == ("pump1", "pump2"), "as it was at the last stop"
        # Stopped in order: that is no sign of a failure, and the probation goes on.
        async with running(path) as gateway:
            assert gateway.house.settings.status().state == "probation"
            await gateway.house.settings.confirm("local:me")
        assert [v.state for v in index(tmp_path).versions] == ["good", "running"]


async def test_a_profile_that_changed_is_a_new_version_too(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        async with running(path):
            pass
        profile = tmp_path / "profiles" / "test.pump.yaml"
        profile.write_text(profile.read_text(encoding="utf-8").replace("Speed", "Turns"), encoding="utf-8")
        async with running(path) as gateway:
            assert gateway.house.settings.status().running == 2
            difference = await gateway.house.settings.diff(1, 2)
            assert difference.devices.changed == ("pump1",)
            await gateway.house.settings.rollback(1, "local:me")
        assert "Speed" in profile.read_text(encoding="utf-8"), "the profile is brought back too"


@pytest.mark.parametrize("damage", ["", "gateway: [", "gateway: {id: gw-test}\nstate_dir: state\nwrong: 1\n"])
async def test_a_broken_file_does_not_stop_a_gateway_that_once_ran(tmp_path: Path, damage: str) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        good = path.read_text(encoding="utf-8")
        async with running(path) as gateway:
            await until(lambda: well(gateway) == {"pump1"})
        path.write_text(damage, encoding="utf-8")
        for _ in range(2):
            async with running(path, enrolled=False) as gateway:
                status = gateway.house.settings.status()
                assert (status.running, status.state) == (1, "refused")
                assert "gateway.yaml" in status.why, "the mistake is named"
                await until(lambda: well(gateway) == {"pump1"})
        assert path.read_text(encoding="utf-8") == damage, "a person's file is left to him"
        states = [version.state for version in index(tmp_path).versions]
        assert states == ["running", "refused"], "kept once, however often it starts"
        path.write_text(good, encoding="utf-8")
        async with running(path) as gateway:
            assert gateway.house.settings.status().state == "same"


async def test_a_broken_file_alone_starts_nothing(tmp_path: Path) -> None:
    path = gateway_file(tmp_path, 5020)
    path.write_text(path.read_text(encoding="utf-8") + "wrong: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="wrong"):
        async with running(path, enrolled=False):
            pass
    assert not (tmp_path / "state").exists()


async def test_another_gateway_s_file_is_not_run_in_this_folder(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = gateway_file(tmp_path, field.port)
        async with running(path):
            pass
        path.write_text(path.read_text(encoding="utf-8").replace("gw-test", "gw-other"), encoding="utf-8")
        async with running(path, enrolled=False) as gateway:
            assert gateway.house.plan.gateway == "gw-test"
            assert "belongs to gateway 'gw-test'" in gateway.house.settings.status().why


async def test_a_push_that_was_not_applied_before_the_end_changed_nothing(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        async with running(path) as gateway:
            order = ConfigPush(id="p", text="x", issued_us=1, expires_us=2**60, issued_by="o")
            gateway.house.buffer.begin(order, 0)
        async with running(path):
            await until(centre.outcomes)
    (outcome,) = centre.outcomes()
    assert (outcome.command, outcome.state, outcome.reason) == ("p", CommandState.FAILED, "interrupted")


@pytest.mark.faults
async def test_kill_9_twice_within_the_probation_takes_it_back(tmp_path: Path) -> None:
    async with ModbusField(units=2) as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url, units=2)
        good = path.read_text(encoding="utf-8")
        save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
        data = data_of(path)
        data["devices"] = data["devices"][:1]
        async with process(path, signal.SIGKILL):
            await until(lambda: len(centre.readings()) > 10)
            order = push(centre, yaml.safe_dump(data, allow_unicode=True), probation_s=3600)
            await until(lambda: starts(tmp_path) == 0 and len(centre.manifests) == 2)
        async with process(path, signal.SIGKILL):
            await until(lambda: starts(tmp_path) == 1)
            seen = len(centre.batches)
            await until(lambda: len(centre.batches) > seen + 3)
            assert not centre.outcomes(), "it goes on with the probation"
        async with process(path, signal.SIGTERM):
            await until(centre.outcomes)
        states = [version.state for version in index(tmp_path).versions]
    assert states == ["running", "rolled-back"]
    assert path.read_text(encoding="utf-8") == good
    (outcome,) = centre.outcomes()
    assert (outcome.command, outcome.state, outcome.reason) == (order, CommandState.FAILED, "rolled-back")
    assert "ended twice" in outcome.detail
