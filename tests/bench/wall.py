"""The wall for an hour against a centre that runs: `python -m tests.bench.wall URL PASSWORD [MINUTES]`.

A minute apart the JavaScript heap is collected and measured. It is flat if the line through the samples
rises by less than the noise around it; the first ten minutes are left out, in which its lists fill. The
samples are kept in `.bench/wall.csv`.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import numpy as np
from playwright.sync_api import sync_playwright

from tests.bench.figure import Figure, table
from tests.e2e.browser import launch_options, require_browser

WARM_MIN = 10
SAMPLES = Path(".bench/wall.csv")


class Sample(NamedTuple):
    """Minute since the start; heap after collection, MB; the document's nodes and listeners; connection."""

    minute: int
    heap_mb: float
    nodes: int
    listeners: int
    light: str


def soak(url: str, password: str, minutes: int) -> list[Figure]:
    """Link a screen, watch it for so many minutes, and say what its memory did."""
    samples: list[Sample] = []
    SAMPLES.parent.mkdir(exist_ok=True)
    with sync_playwright() as playwright, SAMPLES.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Sample._fields)
        browser = playwright.chromium.launch(**launch_options(require_browser()))
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(f"{url}/wall?lang=zh#{_code(url, password)}")
        page.get_by_test_id("wall").wait_for()
        meter = page.context.new_cdp_session(page)
        meter.send("Performance.enable")
        began = time.monotonic()
        for minute in range(minutes + 1):
            page.wait_for_timeout(max(0.0, began + 60 * minute - time.monotonic()) * 1000)
            light = page.get_by_test_id("wall-light").get_attribute("data-state") or ""
            samples.append(_sample(meter, minute, light))
            writer.writerow(samples[-1])
            file.flush()
            print(*samples[-1])
        browser.close()
    return figures(samples)


def figures(samples: list[Sample]) -> list[Figure]:
    """Return the most of the heap, its slope, and what else may grow."""
    warm = [sample for sample in samples if sample.minute >= WARM_MIN] or samples
    hours = np.array([sample.minute for sample in warm]) / 60
    heap = np.array([sample.heap_mb for sample in warm])
    slope, start = np.polyfit(hours, heap, 1)
    noise = float(np.std(heap - (slope * hours + start)))
    return [
        Figure(f"wall, {samples[-1].minute} min: heap, most", float(heap.max()), "MB"),
        Figure("wall: slope of the heap", float(slope), "MB/h", noise, "MB, noise around the line"),
        Figure("wall: nodes, most", float(max(sample.nodes for sample in warm)), ""),
        Figure("wall: listeners, most", float(max(sample.listeners for sample in warm)), ""),
    ]


def _code(url: str, password: str) -> str:
    with httpx2.Client(base_url=f"{url}/api/v1", trust_env=False, headers={"Origin": url}) as client:
        client.post("/session", json={"username": "admin", "password": password}).raise_for_status()
        made = client.post("/wall-screens", json={"name": "Soak"})
        made.raise_for_status()
        return str(made.json()["code"])


def _sample(meter: Any, minute: int, light: str) -> Sample:
    for _ in range(2):  # the second takes what the first has finalised
        meter.send("HeapProfiler.collectGarbage")
    found = {item["name"]: item["value"] for item in meter.send("Performance.getMetrics")["metrics"]}
    heap_mb = round(found["JSHeapUsedSize"] / 2**20, 2)
    return Sample(minute, heap_mb, int(found["Nodes"]), int(found["JSEventListeners"]), light)


if __name__ == "__main__":
    print(table(soak(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 60)))
