"""Exchange of the gateway's token: when the centre asks for it, and by itself when it has grown old."""

from __future__ import annotations

import asyncio
from typing import Final, NoReturn

import structlog

from edge.link.client import CentreClient, CentreError
from edge.link.credentials import Token
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import CommandState
from protocols.model.order import Rotate

LOOK_S: Final = 3600.0
DAY_US: Final = 86_400 * SECOND_US


class Rotation:
    """Fetches a new token, keeps it beside the old one, and proves it."""

    def __init__(self, centre: CentreClient, token: Token, days: float, clock: Clock = now_us) -> None:
        self._centre = centre
        self._token = token
        self._days = days
        self._clock = clock
        self._one = asyncio.Lock()
        self._log = structlog.get_logger("edge.link")

    async def run(self) -> NoReturn:
        """Exchange the token whenever it is older than the days it should live; until cancelled."""
        while True:
            made_us = self._token.made_us()
            if made_us is not None and self._clock() - made_us > self._days * DAY_US:
                try:
                    await self.rotate()
                except (CentreError, Rejected, OSError) as error:
                    self._log.warning("token is old and cannot be exchanged yet", reason=str(error))
            await asyncio.sleep(LOOK_S)

    async def rotate(self) -> None:
        """Exchange the token. Raises CentreError, Rejected or OSError; the old one then still opens."""
        async with self._one:
            fresh = await self._centre.rotate()
            self._token.offer(fresh.token)
            await self._centre.knock()
            if self._token() != fresh.token:
                raise CentreError(401, "not-taken", "the centre did not take the token that it had given")
            self._log.info("token is exchanged")

    async def obey(self, order: Rotate, offset_us: int) -> tuple[CommandState, str, str]:
        """Exchange the token because the centre asks for it; return what became of it, why, and in words.

        offset_us: the centre's clock minus ours.
        """
        if self._clock() + offset_us >= order.expires_us:
            return CommandState.EXPIRED, "expired", "its time was over"
        try:
            await self.rotate()
        except CentreError as error:
            return CommandState.FAILED, error.code, str(error)
        except Rejected as error:
            return CommandState.FAILED, error.reason, str(error)
        except OSError as error:
            return CommandState.FAILED, "storage", f"the new token was not kept: {error}"
        return CommandState.VERIFIED, "", "the centre took the new token"
