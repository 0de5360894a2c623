"""The state of the road to the centre, shared by all that travel in one direction: one pause for all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final, Literal

import structlog
from tenacity import RetryCallState, Retrying, wait_random_exponential

from edge.link.client import CentreError

RoadState = Literal["unknown", "up", "down", "refused"]
SLOW_S: Final = 60.0
"""Pause after the centre does not know this gateway: only a person can change that."""
MAX_PAUSE_S: Final = 30.0
_REFUSED: Final = frozenset({401, 403})


class Road:
    """Whether the centre can be reached, and until when nobody should try. Times: the loop's clock."""

    def __init__(
        self, name: str, jitter: Callable[[], float] = random.random, slow_s: float = SLOW_S
    ) -> None:
        self.state: RoadState = "unknown"
        self.reason = ""
        self.failures = 0
        self.answers = 0
        """How often the centre has answered as it should."""
        self._wait = wait_random_exponential(multiplier=0.5, max=MAX_PAUSE_S)
        self._jitter = jitter
        self._slow_s = slow_s
        self.until = 0.0
        """Time of the loop before which nobody tries."""
        self._log = structlog.get_logger("edge.link").bind(road=name)

    async def clear(self) -> None:
        """Wait until the road may be tried."""
        loop = asyncio.get_running_loop()
        while (pause := self.until - loop.time()) > 0:  # noqa: ASYNC110 - a failure moves the end
            await asyncio.sleep(pause)

    def passed(self) -> None:
        """Note that the centre answered as it should."""
        self.answers += 1
        if self.state != "up":
            self._log.info("centre is reached", after_failures=self.failures)
        self.state, self.reason, self.failures, self.until = "up", "", 0, 0.0

    def failed(self, error: CentreError) -> None:
        """Note a failure and set the pause for everybody, growing and spread by chance."""
        now = asyncio.get_running_loop().time()
        if now < self.until:
            return  # somebody who set out at the same time has said so already
        self.failures += 1
        state: RoadState = "refused" if error.status in _REFUSED else "down"
        if state != self.state or error.code != self.reason:
            self._log.warning("centre does not take this", reason=str(error), code=error.code)
        self.state, self.reason = state, error.code
        if state == "refused":
            pause = self._slow_s * (0.8 + 0.4 * self._jitter())
        elif error.retry_after_s is not None:
            pause = min(error.retry_after_s, MAX_PAUSE_S) * (1 + 0.2 * self._jitter())
        else:
            pause = self._wait(_attempt(self.failures))
        self.until = now + pause


def _attempt(number: int) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = min(number, 10)
    return state
