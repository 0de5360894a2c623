"""Every shipped profile: valid, named after its file, and sane where the model cannot check it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import firmware_configs
from edge.tools.fitting import fit_unit
from protocols.model.address.modbus import ModbusAddress
from protocols.model.address.mqtt import MqttAddress
from protocols.model.datatypes import REGISTERS
from protocols.model.device import PointProfile, Profile
from sim_devices.fault_board import FaultBoard
from sim_devices.profiles import shipped_profiles
from sim_devices.servers.base import DeviceView
from sim_devices.servers.modbus_unit import ModbusException, ModbusUnit
from sim_devices.solo import SoloDevice

FOLDER = Path(firmware_configs.__file__).parent / "profiles"
FILES = sorted(FOLDER.glob("*.yaml"))
KNOWN = shipped_profiles()
VERIFIED_MODELS = {
    "eastron.sdm630", "eastron.sdm120", "epever.tracer", "seeed.sensecap_one", "qdy30a", "tuf2000m",
    "xy_md02", "senseair.s8", "waveshare.relay8", "moxa.e1200", "epever.tracer_ctl", "chint.dtsu666",
    "schneider.pm51xx", "gavazzi.em24", "abb.b23", "finder.7m38", "siemens.pac2200", "siemens.logo8",
    "campbell.metsens600",
}  # fmt: skip
NOTHING_TO_PROBE = {"waveshare.relay8", "moxa.e1200", "siemens.logo8"}
"""Models of which every register and bit may hold anything."""
BIT_AREAS, REGISTER_AREAS = {1, 2}, {3, 4}


def read(path: Path) -> Profile:
    return Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_models_that_were_asked_for_are_there() -> None:
    assert {path.stem for path in FILES} >= VERIFIED_MODELS
    assert all(
        any(point.verified for point in read(FOLDER / f"{name}.yaml").points) for name in VERIFIED_MODELS
    )


def test_a_real_model_can_be_told_from_others() -> None:
    probed = {name for name in VERIFIED_MODELS if read(FOLDER / f"{name}.yaml").probe}
    assert probed == VERIFIED_MODELS - NOTHING_TO_PROBE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_profile_is_valid_and_named_after_its_file(path: Path) -> None:
    profile = read(path)
    assert profile.id == path.stem
    assert list(profile.unproved()) == []


@pytest.mark.parametrize("name", sorted(VERIFIED_MODELS - NOTHING_TO_PROBE))
async def test_a_scan_finds_the_profile_of_its_own_device(name: str) -> None:
    """The simulated device tells no identity: its registers alone must say what it is."""
    device = SoloDevice(KNOWN[name], {}, 3)
    device.time_us = 1_763_800_000_000_000
    unit = ModbusUnit(DeviceView(device, FaultBoard({"device": ()}, ())))
    unit.refresh(1)

    async def ask(fc: int, start: int, count: int) -> list[int] | str:
        try:
            if fc in BIT_AREAS:
                data = np.frombuffer(unit.read_bits(fc, start, count), np.uint8)
                return [int(bit) for bit in np.unpackbits(data, bitorder="little")[:count]]
            return [int(word) for word in np.frombuffer(unit.read_registers(fc, start, count), ">u2")]
        except ModbusException as refused:
            return str(refused)

    fits = await fit_unit(ask, {}, KNOWN.values())
    assert name in [fit.profile for fit in fits[:3]], fits[:5]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_points_say_where_they_come_from_and_alarms_say_what_to_do(path: Path) -> None:
    profile = read(path)
    assert profile.source
    keys = [alarm.key for point in profile.points for alarm in point.alarms]
    assert len(keys) == len(set(keys)), "an alarm key names a rule of the device; use it once"
    for point in profile.points:
        assert point.doc_ref or not point.verified, f"{point.key} is verified by which page?"
        for alarm in point.alarms:
            assert alarm.response is not None, f"{point.key}.{alarm.key} asks for no action"
            assert alarm.kind in ("off_normal", "no_data") or alarm.deadband > 0
            if alarm.limit is None or alarm.kind == "no_data":
                continue
            assert point.min is None or point.min <= alarm.limit
            assert point.max is None or alarm.limit <= point.max


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_writable_points_can_be_written_and_have_limits(path: Path) -> None:
    for point in read(path).points:
        if not point.writable:
            continue
        if point.type != "text":
            assert point.write_min is not None
            assert point.write_max is not None
        address = point.address
        assert not isinstance(address, ModbusAddress) or address.fc in (1, 3)
        assert not isinstance(address, MqttAddress) or address.command_topic


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_modbus_points_do_not_overlap_and_scaled_ranges_fit_the_register(path: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for point in read(path).points:
        place = point.address
        if not isinstance(place, ModbusAddress):
            continue
        area = BIT_AREAS if point.type == "bool" else REGISTER_AREAS
        assert place.fc in area
        for address in range(place.address, place.address + REGISTERS[point.type]):
            assert taken.setdefault((place.fc, address), point.key) == point.key
        assert fits(point), f"{point.key}: {point.min} to {point.max} does not fit {point.type}"


def fits(point: PointProfile) -> bool:
    ranges = {
        "i16": (-(2**15), 2**15 - 1),
        "u16": (0, 2**16 - 1),
        "u32": (0, 2**32 - 1),
        "i32": (-(2**31), 2**31 - 1),
    }
    if point.type not in ranges:
        return True
    low, high = ranges[point.type]
    return all(
        limit is None or low <= round((limit - point.offset) / point.scale) <= high
        for limit in (point.min, point.max, point.write_min, point.write_max)
    )


def test_the_verified_addresses_of_the_reference_are_kept() -> None:
    """Spot checks against field_protocols.md section 7, where an off-by-one would hide."""
    expected = {
        ("eastron.sdm630", "power"): (4, 0x0034, "f32", "ABCD"),
        ("eastron.sdm630", "energy-total"): (4, 0x0156, "f32", "ABCD"),
        ("eastron.sdm120", "frequency"): (4, 0x0046, "f32", "ABCD"),
        ("epever.tracer", "pv-power"): (4, 0x3102, "u32", "CDAB"),
        ("epever.tracer", "soc"): (4, 0x311A, "u16", "ABCD"),
        ("seeed.sensecap_one", "wind"): (4, 0x0012, "i32", "ABCD"),
        ("qdy30a", "level"): (3, 0x0004, "i16", "ABCD"),
        ("tuf2000m", "flow"): (3, 0x0000, "f32", "CDAB"),
        ("tuf2000m", "signal-quality"): (3, 91, "u16", "ABCD"),
        ("xy_md02", "temperature"): (4, 0x0001, "i16", "ABCD"),
        ("senseair.s8", "co2"): (4, 0x0003, "u16", "ABCD"),
        ("waveshare.relay8", "relay8"): (1, 0x0007, "bool", "ABCD"),
        ("moxa.e1200", "di0"): (2, 0x0008, "bool", "ABCD"),
        ("chint.dtsu666", "energy-export"): (3, 0x1028, "f32", "ABCD"),
        ("schneider.pm51xx", "voltage-l1"): (3, 3027, "f32", "ABCD"),
        ("schneider.pm51xx", "energy-import"): (3, 0x0C83, "i64", "ABCD"),
        ("gavazzi.em24", "power"): (4, 0x0028, "i32", "CDAB"),
        ("epever.tracer_ctl", "off2-hour"): (3, 0x904D, "u16", "ABCD"),
        ("siemens.logo8", "q1"): (1, 8192, "bool", "ABCD"),
        ("campbell.metsens600", "status"): (3, 26, "u32", "ABCD"),
    }
    for (model, key), wanted in expected.items():
        point = read(FOLDER / f"{model}.yaml").point(key)
        address = ModbusAddress.of(point)
        assert (address.fc, address.address, point.type, address.order) == wanted
