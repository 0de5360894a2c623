"""The gateway as a process, on 100 units of 50 registers behind one simulator.

The limit is a bare pymodbus loop that makes the same requests and throws the values away.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx2
import psutil
from pymodbus.client import AsyncModbusTcpClient

from tests.bench.field import field_process, write_gateway
from tests.bench.figure import Figure
from tests.bench.processes import enrol, gateway_process, waiting_rows
from tests.bench.sink import sink_process

UNITS, REGISTERS = 100, 50
SECONDS = 10.0
NEVER_REST_S = 0.001
ISSUE_CPU, ISSUE_BARE_CPU = 0.4, 0.24
"""What is asked of us, and what a bare pymodbus loop cost where it was asked, s per 100,000 values."""


class Cost(NamedTuple):
    """What reading cost: values per wall second, CPU seconds of the process per 100,000 values."""

    per_s: float
    cpu: float
    rss_mb: float


def measure() -> list[Figure]:
    """Throughput without a centre, cost with one, and the memory of 10,000 points."""
    with field_process(UNITS, REGISTERS) as port:
        bare = asyncio.run(_bare(port))
        alone = _polling(port)
        again = asyncio.run(_bare(port))
        forwarded = _forwarding(port)
    limit = Cost((bare.per_s + again.per_s) / 2, (bare.cpu + again.cpu) / 2, 0)
    return [
        Figure(
            "gateway: Modbus → shaping → alarms → log",
            alone.per_s,
            "values/s",
            limit.per_s,
            "bare pymodbus",
            "≥ 0.85",
        ),
        Figure("gateway: CPU of that", alone.cpu, "s/100k", limit.cpu, "bare pymodbus"),
        Figure("gateway: CPU, device → acknowledged", forwarded.cpu, "s/100k", 0.4, "s (issue)", "≤ 0.4"),
        Figure(
            "gateway: that, as a multiple of bare pymodbus",
            forwarded.cpu / limit.cpu,
            "",
            ISSUE_CPU / ISSUE_BARE_CPU,
            "(the issue's two figures)",
            "≤ 1.67",
        ),
        Figure(
            "gateway: values/s, device → acknowledged",
            forwarded.per_s,
            "values/s",
            limit.per_s,
            "bare pymodbus",
        ),
        Figure("gateway: RSS, 5,000 points, forwarding", forwarded.rss_mb, "MB"),
        Figure("gateway: RSS, 10,000 points at 1 Hz", _memory(), "MB", 100, "MB (issue)", "< 100"),
    ]


async def _bare(port: int) -> Cost:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    values, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < SECONDS / 2:
        for unit in range(1, UNITS + 1):
            answer = await client.read_holding_registers(0, count=REGISTERS, device_id=unit)
            values += len(answer.registers)
    spent, busy = time.perf_counter() - began, time.process_time() - cpu
    client.close()
    return Cost(values / spent, busy / values * 1e5, 0)


def _polling(port: int) -> Cost:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        file = write_gateway(
            Path(folder), port, UNITS, REGISTERS, period_s=NEVER_REST_S, alarms=REGISTERS // 10
        )
        with gateway_process(file) as process:
            return _cost(process, lambda: waiting_rows(Path(folder) / "state" / "buffer.db"))


def _forwarding(port: int) -> Cost:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, sink_process() as url:
        file = write_gateway(
            Path(folder),
            port,
            UNITS,
            REGISTERS,
            period_s=NEVER_REST_S,
            alarms=REGISTERS // 10,
            centre_url=url,
        )
        enrol(file)
        with gateway_process(file) as process, httpx2.Client(trust_env=False) as client:
            return _cost(process, lambda: int(client.get(f"{url}/count").json()["readings"]))


def _memory() -> float:
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        field_process(200, REGISTERS) as port,
        sink_process() as url,
    ):
        file = write_gateway(
            Path(folder), port, 200, REGISTERS, period_s=1.0, alarms=REGISTERS // 10, centre_url=url
        )
        enrol(file)
        with gateway_process(file) as process, httpx2.Client(trust_env=False) as client:
            return _cost(process, lambda: int(client.get(f"{url}/count").json()["readings"])).rss_mb


def _cost(process: psutil.Process, count: Callable[[], int]) -> Cost:
    deadline = time.monotonic() + 30
    while not count():
        if time.monotonic() > deadline or not process.is_running():
            raise RuntimeError("the gateway reads nothing; run `python -m edge run` on the file by hand")
        time.sleep(0.1)
    time.sleep(2)
    values, began, cpu = count(), time.perf_counter(), _cpu(process)
    time.sleep(SECONDS)
    values, spent, busy = count() - values, time.perf_counter() - began, _cpu(process) - cpu
    return Cost(values / spent, busy / max(values, 1) * 1e5, process.memory_info().rss / 1e6)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
