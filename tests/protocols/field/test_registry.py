"""Names lead to drivers, and to nothing more than the driver asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from protocols.errors import Rejected
from protocols.field.base import Driver
from protocols.field.registry import driver_class, protocols


def test_every_built_in_protocol_has_its_driver() -> None:
    assert {"camera", "modbus", "mqtt", "opcua"} <= set(protocols())
    for name in protocols():
        found = driver_class(name)
        assert issubclass(found, Driver)
        assert found.protocol == name


def test_an_unknown_protocol_names_the_known_ones() -> None:
    with pytest.raises(Rejected, match=r"bacnet.*camera, modbus, mqtt, opcua") as caught:
        driver_class("bacnet")
    assert caught.value.reason == "unknown-protocol"


@pytest.mark.parametrize(
    ("protocol", "own"),
    [("modbus", "pymodbus"), ("opcua", "asyncua"), ("mqtt", "aiomqtt"), ("camera", "PIL")],
)
def test_only_the_driver_in_use_is_imported(protocol: str, own: str) -> None:
    script = (
        "import sys; from protocols.field.registry import driver_class, protocols; protocols();"
        "heavy = {'pymodbus', 'asyncua', 'aiomqtt', 'httpx2', 'PIL'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        f"driver_class({protocol!r}); print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    expected = {own, "httpx2"} if protocol == "camera" else {own}
    assert set(done.stdout.split()) == expected
