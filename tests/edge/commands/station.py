"""A pumping station on the real Modbus server: level, two pumps, a gate, a sign, a permitting switch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.edge.house import gateway_file

LEVEL, PUMP1, PUMP2, GATE, READY, SIGN = 0, 10, 11, 12, 13, 20
"""Register addresses of unit 1."""


def _point(key: str, address: int, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": {"zh": key, "en": key},
        "type": "u16",
        "period": "fast",
        "modbus": {"fc": 3, "address": address},
        **more,
    }


PROFILE: dict[str, Any] = {
    "id": "test.station",
    "vendor": "Test",
    "model": "S1",
    "name": {"zh": "泵站", "en": "Station"},
    "version": 1,
    "kind": "pumping_station",
    "protocol": "modbus",
    "limits": {"timeout_ms": 300, "retries": 0},
    "points": [
        _point(
            "level",
            LEVEL,
            unit="m",
            scale=0.01,
            decimals=2,
            min=0,
            max=100,
            alarms=[
                {
                    "key": "high",
                    "kind": "hi",
                    "limit": 30,
                    "deadband": 2,
                    "priority": "P2",
                    "name": {"zh": "水位高", "en": "Level high"},
                },
                {
                    "key": "low",
                    "kind": "lo",
                    "limit": 1,
                    "priority": "P3",
                    "name": {"zh": "水位低", "en": "Level low"},
                },
            ],
        ),
        _point("pump1", PUMP1, writable=True, write_min=0, write_max=1),
        _point("pump2", PUMP2, writable=True, write_min=0, write_max=1),
        _point("gate", GATE, unit="%", writable=True, write_min=0, write_max=100, select=True),
        _point("ready", READY, sentinels=[65535]),
        _point("sign", SIGN, type="ascii", writable=True, modbus={"fc": 3, "address": SIGN, "length": 8}),
    ],
}


def station_file(
    folder: Path,
    port: int,
    centre: str | None = None,
    *,
    interlocks: Sequence[dict[str, Any]] = (),
    actions: Sequence[dict[str, Any]] = (),
    **changes: Any,
) -> Path:
    """Write a gateway file with one station, `st`, and its profile; return the file."""
    (folder / "profiles").mkdir(exist_ok=True)
    text = yaml.safe_dump(PROFILE, allow_unicode=True)
    (folder / "profiles" / "test.station.yaml").write_text(text, encoding="utf-8")
    device = {
        "key": "st",
        "site": "site-a",
        "name": {"zh": "泵站", "en": "Station"},
        "connection": "line1",
        "profile": "test.station",
        "params": {"unit": 1},
    }
    return gateway_file(
        folder,
        port,
        centre,
        devices=[device],
        interlocks=list(interlocks),
        actions=list(actions),
        **changes,
    )
