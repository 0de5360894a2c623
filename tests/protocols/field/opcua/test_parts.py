"""Elements of arrays and fields of structures as points, and the profile that a scan drafts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from edge.tools.drafting import draft
from protocols.errors import ConfigError, Rejected
from protocols.field.opcua.parts import NO_SUCH_ELEMENT, NO_SUCH_FIELD, pick, put, steps, type_name
from protocols.field.opcua.values import sample
from protocols.field.scanning import Found
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.device import Profile
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, driver, profile


@dataclasses.dataclass
class Phase:
    Current: float
    Name: str = "L1"


@dataclasses.dataclass
class Motor:
    Speed: float
    Phases: list[Phase]


MOTOR = Motor(48.5, [Phase(1.5), Phase(2.5)])


@pytest.mark.parametrize(
    ("text", "found", "fault"),
    [
        ("Speed", 48.5, None),
        ("Phases[1].Current", 2.5, None),
        ("Phases[2].Current", None, NO_SUCH_ELEMENT),
        ("Torque", None, NO_SUCH_FIELD),
        ("__class__", None, NO_SUCH_FIELD),
        ("Speed[0]", None, NO_SUCH_FIELD),
        ("Phases[0].Name[0]", None, NO_SUCH_FIELD),
    ],
)
def test_a_part_is_picked_or_told_why_not(text: str, found: float | None, fault: int | None) -> None:
    assert pick(MOTOR, steps(text)) == (found, fault)


@given(st.lists(st.integers(0, 99) | st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True), max_size=5))
def test_a_path_says_its_steps(wanted: list[int | str]) -> None:
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in wanted).removeprefix(".")
    assert steps(text) == tuple(wanted)


def test_a_part_is_changed_in_a_copy() -> None:
    changed = put(MOTOR, steps("Phases[1].Current"), 9.5)
    assert (changed.Phases[1].Current, MOTOR.Phases[1].Current) == (9.5, 2.5)
    assert type_name(MOTOR, steps("Phases[1].Current")) == "float"
    assert type_name(MOTOR, steps("Phases[1]")) == "Phase"


@pytest.mark.parametrize("text", [".a", "[", "[a]", "a..b", "a b", "[-1]", "a."])
def test_what_is_no_path_is_a_mistake_in_the_profile(text: str) -> None:
    points = [{"key": "p", "opcua": {"namespace": "urn:x", "node": "s=P", "part": text}}]
    with pytest.raises(ConfigError, match="is no part"):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/"}, bind(profile("opcua", points), {}))


def test_a_field_that_would_rewrite_the_others_needs_a_persons_word() -> None:
    points = [{"key": "p", "writable": True, "opcua": {"namespace": "urn:x", "node": "s=P", "part": "a"}}]
    with pytest.raises(ConfigError, match="rewrite: true"):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/"}, bind(profile("opcua", points), {}))


def test_a_bad_status_stays_the_servers_own() -> None:
    bad = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(0x808C_0000)))
    assert sample(bad, "f64", 7, steps("[0]")).quality == 0x808C_0000
    short = ua.DataValue(ua.Variant([1.0], ua.VariantType.Double))
    assert sample(short, "f64", 7, steps("[1]")).quality == NO_SUCH_ELEMENT
    assert sample(short, "f64", 7, steps("[0]"))[1:] == (1.0, Quality.UNCERTAIN, None)


def node(path: str, kind: str, identifier: str = "s=X") -> Found:
    detail: dict[str, Any] = {"path": path, "namespace": "urn:x", "node": identifier, "type": kind}
    return Found("node", identifier, path, detail)


def test_a_drafted_profile_is_whole_and_its_keys_are_one_each() -> None:
    nodes = [
        node("Plc/P1/Level", "Double"), node("Plc/P2/Level", "Float"), node("Plc/P1/水位", "Int16"),
        node("Plc/P1/Phases", "Double[]"), node("Plc/P1/State", "ExtensionObject"),
        node("Level", "Boolean"), node("Plc/P1/Level", "Double"),
    ]  # fmt: skip
    text, left = draft("acme.plc", nodes)
    made = Profile.model_validate(yaml.safe_load(text))
    assert [point.key for point in made.points][:2] == ["level", "p2-level"]
    assert len({point.key for point in made.points}) == len(made.points) == 6
    assert OpcUaAddress.of(made.points[3]).part == "[0]"
    assert len(left) == 1
    assert "State" in left[0]
    assert not any(point.writable for point in made.points)
    assert draft("acme.plc", []) == ("", [])
    with pytest.raises(Rejected, match=r"maker\.model"):
        draft("Acme PLC", nodes)
