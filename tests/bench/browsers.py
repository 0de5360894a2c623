"""Two hundred browsers on the live feed: 2,000 changes a second, 500 points in the view of each.

A real gateway reads 40 units of 50 registers once a second, and every register has changed. Delay runs from
source time, when the gateway had read the register, to the bytes at the reader. The readers share the machine
with the centre and its database, so ingest beside them is measured with their cost in it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import httpx2
import numpy as np
import psutil

from protocols.model.clock import SECOND_US, now_us
from tests.bench.browser_clients import Browsers, Seen, browsers_process
from tests.bench.field import field_process, write_gateway
from tests.bench.figure import Figure
from tests.bench.pour import Pour
from tests.bench.processes import GATEWAY, USER, Centre, centre_process, enrol, gateway_process, signed_in

UNITS, REGISTERS, PERIOD_S = 40, 50, 1.0
BROWSERS, SLOW = 200, 5
WATCH_S = 20.0
SETTLE_S = 10.0
HOUR_US = 3600 * SECOND_US


def measure(browsers: int = BROWSERS, watch_s: float = WATCH_S) -> list[Figure]:
    """Ingest alone, delay with browsers, with slow ones among them, ingest with browsers."""
    with (
        centre_process() as centre,
        field_process(UNITS, REGISTERS, PERIOD_S) as port,
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
    ):
        centre.command("user", "add", USER, "--role", "viewer", "--password-env", "BENCH_PASSWORD")
        file = write_gateway(Path(folder), port, UNITS, REGISTERS, period_s=PERIOD_S, centre_url=centre.url)
        enrol(file, centre.code())
        with gateway_process(file), signed_in(centre) as client:
            _until_all(client)
            return asyncio.run(_beside(centre, client, browsers, watch_s))


async def _beside(centre: Centre, client: httpx2.Client, number: int, watch_s: float) -> list[Figure]:
    devices = [f"{GATEWAY}.unit{n}" for n in range(1, UNITS + 1)]
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    memory = psutil.Process(centre.pid).memory_info
    async with Pour.enrolled(centre, "gw-pour") as pour:
        alone = await pour.rate(now_us() - 3 * HOUR_US)
        await asyncio.sleep(SETTLE_S)
        before = memory().rss
        with browsers_process(centre.url, cookie, number, devices) as many:
            await asyncio.to_thread(_until_open, many, number)
            seen, cores, theirs = await _watch(many, centre, watch_s)
            each = (memory().rss - before) / number
            with browsers_process(centre.url, cookie, SLOW, ["slow", *devices]) as slow:
                slow.look()
                beside, _, _ = await _watch(many, centre, watch_s)
                held = memory().rss
            many.look()
            crowded = await pour.rate(now_us() - 6 * HOUR_US)
            under = many.look()
    changes = UNITS * REGISTERS / PERIOD_S
    return [
        Figure(f"browsers: values delivered to {number}", seen.values / watch_s, "1/s"),
        Figure("browsers: bytes delivered", seen.size / watch_s / 1e6, "MB/s"),
        Figure(f"browsers: delay at {changes:,.0f} changes/s, p50", _quantile(seen, 0.5), "s"),
        Figure("browsers: delay, p99", _quantile(seen, 0.99), "s", 1, "s (issue)", "< 1"),
        Figure(
            f"browsers: delay, p99, {SLOW} slow ones", _quantile(beside, 0.99), "s", 1, "s (issue)", "< 1"
        ),
        Figure("browsers: the centre's CPU meanwhile", cores, "cores"),
        Figure("browsers: the readers' own CPU meanwhile", theirs, "cores"),
        Figure("browsers: memory of the centre per client", each / 1e3, "kB"),
        Figure(
            f"browsers: more for {SLOW} that read nothing", (held - before) / 1e6 - each * number / 1e6, "MB"
        ),
        Figure("browsers: ingest beside them", crowded, "readings/s", alone, "without", "≥ 0.8"),
        Figure("browsers: delay during that, p99", _quantile(under, 0.99), "s"),
    ]


async def _watch(many: Browsers, centre: Centre, seconds: float) -> tuple[Seen, float, float]:
    """Look for so long; return what was seen, and how many cores the centre and the readers took."""
    processes = [psutil.Process(centre.pid), psutil.Process(many.pid)]
    await asyncio.to_thread(many.look)
    began, busy = time.perf_counter(), [_busy(process) for process in processes]
    await asyncio.sleep(seconds)
    seen = await asyncio.to_thread(many.look)
    passed = time.perf_counter() - began
    centres, theirs = ((_busy(one) - then) / passed for one, then in zip(processes, busy, strict=True))
    return seen, centres, theirs


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _quantile(seen: Seen, quantile: float) -> float:
    return float(np.quantile(seen.delays, quantile)) if seen.delays else float("inf")


def _until_open(many: Browsers, number: int) -> None:
    deadline = time.monotonic() + 120
    while many.look().open < number:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{number} readers do not all get a stream; look at centre.log")
        time.sleep(0.5)


def _until_all(client: httpx2.Client) -> None:
    """Wait until the last unit's values are there."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        answer = client.get("/api/v1/latest", params={"device": f"{GATEWAY}.unit{UNITS}"})
        if answer.status_code == 200 and len(answer.json()["items"]) >= REGISTERS:
            return
        time.sleep(0.3)
    raise RuntimeError("the gateway's values do not reach the centre; look at gateway.log")
