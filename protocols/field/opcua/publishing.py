"""Publish requests of one session, two always at the server (OPC 10000-4, 5.14.5), and the order of messages.

    request, request ─→ server          a message ─→ its number is the next?  taken, acknowledged
                                         a number is missing ─→ Republish ─→ there: taken late · gone: lost
A keep-alive carries the number of the message that will come next, so that it shows a missing one, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.field.opcua.answers import FieldSession

OUTSTANDING: Final = 2
MOST_OUTSTANDING: Final = 2 * OUTSTANDING
_MOST_MISSING: Final = 100
_HIGHEST: Final = 2**32 - 1
_PAUSE_S: Final = 1.0
GONE: Final = frozenset(
    {
        StatusCodes.BadNoSubscription, StatusCodes.BadSubscriptionIdInvalid,
        StatusCodes.BadSessionIdInvalid, StatusCodes.BadSessionClosed,
    }
)  # fmt: skip
"""What a server answers that has no such subscription, or no such session, any more."""

Take = Callable[[ua.NotificationMessage, bool], None]
"""Takes a message; True where it is a late one, which is older than what was taken before it."""


class Publisher:
    """Keeps asking for the messages of the subscription that it follows, until `stop`.

    Requests belong to the session: one that is given up here still waits at the server, and swallows the
    next message. So they are kept when another subscription is followed.

    take: hears every message, keep-alives included. lost: hears that messages are gone for good. gone:
    hears that the server has no such subscription any more.
    """

    def __init__(
        self,
        session: FieldSession,
        take: Take,
        lost: Callable[[], None],
        gone: Callable[[str], None],
    ) -> None:
        self.session = session
        self.subscription = 0
        self._take = take
        self._lost = lost
        self._gone = gone
        self._next = 0
        """Number of the message that must come next; 0 before the first one."""
        self._acks: list[ua.SubscriptionAcknowledgement] = []
        self._missing: deque[int] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking = 0

    def follow(self, subscription: int) -> None:
        """Take the messages of a new subscription from now on, with as many requests as there should be."""
        self.subscription, self._next, self._acks = subscription, 0, []
        self._missing.clear()
        self.more(OUTSTANDING)

    def more(self, most: int = MOST_OUTSTANDING) -> None:
        """Send requests until so many wait at the server: those there may have got lost."""
        for _ in range(min(most - self._asking, OUTSTANDING)):
            self._asking += 1
            self._begin(self._ask())

    async def stop(self) -> None:
        """Ask no more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self) -> bool:
        """Ask for the message that should have come, and some after it; return whether there was any.

        Raises UaStatusCodeError where the server has no such subscription, or no Republish.
        """
        found = False
        for _ in range(_MOST_MISSING):
            if not self._next or (message := await self._republished(self._next)) is None:
                break
            found = True
            self._acknowledge(self._next)
            self._next = _after(self._next)
            self._take(message, False)
        return found

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self) -> None:
        try:
            await self._keep_asking()
        finally:
            self._asking -= 1

    async def _keep_asking(self) -> None:
        while True:
            acks, self._acks = self._acks, []
            followed = self.subscription
            try:
                response = await self.session.publish(acks)
            except UaStatusCodeError as error:
                if error.code == StatusCodes.BadTooManyPublishRequests:
                    return  # one request less, as the server wishes; it keeps the other
                if error.code in GONE and followed != self.subscription:
                    continue  # said of the one before
                if error.code in GONE:
                    self._gone(
                        f"the server has no such subscription any more ({ua.StatusCode(error.code).name})"
                    )
                    return
                if error.code != StatusCodes.BadTimeout:
                    await asyncio.sleep(_PAUSE_S)
            except UaError:
                self._lost()  # an answer that cannot be read; the next one may be
                await asyncio.sleep(_PAUSE_S)
            except OSError:
                return  # the connection is gone, which the session's own watchdog tells
            else:
                self._sort(response.Parameters)

    def _sort(self, result: ua.PublishResult) -> None:
        if result.SubscriptionId != self.subscription:
            return  # of a subscription that was given up
        message = result.NotificationMessage
        number = int(message.SequenceNumber)
        carries = bool(message.NotificationData)
        if self._next and number != self._next:
            behind = (number - self._next) % _HIGHEST
            if behind > _HIGHEST // 2:
                if carries:
                    self._acknowledge(number)  # an older one, that was taken already
                return
            if behind <= _MOST_MISSING:
                self._missing.extend(_step(self._next, one) for one in range(behind))
                self._begin(self._repair())
            else:
                self._lost()
        if carries:
            self._acknowledge(number)
            self._next = _after(number)
        elif number and not message.NotificationData:
            self._next = number
        self._take(message, False)

    async def _repair(self) -> None:
        """Fetch what is missing; say so where it is gone."""
        while self._missing:
            number = self._missing.popleft()
            try:
                message = await self._republished(number)
            except UaError:
                message = None
            except (OSError, TimeoutError):
                return  # the watchdog sees a silent server
            if message is None:
                self._missing.clear()
                self._lost()
            else:
                self._acknowledge(number)
                self._take(message, True)

    async def _republished(self, number: int) -> ua.NotificationMessage | None:
        """Return a message again; None where the server does not keep it."""
        try:
            message = await self.session.republish(self.subscription, number)
        except UaStatusCodeError as error:
            if error.code == StatusCodes.BadMessageNotAvailable:
                return None
            raise
        # Some servers answer with an empty message instead of the error.
        return message if message.NotificationData and message.SequenceNumber == number else None

    def _acknowledge(self, number: int) -> None:
        self._acks.append(
            ua.SubscriptionAcknowledgement(SubscriptionId=self.subscription, SequenceNumber=ua.UInt32(number))
        )


def _after(number: int) -> int:
    """Return the number after one; 0 is left out (OPC 10000-4, 7.9)."""
    return 1 if number == _HIGHEST else number + 1


def _step(number: int, steps: int) -> int:
    return (number - 1 + steps) % _HIGHEST + 1
