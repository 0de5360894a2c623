"""Tells the centre how the gateway is: every few seconds, at once when a word of it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import structlog

from edge.link.client import CentreClient, CentreError
from edge.link.road import Road
from protocols.errors import StorageError
from protocols.wire.handshake import GatewayStatus, RunningConfig

PERIOD_S: Final = 10.0
LOOK_S: Final = 1.0
_UNKNOWN_PATHS: Final = frozenset({404, 405})


class Reporter:
    """Asks for the status and puts it at the centre. `run` never ends.

    glance: what of the status must be told at once, compared from look to look; cheap enough for every
    second. status: the whole, read from the disk where needed. config: what runs, under the digest that
    the status names; None where it is another one by now.
    """

    def __init__(
        self,
        centre: CentreClient,
        road: Road,
        *,
        glance: Callable[[], object],
        status: Callable[[], Awaitable[GatewayStatus]],
        config: Callable[[str], Awaitable[RunningConfig | None]],
    ) -> None:
        self._centre = centre
        self._road = road
        self._glance = glance
        self._status = status
        self._config = config
        self._shown = ""
        self._log = structlog.get_logger("edge.link")

    async def run(self) -> NoReturn:
        """Report until cancelled."""
        loop = asyncio.get_running_loop()
        said: object = None
        due = 0.0
        while True:
            seen = self._glance()
            if seen != said or loop.time() >= due:
                if await self._report():
                    said = seen
                due = loop.time() + PERIOD_S
            await asyncio.sleep(LOOK_S)

    async def _report(self) -> bool:
        await self._road.clear()
        try:
            status = await self._status()
            await self._centre.report(status)
            await self._show(status.config.digest)
        except StorageError as error:
            self._log.error("status cannot be read from the buffer", reason=str(error))
            return False
        except CentreError as error:
            if error.status in _UNKNOWN_PATHS:
                # A centre of before: it takes readings, and knows no status. Nothing is wrong with the road.
                return True
            self._road.failed(error)
            return False
        self._road.passed()
        return True

    async def _show(self, digest: str) -> None:
        if not digest or digest == self._shown:
            return
        config = await self._config(digest)
        if config is not None:
            await self._centre.show_config(digest, config)
            self._shown = digest
