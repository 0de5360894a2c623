"""One device of any profile: believable, within its limits, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.errors import Rejected
from sim_devices.profiles import find_profile, shipped_profiles
from sim_devices.solo import SoloWorld

START = 1_763_800_000_000_000


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_every_shipped_profile_has_signals_within_its_limits(name: str) -> None:
    profile = find_profile(name)
    world, twin = (SoloWorld(profile, seed=3, start_us=START) for _ in range(2))
    twin.step(START + 1_800_000_000)
    for minute in range(0, 60, 5):
        world.step(START + minute * 60_000_000)
        for point in profile.points:
            value = world.devices()["device"].read(point.key)
            if isinstance(value, float | int):
                assert point.min is None or value >= point.min
                assert point.max is None or value <= point.max
                assert not point.labels or round(value) in point.labels
            if minute == 30:
                assert value == twin.devices()["device"].read(point.key)


def test_what_is_written_stays() -> None:
    world = SoloWorld(find_profile("waveshare.relay8"), start_us=START)
    device = world.devices()["device"]
    key = device.profile.points[0].key
    device.write(key, 0.0)
    world.step(START + 9_000_000)
    assert device.read(key) == 0.0


def test_profiles_by_path_and_near_names(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"did you mean eastron\.sdm630"):
        find_profile("eastron.sdm63")
    with pytest.raises(Rejected, match="check the path"):
        find_profile(str(tmp_path / "x.yaml"))
    mine = tmp_path / "mine.yaml"
    mine.write_text("id: mine\nvendor: v\n")
    with pytest.raises(Rejected, match=r"mine\.yaml: model: Field required \(and 5 more\)"):
        find_profile(str(mine))
