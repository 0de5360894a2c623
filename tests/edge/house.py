"""A gateway file and a profile for tests, and a gateway that runs in the test's own loop."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from edge.app import Gateway
from edge.link.credentials import save
from edge.opening import open_plan
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN

PROFILE: dict[str, Any] = {
    "id": "test.pump",
    "vendor": "Test",
    "model": "T1",
    "name": {"zh": "测试泵", "en": "Test pump"},
    "version": 1,
    "kind": "pump",
    "protocol": "modbus",
    "limits": {"timeout_ms": 300, "retries": 0},
    "points": [
        {
            "key": "level",
            "name": {"zh": "水位", "en": "Level"},
            "type": "u16",
            "unit": "m",
            "scale": 0.01,
            "decimals": 2,
            "min": 0,
            "max": 100,
            "period": "fast",
            "sentinels": [65535],
            "modbus": {"fc": 3, "address": 0},
            "alarms": [
                {
                    "key": "level-high",
                    "kind": "hi",
                    "limit": 30,
                    "deadband": 2,
                    "priority": "P2",
                    "name": {"zh": "水位高", "en": "Level high"},
                }
            ],
        },
        {
            "key": "speed",
            "name": {"zh": "转速", "en": "Speed"},
            "type": "i16",
            "unit": "Hz",
            "scale": 0.1,
            "decimals": 1,
            "writable": True,
            "write_min": 0,
            "write_max": 50,
            "period": "fast",
            "modbus": {"fc": 3, "address": 1},
        },
        {
            "key": "count",
            "name": {"zh": "计数", "en": "Count"},
            "type": "u32",
            "period": "slow",
            "modbus": {"fc": 3, "address": 40},
        },
    ],
}


def gateway_file(
    folder: Path, port: int, centre: str | dict[str, Any] | None = None, units: int = 1, **changes: Any
) -> Path:
    """Write a gateway file with `units` pumps on one Modbus line, and its profile; return the file."""
    profiles = folder / "profiles"
    profiles.mkdir(exist_ok=True)
    (profiles / "test.pump.yaml").write_text(yaml.safe_dump(PROFILE, allow_unicode=True), encoding="utf-8")
    data: dict[str, Any] = {
        "gateway": {"id": "gw-test", "name": {"zh": "测试网关", "en": "Test gateway"}},
        "state_dir": "state",
        "profiles": "profiles",
        "periods": {"fast": 0.05, "normal": 0.1, "slow": 0.2},
        "batch": {"seconds": 0.05},
        "page": {"enabled": False},
        "sites": [
            {"key": "site-a", "name": {"zh": "甲", "en": "A"}, "kind": "station", "lon": 121.4, "lat": 31.2}
        ],
        "connections": [
            {"key": "line1", "protocol": "modbus", "settings": {"host": "127.0.0.1", "port": port}}
        ],
        "devices": [
            {
                "key": f"pump{unit}",
                "site": "site-a",
                "name": {"zh": f"泵{unit}", "en": f"Pump {unit}"},
                "connection": "line1",
                "profile": "test.pump",
                "params": {"unit": unit},
            }
            for unit in range(1, units + 1)
        ],
    }
    if centre:
        data["centre"] = {"url": centre} if isinstance(centre, str) else centre
    data = {**copy.deepcopy(data), **changes}
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@asynccontextmanager
async def running(path: Path, *, enrolled: bool = True) -> AsyncIterator[Gateway]:
    """Run a gateway inside the test, and stop it in order at the end."""
    if enrolled:
        plan = open_plan(path)
        save(plan.loaded.state_dir, Credentials(gateway=plan.gateway, token=TOKEN))
    gateway = Gateway(path)
    task = asyncio.create_task(gateway.run())
    try:
        yield gateway
    finally:
        gateway.stop()
        await task


async def until(holds: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until a condition of the real world holds; a test fails where it does not in time."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
