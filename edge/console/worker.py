"""One thread of the page's own for what takes long: hashing a password, reading the buffer for a trend.

The gateway's threads write the readings to disk; a page must never make them wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Args = ParamSpec("Args")
Result = TypeVar("Result")


class Worker:
    """Runs one thing at a time, in order."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "page")

    async def run(self, work: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs) -> Result:
        """Run `work` in the page's thread and return what it returns. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Let go of the thread; what has not begun is forgotten, what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
