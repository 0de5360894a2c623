"""The schema files in the repository are those of today's models, and say what the models say."""

from __future__ import annotations

from edge.cli.schema import SHIPPED
from edge.config.schema import FILES, render, schemas


def test_the_schema_files_are_fresh() -> None:
    now = schemas()
    assert set(now) == set(FILES)
    for name in FILES:
        stored = (SHIPPED / name).read_text(encoding="utf-8")
        assert stored == render(now[name]), f"{name} is out of date; run: citynerve-edge schema"


def test_settings_are_those_of_the_protocol() -> None:
    connection = schemas()["gateway.json"]["$defs"]["ConnectionEntry"]
    by_protocol = {
        case["if"]["properties"]["protocol"]["const"]: case["then"]["properties"]["settings"]
        for case in connection["allOf"]
    }
    assert "host" in by_protocol["modbus"]["properties"]
    assert "url" in by_protocol["opcua"]["properties"]
    assert by_protocol.keys() == {"modbus", "opcua", "mqtt", "sparkplug", "camera", "snmp"}
