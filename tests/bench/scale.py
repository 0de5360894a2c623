"""What a screen waits for in a grown city: 100,000 points, 100 million readings, 50,000 open alarms.

The city is put into the tables (`tests.bench.scale_city`), then a centre runs on it and is asked over HTTP,
one question after another, each about other things than the one before. `--scale 0.01` is a hundredth of it;
`--data FOLDER` keeps the database for another run.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import numpy as np

from tests.bench.figure import Figure
from tests.bench.overview import overview
from tests.bench.processes import USER, Centre, bench_folder, centre_process, signed_in
from tests.bench.scale_city import OPEN, SECONDLY, Size, fill

VIEWPORT = 25
"""Devices of a viewport, 20 points each."""
WORDS = (
    "泵站",
    "液位",
    "pump",
    "site-12",
    "northgate level",
    "dev-77",
    "江东区 水泵",
    "temperature 9",
    "gauge 4",
    "v13",
)
Params = list[tuple[str, str | int | float | bool | None]]


def measure(scale: float = 1.0, data: Path | None = None) -> list[Figure]:
    """Fill, run, ask."""
    with bench_folder(data) as folder:
        size = fill(folder, scale)
        with centre_process(folder) as centre:
            if not (made := folder / "bench-user").exists():
                centre.command("user", "add", USER, "--role", "admin", "--password-env", "BENCH_PASSWORD")
                made.touch()
            figures = _ask(centre, size)
            return figures + overview(centre, "overview page interactive")


def _ask(centre: Centre, size: Size) -> list[Figure]:
    chance = random.Random(7)  # noqa: S311 - which point is asked for is no secret
    today = datetime.fromtimestamp(size.today * 86_400, UTC)
    name = f"scale {size.points:,} points, {size.readings / 1e6:,.0f} M readings"

    def point(series: int) -> str:
        row = series - 1
        return f"gw-{row // 2000 + 1}.dev-{row // 20}.v{row % 20}"

    def span(days: int, series: int, resolution: str, **more: str) -> Params:
        start = (today - timedelta(days=days)).isoformat()
        asked = {"from": start, "to": today.isoformat(), "point": point(series), "resolution": resolution}
        return list((asked | more).items())

    def viewport() -> Params:
        first = chance.randrange(size.points // 20 - VIEWPORT)
        return [("device", f"gw-{d // 100 + 1}.dev-{d}") for d in range(first, first + VIEWPORT)]

    def one_site() -> Params:
        return [("site", f"site-{chance.randrange(size.points // 200)}")]

    yearly = min(1000, size.points)
    with signed_in(centre) as client:
        timed = Timed(client)
        pages = _cursors(client)
        return [
            Figure(f"{name}, load average", os.getloadavg()[0], ""),
            *timed(
                "latest values of a viewport (500)", "/api/v1/latest", viewport, 100, want=0.99, times=100
            ),
            *timed(
                "one point, one year hourly (8,760)",
                "/api/v1/history/columns",
                lambda: span(365, chance.randint(1, yearly), "1h"),
                50,
            ),
            *timed(
                "one point, one day raw (86,400)",
                "/api/v1/history/columns",
                lambda: span(1, chance.randint(1, SECONDLY), "raw"),
                150,
                times=40,
            ),
            *timed(
                f"alarm list, first page of {size.of(OPEN):,}",
                "/api/v1/alarms",
                lambda: [("limit", "100")],
                50,
            ),
            *timed(
                "alarm list, a later page",
                "/api/v1/alarms",
                lambda: [("limit", "100"), ("cursor", chance.choice(pages))],
                50,
            ),
            *timed(
                "alarm list, by priority",
                "/api/v1/alarms",
                lambda: [("limit", "100"), ("sort", "priority")],
                50,
            ),
            *timed("alarm list of one site", "/api/v1/alarms", lambda: [("limit", "100"), *one_site()], 50),
            *timed(
                "alarm list, the closed ones",
                "/api/v1/alarms",
                lambda: [("limit", "100"), ("state", "closed")],
                50,
            ),
            *timed("registry, full-text search", "/api/v1/search", lambda: [("q", chance.choice(WORDS))], 50),
        ]


class Timed:
    """Asks one question many times, and holds p10, p50 and p99 of it against a limit, ms.

    On a machine that is shared the tenth that was fastest has waited least for others.
    """

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def __call__(
        self,
        name: str,
        path: str,
        params: Callable[[], Params],
        limit: float,
        *,
        want: float = 0.5,
        times: int = 60,
    ) -> list[Figure]:
        """Return the figures; want: the quantile that the limit is for. The first five are not counted."""
        took = np.array([self._once(path, params()) for _ in range(times + 5)][5:])
        figures = []
        sys.stdout.write(f"  {name}: {np.quantile(took, 0.5) * 1e3:.0f} ms, load {os.getloadavg()[0]:.1f}\n")
        sys.stdout.flush()
        for quantile in (0.1, 0.5, 0.99):
            value = float(np.quantile(took, quantile)) * 1e3
            held = quantile == want
            figures.append(
                Figure(
                    f"{name}, p{quantile * 100:.0f}",
                    value,
                    "ms",
                    limit,
                    "ms (issue)",
                    f"< {limit:g}" if held else "",
                )
            )
        return figures

    def _once(self, path: str, params: Params) -> float:
        began = time.perf_counter()
        answer = self._client.get(path, params=params)
        took = time.perf_counter() - began
        answer.raise_for_status()
        if not answer.json().get("items", True):
            raise RuntimeError(f"{answer.request.url} answers with nothing; the city is not as it should be")
        return took


def _cursors(client: httpx2.Client) -> list[str]:
    """Walk some way down the list; return the cursors of its pages."""
    cursors: list[str] = []
    while len(cursors) < 20:
        params = {"limit": "200"} | ({"cursor": cursors[-1]} if cursors else {})
        page = client.get("/api/v1/alarms", params=params).raise_for_status().json()
        if not page["next_cursor"]:
            break
        cursors.append(page["next_cursor"])
    return cursors or [""]
