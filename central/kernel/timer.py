"""What the centre does by the clock. A failure is logged and tried again at the next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter

import structlog
from prometheus_client import Counter, Gauge, Histogram

from central.kernel.problem import is_connection_failure

log = structlog.get_logger(__name__)

DONE = Gauge("citynerve_timer_done_timestamp_seconds", "When the duty was last done well", ["timer"])
FAILED = Counter("citynerve_timer_failures", "Turns of the duty that failed", ["timer"])
SECONDS = Histogram(
    "citynerve_timer_seconds",
    "Time that one turn of the duty took",
    ["timer"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600),
)
LATE = Histogram(
    "citynerve_loop_late_seconds",
    "How much later than asked the event loop woke a timer: the centre has too much to do",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


@dataclass(frozen=True, slots=True)
class Timer:
    """One duty, done every `period_s` seconds."""

    name: str
    period_s: float
    duty: Callable[[], Awaitable[object]]

    async def run(self) -> None:
        """Do the duty again and again until cancelled."""
        while True:
            asleep = perf_counter()
            await asyncio.sleep(self.period_s)
            started = perf_counter()
            LATE.observe(max(0.0, started - asleep - self.period_s))
            try:
                await self.duty()
                DONE.labels(self.name).set_to_current_time()
                SECONDS.labels(self.name).observe(perf_counter() - started)
            except Exception as error:
                FAILED.labels(self.name).inc()
                # A duty that fails once is due again soon; the others must not suffer from it.
                if is_connection_failure(error):
                    log.warning("timer.database_unavailable", timer=self.name, error=str(error))
                else:
                    log.exception("timer.failed", timer=self.name)
