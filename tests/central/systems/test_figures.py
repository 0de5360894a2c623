"""The first screen's numbers are chosen by what they measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from central.city.registry import City, DeviceRecord, PointRecord, SiteRecord, Version
from central.config import Config
from central.systems.monitoring import citymap
from central.systems.monitoring.figures import Chooser
from protocols.errors import ConfigError


def record(point: str, value_type: str = "number", retired: bool = False) -> PointRecord:
    gateway, device, key = point.split(".")
    return PointRecord(
        series=hash(point) % 1000, id=point, gateway=gateway, device=f"{gateway}.{device}", key=key,
        name_zh=key, name_en=key, unit="m", value_type=value_type, period_s=5, decimals=None, min=None,
        max=None, writable=False, write_min=None, write_max=None, labels={}, retired=retired,
    )  # fmt: skip


def city(*points: PointRecord, kinds: dict[str, str]) -> City:
    """Each device is a site of its own; kinds: device -> kind of its site."""
    sites = {key: SiteRecord(key, key, key, kind, "", 0, 0) for key, kind in kinds.items()}
    devices = {
        f"gw.{key}": DeviceRecord(f"gw.{key}", "gw", key, key, key, key, "x", "p", "modbus", "", "", False)
        for key in kinds
    }
    return City(Version(()), sites, devices, {point.id: point for point in points}, {}, {})


def test_one_figure_per_pattern_and_site_kind_in_a_steady_order() -> None:
    points = [
        record(f"gw.{device}.{key}")
        for device in ("b", "a", "c")
        for key in ("flow", "water-level", "temperature")
    ]
    calm = city(*points, kinds={"a": "pump", "b": "pump", "c": "gate"})
    chosen = [figure.point.id for figure in Chooser(("*level*", "*flow*")).choose(calm, {})]
    assert chosen == ["gw.c.water-level", "gw.a.water-level", "gw.c.flow", "gw.a.flow"]


def test_a_point_in_alarm_takes_the_place_and_comes_first() -> None:
    points = [record(f"gw.{device}.level") for device in ("a", "b", "c")]
    busy = city(*points, kinds={"a": "pump", "b": "pump", "c": "gate"})
    chosen = Chooser(("*level*",)).choose(busy, {"gw.b.level": "P2"})
    assert [(figure.point.id, figure.priority) for figure in chosen] == [
        ("gw.b.level", "P2"),
        ("gw.c.level", None),
    ]


def test_words_and_retired_points_are_no_figures() -> None:
    points = [record("gw.a.level-text", value_type="text"), record("gw.a.level", retired=True)]
    assert Chooser(("*level*",)).choose(city(*points, kinds={"a": "pump"}), {}) == []


def test_a_broken_map_names_its_file_and_the_repair(tmp_path: Path) -> None:
    (tmp_path / "roads.geojson").write_text('{"type": "Feature"}')
    with pytest.raises(ConfigError) as error:
        citymap.load(tmp_path)
    assert "roads.geojson" in str(error.value)
    assert "FeatureCollection" in str(error.value)
    (tmp_path / "roads.geojson").unlink()
    (tmp_path / "city.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"city\.json"):
        citymap.load(tmp_path)


def test_an_empty_map_has_bounds_all_the_same() -> None:
    assert citymap.load(None).around([]).bounds == (-180.0, -85.0, 180.0, 85.0)
    west, south, east, north = citymap.bounds([(121.0, 31.0)])
    assert west < 121.0 < east
    assert south < 31.0 < north


def test_settings_of_the_rooms_come_from_the_environment() -> None:
    config = Config.from_env({"CITYNERVE_DUE_MINUTES": "P1=15, P4=600", "CITYNERVE_KEY_FIGURES": "*rain*,x"})
    assert config.due_minutes == {"P1": 15, "P4": 600}
    assert config.key_figures == ("*rain*", "x")
    for wrong in ("P1", "P5=3", "P1=0", "P1=x"):
        with pytest.raises(ConfigError, match="CITYNERVE_DUE_MINUTES"):
            Config.from_env({"CITYNERVE_DUE_MINUTES": wrong})
