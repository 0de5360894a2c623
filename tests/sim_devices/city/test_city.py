"""The city as a whole: how much there is of it, that it is deterministic, and that it makes sense."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from protocols.model.clock import SECOND_US
from sim_devices.city import SCENARIOS, LinjiangCity, open_city
from sim_devices.city.spec import CITY_FILE, CitySpec, load_city
from sim_devices.world import World

MINUTE_US = 60 * SECOND_US


def snapshot(city: LinjiangCity) -> dict[str, float | str | None]:
    return {
        f"{key}.{point.key}": device.read(point.key)
        for key, device in city.devices().items()
        for point in device.profile.points
    }


def test_the_city_is_as_large_as_it_was_asked_to_be() -> None:
    city = open_city()
    assert len(city.spec.gateways) == 4
    assert len(city.spec.sites) >= 12
    assert len(city.devices()) >= 80
    assert sum(len(device.profile.points) for device in city.devices().values()) >= 800
    kinds = Counter(device.profile.protocol for device in city.devices().values())
    assert set(kinds) == {"modbus", "opcua", "mqtt", "camera"}


def test_every_site_has_an_owner_department_that_there_is() -> None:
    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(CITY_FILE.with_name(name).read_text("utf-8").splitlines()))

    owners = {row["id"]: row["department"] for row in table("owners.csv")}
    assert owners.keys() == {site.key for site in open_city().spec.sites}
    assert set(owners.values()) == {row["id"] for row in table("departments.csv")}


def test_it_is_a_world_for_the_servers() -> None:
    city = open_city(port_base=15_000)
    assert isinstance(city, World)
    assert city.scenarios == SCENARIOS
    assert [endpoint.port for endpoint in city.listeners()] == list(
        range(15_000, 15_000 + len(city.listeners()))
    )
    served = [key for endpoint in city.listeners() for key in endpoint.devices]
    assert sorted(served) == sorted(city.devices())
    for endpoint in city.listeners():
        devices = [city.devices()[key] for key in endpoint.devices]
        assert {device.profile.protocol for device in devices} == {endpoint.protocol}
        units = [device.params["unit"] for device in devices if endpoint.protocol == "modbus"]
        assert len(units) == len(set(units))
    assert {endpoint.port for endpoint in open_city().listeners()} == {0}


def test_the_same_seed_gives_the_same_city_whatever_the_steps() -> None:
    one, other = open_city(seed=7, scenario="rainstorm"), open_city(seed=7, scenario="rainstorm")
    end = one.start_us + 50 * MINUTE_US
    one.step(end)
    moment = other.start_us
    for stride_s in (1, 17, 3, 240, 60, 41) * 20:
        moment = min(end, moment + stride_s * SECOND_US)
        other.step(moment)
    assert other.now_us == one.now_us
    assert snapshot(one) == snapshot(other)


def test_another_seed_gives_another_city() -> None:
    one, other = open_city(seed=1), open_city(seed=2)
    for city in (one, other):
        city.step(city.start_us + 10 * MINUTE_US)
    assert snapshot(one) != snapshot(other)


def test_time_does_not_run_backwards() -> None:
    city = open_city()
    city.step(city.start_us + 5 * MINUTE_US)
    before = snapshot(city)
    city.step(city.start_us)
    assert city.now_us == city.start_us + 5 * MINUTE_US
    assert snapshot(city) == before


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_reading_is_a_number_inside_its_range(scenario: str) -> None:
    city = open_city(scenario=scenario)
    for quarter in range(1, 40):
        city.step(city.start_us + quarter * 9 * MINUTE_US)
        for key, device in city.devices().items():
            for point in device.profile.points:
                value = device.read(point.key)
                if value is None or isinstance(value, str):
                    assert value is None or point.type == "text", f"{key}.{point.key}"
                    continue
                assert math.isfinite(value), f"{key}.{point.key}"
                assert point.min is None or value >= point.min - 1e-9, f"{key}.{point.key} = {value}"
                assert point.max is None or value <= point.max + 1e-9, f"{key}.{point.key} = {value}"
                assert not point.labels or int(value) in point.labels, f"{key}.{point.key} = {value}"


def test_every_camera_has_a_scene_and_nothing_else_has() -> None:
    city = open_city(scenario="rainstorm")
    city.step(city.start_us + 45 * MINUTE_US)
    for key, device in city.devices().items():
        if device.profile.protocol != "camera":
            with pytest.raises(KeyError):
                city.scene(key)
            continue
        scene = city.scene(key)
        assert scene.title
        for share in (scene.rain, scene.darkness, scene.water_level_ratio, scene.traffic):
            assert 0.0 <= share <= 1.0
    flooded = city.scene("up-station-cam")
    assert flooded.kind == "street"
    assert flooded.water_level_ratio > 0.5
    assert flooded.rain > 0.9
    assert flooded.sign


def test_an_unknown_scenario_is_refused_by_naming_the_known_ones() -> None:
    with pytest.raises(ValueError, match="calm, rainstorm"):
        open_city(scenario="snow")
    with pytest.raises(ValueError, match="calm, rainstorm"):
        open_city().set_scenario("snow")


def test_a_scenario_can_be_changed_while_the_city_runs() -> None:
    city = open_city(scenario="calm")
    city.step(city.start_us + 10 * MINUTE_US)
    city.set_scenario("rainstorm")
    assert city.scenario == "rainstorm"
    city.step(city.start_us + 50 * MINUTE_US)
    assert city.weather.rain > 80
    city.set_scenario("calm")
    city.step(city.start_us + 55 * MINUTE_US)
    assert city.weather.rain == 0


def test_a_wrong_city_file_is_refused_with_the_place(tmp_path: Path) -> None:
    good = yaml.safe_load(CITY_FILE.read_text(encoding="utf-8"))
    wrong = tmp_path / "city.yaml"
    good["sites"][0]["devices"][0]["endpoint"] = "modbus-moon"
    wrong.write_text(yaml.safe_dump(good, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValidationError, match="ps-riverside-pump1: endpoint 'modbus-moon' is not listed"):
        load_city(wrong)
    good["sites"][0]["gateway"] = "gw-moon"
    with pytest.raises(ValidationError, match="gateway 'gw-moon' is not listed"):
        CitySpec.model_validate(good)
