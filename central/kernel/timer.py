"""What the centre does by the clock. A failure is logged and tried again at the next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from central.kernel.problem import is_connection_failure

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timer:
    """One duty, done every `period_s` seconds."""

    name: str
    period_s: float
    duty: Callable[[], Awaitable[object]]

    async def run(self) -> None:
        """Do the duty again and again until cancelled."""
        while True:
            await asyncio.sleep(self.period_s)
            try:
                await self.duty()
            except Exception as error:
                # A duty that fails once is due again soon; the others must not suffer from it.
                if is_connection_failure(error):
                    log.warning("timer.database_unavailable", timer=self.name, error=str(error))
                else:
                    log.exception("timer.failed", timer=self.name)
