"""Hundreds of alarms at one moment go up in batches that the centre can answer in time."""

from __future__ import annotations

from pathlib import Path

import yaml

from protocols.wire.batch import decode
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, running, until

RULES = 450


async def test_hundreds_of_alarms_at_once_go_up_in_parts(tmp_path: Path) -> None:
    async with ModbusField(units=1) as field:
        path = gateway_file(tmp_path, field.port, units=1)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        words = {"priority": "P3", "name": {"zh": "高", "en": "High"}}
        data["devices"][0]["alarms"] = [
            {"key": f"r{i}", "point": "speed", "kind": "hi", "limit": 5 + i / 1000, **words}
            for i in range(RULES)
        ]
        path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        async with running(path) as gateway:
            house = gateway.house
            await until(lambda: house.pipeline.shaper.latest_us[house.plan.indexes["pump1.speed"]])
            field.set(1, 1, 400)
            await until(lambda: house.pipeline.alarms_open >= RULES)
            await house.pipeline.settled()
            parts = [decode(stored.data).payload for stored in house.buffer.pending("alarms", limit=100)]
    rules = [step.rule for part in parts for step in part if ".r" in step.rule]  # type: ignore[union-attr]
    assert rules == [f"pump1.r{i}" for i in range(RULES)]
    assert max(len(part) for part in parts) <= 200
