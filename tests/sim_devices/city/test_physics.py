"""Cause and effect: what an operator does is seen in the water, the light and the meters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.model.clock import SECOND_US
from sim_devices.city import LinjiangCity, open_city
from sim_devices.city.spec import BasinSpec
from sim_devices.city.water import Basin, Catchment, Gate, Pump

MINUTE_US = 60 * SECOND_US


def storm(minutes: float) -> LinjiangCity:
    city = open_city(scenario="rainstorm")
    later(city, minutes)
    return city


def later(city: LinjiangCity, minutes: float) -> None:
    city.step(city.now_us + round(minutes * MINUTE_US))


def value(city: LinjiangCity, device: str, point: str) -> float:
    found = city.devices()[device].read(point)
    assert isinstance(found, float)
    return found


def test_rain_raises_levels_everywhere() -> None:
    dry, wet = open_city(scenario="calm"), open_city(scenario="rainstorm")
    for city in (dry, wet):
        later(city, 40)
    for key, water in wet.waters.items():
        if key == "wp-binjiang":
            continue
        assert water.inflow > dry.waters[key].inflow, key
    assert wet.waters["ps-riverside"].level > dry.waters["ps-riverside"].level + 1
    assert wet.waters["up-station"].level > 0.2
    assert dry.waters["up-station"].level < 0.02
    assert wet.river.level > dry.river.level + 0.5


def test_a_running_pump_lowers_the_level_within_twenty_seconds_of_the_demo() -> None:
    city, twin = storm(45), storm(45)
    before = value(city, "ps-riverside-well", "level")
    city.devices()["ps-riverside-pump1"].write("run-command", 1.0)
    assert value(city, "ps-riverside-pump1", "run-command") == 1.0, "the command is read back at once"
    later(city, 2)
    later(twin, 2)
    assert value(city, "ps-riverside-pump1", "running") == 1.0
    assert value(city, "ps-riverside-pump1", "flow") > 3000
    assert value(city, "ps-riverside-pump1", "current") > 100
    later(city, 18)
    later(twin, 18)
    after = value(city, "ps-riverside-well", "level")
    assert after < value(twin, "ps-riverside-well", "level") - 1.0
    assert after < before, "one pump gains on the storm"
    assert value(city, "ps-riverside-meter", "power") > value(twin, "ps-riverside-meter", "power") + 50_000


def test_dry_run_protection_drops_the_command() -> None:
    city = storm(60)
    for pump in ("ps-riverside-pump1", "ps-riverside-pump2"):
        city.devices()[pump].write("run-command", 1.0)
    later(city, 140)
    assert value(city, "ps-riverside-pump1", "run-command") == 0.0
    assert value(city, "ps-riverside-pump1", "running") == 0.0
    assert value(city, "ps-riverside-well", "level") < 2.4


def test_an_automatic_pump_takes_no_command_until_it_is_in_remote() -> None:
    city = open_city()
    pump = city.devices()["ps-drumtower-pump1"]
    with pytest.raises(ValueError, match="automatic; set its mode to 1"):
        pump.write("run-command", 1.0)
    pump.write("mode", 1.0)
    pump.write("run-command", 1.0)
    later(city, 2)
    assert pump.read("running") == 1.0


def test_automatic_stations_hold_their_level() -> None:
    city = storm(1)
    worst = 0.0
    for _ in range(120):
        later(city, 2)
        worst = max(worst, value(city, "ps-drumtower-well", "level"))
    assert 2.0 < worst < 3.3
    assert value(city, "ps-drumtower-pump1", "starts") > 0


def test_the_standby_pump_empties_the_underpass() -> None:
    city, twin = storm(60), storm(60)
    city.devices()["up-station-pump2"].write("run-command", 1.0)
    later(city, 20)
    later(twin, 20)
    assert value(city, "up-station-flood", "depth") < value(twin, "up-station-flood", "depth") - 0.15


def test_a_closed_gate_stops_the_flow_and_an_open_one_lowers_the_reach() -> None:
    closed, opened, twin = storm(50), storm(50), storm(50)
    for i in (1, 2):
        closed.devices()[f"sg-jinghu-gate{i}"].write("setpoint", 0.0)
        opened.devices()[f"sg-jinghu-gate{i}"].write("setpoint", 80.0)
    later(closed, 0.2)
    assert closed.devices()["sg-jinghu-gate1"].read("moving") == 1.0
    assert value(closed, "sg-jinghu-gate1", "torque") > 0
    for city in (closed, opened, twin):
        later(city, 15)
    assert value(closed, "sg-jinghu-gate1", "position") == 0.0
    assert value(closed, "sg-jinghu-gate1", "flow") == 0.0
    assert value(closed, "sg-jinghu-gate1", "fully-closed") == 1.0
    assert value(opened, "sg-jinghu-gate1", "position") == pytest.approx(80.0)
    levels = [value(city, "sg-jinghu-gate1", "upstream-level") for city in (opened, twin, closed)]
    assert levels == sorted(levels)
    assert levels[2] > levels[0] + 0.2


def test_the_mains_loss_stops_pumps_and_comes_to_an_end() -> None:
    city = storm(110)
    assert value(city, "ps-newtown-well", "mains") == 0.0
    assert value(city, "ps-newtown-meter", "voltage-l1") < 1.0
    assert value(city, "ps-newtown-pump1", "running") == 0.0
    later(city, 12)
    assert value(city, "ps-newtown-well", "mains") == 1.0
    assert value(city, "ps-newtown-meter", "voltage-l1") > 200


def test_a_tripped_pump_says_why_and_refuses_to_start() -> None:
    city = storm(145)
    pump = city.devices()["ps-drumtower-pump2"]
    assert pump.read("fault") == 1.0
    assert pump.read("fault-code") == 2.0
    pump.write("mode", 1.0)
    with pytest.raises(ValueError, match="tripped with fault 2"):
        pump.write("run-command", 1.0)


def test_a_failed_sensor_has_no_value_and_recovers() -> None:
    city = storm(180)
    assert city.devices()["wp-binjiang-tank"].read("level") is None
    assert city.devices()["wp-binjiang-tank"].read("decimals") == 3.0
    later(city, 20)
    assert value(city, "wp-binjiang-tank", "level") > 1.0


def test_the_barrier_keeps_cars_out_and_the_sign_shows_its_text() -> None:
    city = open_city()
    assert value(city, "up-station-flood", "traffic") > 100
    city.devices()["up-station-flood"].write("barrier", 1.0)
    assert value(city, "up-station-flood", "barrier-closed") == 1.0
    assert value(city, "up-station-flood", "traffic") == 0.0
    city.devices()["up-station-sign"].write("text", "前方积水 禁止通行")
    scene = city.scene("up-station-cam")
    assert scene.barrier_closed
    assert scene.sign == "前方积水 禁止通行"
    with pytest.raises(ValueError, match="holds 120 characters"):
        city.devices()["up-station-sign"].write("text", "x" * 121)
    with pytest.raises(ValueError, match="shows text"):
        city.devices()["up-station-sign"].write("text", 5.0)


def test_street_lights_follow_the_dark_until_somebody_takes_over() -> None:
    city = open_city(scenario="calm")
    cabinet = city.devices()["lc-riverside-cabinet1"]
    assert cabinet.read("circuit1") == 0.0
    cabinet.write("circuit2", 1.0)
    assert (cabinet.read("mode"), cabinet.read("circuit1"), cabinet.read("circuit2")) == (1.0, 0.0, 1.0)
    cabinet.write("mode", 0.0)
    later(city, 11 * 60)
    assert cabinet.read("circuit1") == 1.0
    full = value(city, "lc-riverside-cabinet1", "power")
    cabinet.write("dimming", 40.0)
    assert value(city, "lc-riverside-cabinet1", "power") < 0.7 * full


def test_energy_is_the_integral_of_power() -> None:
    city = open_city(scenario="calm")
    before = value(city, "sub-gulou-feeder1", "energy-import")
    power = value(city, "sub-gulou-feeder1", "power")
    later(city, 60)
    used = value(city, "sub-gulou-feeder1", "energy-import") - before
    assert used == pytest.approx(power / 1000.0, rel=0.25)


def test_a_measured_point_takes_no_command() -> None:
    city = open_city()
    with pytest.raises(ValueError, match="only reports"):
        city.devices()["ps-riverside-well"].write("level", 1.0)


def test_catchment_delivers_what_rained() -> None:
    """10 ha, all running off: an hour of 36 mm/h is 3,600 m³, delivered sooner or later."""
    catchment, volume = Catchment(10.0, 1.0, 15.0), 0.0
    for second in range(8 * 3600):
        volume += catchment.step(36.0 if second < 3600 else 0.0, 1.0)
    assert volume == pytest.approx(3600.0, rel=0.01)


def test_a_basin_conserves_water() -> None:
    spec = BasinSpec(
        kind="basin", catchment_ha=5.0, runoff=0.8, response_min=10.0, area_m2=800.0, base_m3s=0.05,
        bottom_m=0.0, start_m=1.0, top_m=50.0, drain_above_m=99.0, drain_m3s_per_m=0.0,
        pump_starts_m=(99.0,), pump_stop_m=0.1,
    )  # fmt: skip
    basin = Basin(spec)
    basin.pumps.append(Pump(0.2, 8.0, 30.0, automatic=False, command=True))
    came = went = 0.0
    for _ in range(3000):
        basin.step(40.0, 6.0, 2.0)
        came, went = came + basin.inflow * 2.0, went + basin.outflow * 2.0
    assert (basin.level - spec.start_m) * spec.area_m2 == pytest.approx(came - went, rel=1e-6)


@pytest.mark.parametrize("change", [lambda gate: 2.0, lambda gate: 1.0])
def test_a_gate_never_flows_uphill(change: Callable[[Gate], float]) -> None:
    gate = Gate(5.0, 3.0, 60.0)
    gate.step(change(gate), 2.0, 1.0, powered=True)
    assert gate.flow == 0.0
