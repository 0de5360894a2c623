"""The gateway for an hour: 10,000 points at 1 Hz, forwarded; `python -m tests.bench.soak [MINUTES]`.

Memory is flat if the line through its samples rises by less than the noise around it. The first minutes
are left out: caches fill, and the interpreter's arenas settle.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import numpy as np
import psutil

from tests.bench.field import field_process, write_gateway
from tests.bench.figure import Figure, table
from tests.bench.processes import enrol, gateway_process
from tests.bench.sink import sink_process

UNITS, REGISTERS = 200, 50
EVERY_S = 10.0
WARM_S = 300.0
SAMPLES = Path(".bench/soak.csv")


class Sample(NamedTuple):
    """s since the start, resident MB, CPU seconds of the process, readings that the sink has taken."""

    at_s: float
    rss_mb: float
    cpu_s: float
    readings: int


def soak(minutes: float) -> list[Figure]:
    """Run, sample, and keep the samples in `.bench/soak.csv`; return what they say."""
    samples: list[Sample] = []
    SAMPLES.parent.mkdir(exist_ok=True)
    with SAMPLES.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Sample._fields)
        for sample in _samples(minutes * 60):
            samples.append(sample)
            writer.writerow(sample)
            file.flush()
            if len(samples) % 6 == 0:
                sys.stdout.write(
                    f"{sample.at_s / 60:5.0f} min  {sample.rss_mb:6.1f} MB  {sample.readings:,} readings\n"
                )
                sys.stdout.flush()
    return figures(samples, minutes)


def figures(samples: list[Sample], minutes: float) -> list[Figure]:
    """Return the slope of the memory, its most, and the share of one core."""
    warm = [sample for sample in samples if sample.at_s >= min(WARM_S, minutes * 20)]
    hours = np.array([sample.at_s for sample in warm]) / 3600
    memory = np.array([sample.rss_mb for sample in warm])
    slope, start = np.polyfit(hours, memory, 1)
    noise = float(np.std(memory - (slope * hours + start)))
    spent = warm[-1].at_s - warm[0].at_s
    return [
        Figure(f"soak of {minutes:g} min: RSS, most", float(memory.max()), "MB", 100, "MB (issue)", "< 100"),
        Figure("soak: slope of RSS", float(slope), "MB/h", noise, "MB, noise around the line"),
        Figure("soak: CPU", (warm[-1].cpu_s - warm[0].cpu_s) / spent, "cores", 0.5, "core (issue)", "< 0.5"),
        Figure(
            "soak: readings taken by the centre",
            (warm[-1].readings - warm[0].readings) / spent,
            "1/s",
            UNITS * REGISTERS,
            "points at 1 Hz",
            "≥ 0.99",
        ),
    ]


def _samples(seconds: float) -> Iterator[Sample]:
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as folder,
        field_process(UNITS, REGISTERS) as port,
        sink_process() as url,
    ):
        file = write_gateway(
            Path(folder), port, UNITS, REGISTERS, period_s=1.0, alarms=REGISTERS // 10, centre_url=url
        )
        enrol(file)
        with gateway_process(file) as process, httpx2.Client(trust_env=False) as client:
            began = time.monotonic()
            while (at_s := time.monotonic() - began) < seconds:
                yield _sample(at_s, process, int(client.get(f"{url}/count").json()["readings"]))
                time.sleep(EVERY_S)


def _sample(at_s: float, process: psutil.Process, readings: int) -> Sample:
    times = process.cpu_times()
    return Sample(at_s, process.memory_info().rss / 1e6, float(times.user + times.system), readings)


if __name__ == "__main__":
    print(table(soak(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)))
