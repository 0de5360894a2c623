"""Carries pictures to the centre: one at a time, while nothing urgent waits and within their own budget.

A centre that does not know the path (404, 405) is asked again in ten minutes; what waits is then bounded by
the shelf. A picture leaves the shelf by a receipt that names it, or because the centre can never take it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import structlog

from edge.buffer.media import Held, MediaShelf
from edge.link.client import CentreClient, CentreError
from edge.link.road import Road
from protocols.model.clock import SECOND_US, Clock

_UNKNOWN_PATH: Final = frozenset({404, 405})
_LATER: Final = frozenset({401, 403, 408, 409, 425, 429})
AGAIN_S: Final = 600.0
_DAY_US: Final = 86_400 * SECOND_US


class MediaSender:
    """Sends what waits on the shelf; `wake` it after each picture.

    quiet: returns when no alarm, outcome or backlog of readings waits to be sent. day_bytes: what one UTC
    day may carry, counted since the process began; evidence and what was asked for may go half beyond it.
    """

    def __init__(
        self,
        shelf: MediaShelf,
        centre: CentreClient,
        road: Road,
        *,
        quiet: Callable[[], Awaitable[None]],
        clock: Clock,
        day_bytes: Callable[[], int | None],
    ) -> None:
        self.sent = 0
        self._shelf = shelf
        self._centre = centre
        self._road = road
        self._quiet = quiet
        self._clock = clock
        self._day_bytes = day_bytes
        self._day, self._used = 0, 0
        self._more = asyncio.Event()
        self._log = structlog.get_logger("edge.link")

    def wake(self) -> None:
        """Say that there is another picture."""
        self._more.set()

    async def run(self) -> NoReturn:
        """Send until cancelled."""
        while True:
            self._more.clear()
            waiting = await asyncio.to_thread(self._shelf.next)
            if waiting is None or not self._affordable(*waiting):
                await self._nap(AGAIN_S / 10)
                continue
            await self._quiet()
            await self._road.clear()
            await self._send(*waiting)

    async def _send(self, held: Held, data: bytes) -> None:
        self._used += len(data)
        try:
            receipt = await self._centre.send_media(data)
        except CentreError as error:
            if error.status in _UNKNOWN_PATH:
                self._log.info("the centre takes no pictures; it is asked again", in_s=AGAIN_S)
                await asyncio.sleep(AGAIN_S)
            elif 400 <= error.status < 500 and error.status not in _LATER:
                self._log.error("a picture is given up", boot=held.boot, seq=held.seq, reason=str(error))
                await asyncio.to_thread(self._shelf.give_up, held)
            else:
                self._road.failed(error)
            return
        if (receipt.stream, receipt.seq) != ("media", held.seq):
            self._road.failed(CentreError(0, "wrong-receipt", f"sent {held.seq}, received {receipt.seq}"))
            return
        self._road.passed()
        self.sent += 1
        await asyncio.to_thread(self._shelf.done, held)

    def _affordable(self, held: Held, data: bytes) -> bool:
        day, most = self._clock() // _DAY_US, self._day_bytes()
        if day != self._day:
            self._day, self._used = day, 0
        if most is None:
            return True
        return self._used + len(data) <= (most if held.cause == "wall" else most * 3 // 2)

    async def _nap(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return
