"""The examples of docs/api.md run as they stand there, against a centre that serves."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent
from tests.central.systems.field import LEVEL, FieldGateway
from tests.central.systems.running import API, Running
from tests.central.systems.test_live import served

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
# A refusal is a failure; a stream that nobody reads any more ends by itself only with its next word.
BEFORE = """set -eu
curl() {
    case " $* " in
        *" -N "*) command curl --max-time 3 "$@" || true;;
        *) command curl --fail-with-body "$@";;
    esac
}
"""


def examples() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_every_example_works(city: Running, gateway: FieldGateway, tmp_path: Path) -> None:
    now = city.clock()
    await gateway.readings(0, [now - 2_000_000, now - 1_000_000], [1.5, 2.5])
    await gateway.alarm("a-1", 1, AlarmEvent.ACT, at_us=now, value=3.5)
    said = []
    async with served(city) as address:
        known = {"URL": address + API, "TOKEN": city.tokens[Role.OPERATOR], "POINT": LEVEL, "ALARM": "a-1"}
        for example in examples():
            ran = await asyncio.create_subprocess_exec(
                "bash", "-c", BEFORE + example, env={**os.environ, **known}, cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            out, _ = await asyncio.wait_for(ran.communicate(), 60)
            said.append(out.decode())
            assert ran.returncode == 0, f"{example}\n{said[-1]}"
    everything = "\n".join(said)
    assert everything.count("event: hello") == 2
    assert "/problems/" not in everything
    assert "time,value [m],unit" in everything
    assert pq.read_table(tmp_path / "day.parquet").column("value").to_pylist() == [1.5, 2.5]
    assert (await city.get("/alarms/a-1"))["acked_by"] == "test-operator"
