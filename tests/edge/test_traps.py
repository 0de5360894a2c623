"""A trap at a whole gateway: the alarm comes with it, although the line is polled once an hour."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import yaml

from tests.edge.centre import FakeCentre
from tests.edge.house import gateway_file, running, until
from tests.protocols.field.snmp.harness import SimHarness
from tests.protocols.field.snmp.netsnmp import ROOT
from tests.protocols.field.snmp.test_hearing import notify, second
from tests.protocols.field.udp import free_udp_port

NAME = {"zh": "整流器", "en": "Rectifier"}
PROFILE: dict[str, Any] = {
    "id": "test.rectifier", "vendor": "Test", "model": "R", "name": NAME, "version": 1, "kind": "ups",
    "protocol": "snmp", "limits": {"timeout_ms": 400, "retries": 1}, "source": "the test itself",
    "points": [
        {
            "key": "count", "name": NAME, "type": "i16", "period": "slow", "snmp": {"oid": f"{ROOT}.1.0"},
            "alarms": [
                {"key": "high", "name": NAME, "kind": "hi", "limit": 50, "deadband": 1, "priority": "P2",
                 "on_delay_s": 0, "off_delay_s": 0, "response": {"zh": "查", "en": "Look."}}
            ],
        },
        {"key": "fixed", "name": NAME, "type": "u32", "period": "slow", "snmp": {"oid": f"{ROOT}.3.0"}},
    ],
}  # fmt: skip


async def test_an_alarm_comes_with_the_trap_and_ends_by_what_the_agent_holds(tmp_path: Path) -> None:
    agent, port = SimHarness(), free_udp_port()
    at = await agent.start()
    try:
        async with FakeCentre() as centre:
            path = gateway_file(
                tmp_path, 0, centre.url, periods={"fast": 3600, "normal": 3600, "slow": 3600},
                connections=[
                    {"key": "r", "protocol": "snmp", "settings": {
                        "host": "127.0.0.1", "port": at, "trap_port": port,
                    }}
                ],
                devices=[
                    {"key": "r1", "site": "site-a", "name": NAME, "connection": "r",
                     "profile": "test.rectifier"}
                ],
            )  # fmt: skip
            (tmp_path / "profiles" / "test.rectifier.yaml").write_text(yaml.safe_dump(PROFILE))
            async with running(path):
                await until(lambda: len(centre.readings()) >= 2)
                # It names 77; when it is read the agent holds -205 again: a fleeting alarm is not lost.
                await asyncio.sleep(0.2)
                assert await notify(second(), port, "inform") is None
                await until(lambda: len([one for one in centre.alarms() if one.rule == "r1.high"]) >= 2, 20)
                steps = [one for one in centre.alarms() if one.rule == "r1.high"]
    finally:
        await agent.stop()
    assert [(one.event.value, one.value) for one in steps[:2]] == [("ACT", 77.0), ("CLR", -205.0)]
