"""Numbers of messages: what is missing is fetched again, what is gone is told; and pieces of large calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import (
    BadMessageNotAvailable,
    BadNoSubscription,
    BadTooManyOperations,
    BadTooManyPublishRequests,
    UaStatusCodeError,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.field.opcua.limits import MOST, Limits
from protocols.field.opcua.publishing import MOST_OUTSTANDING, Publisher

ID = 7


def message(number: int, carries: bool = True) -> ua.NotificationMessage:
    made = ua.NotificationMessage()
    made.SequenceNumber = ua.UInt32(number)
    made.NotificationData = [ua.DataChangeNotification()] if carries else []
    return made


class Session:
    """What a server says to publish requests, in order; and the messages that it keeps for Republish."""

    def __init__(self, kept: Sequence[int] = ()) -> None:
        self.kept = set(kept)
        self.acknowledged: list[int] = []
        self.waiting: list[asyncio.Future[ua.PublishResponse]] = []

    async def publish(self, acks: list[ua.SubscriptionAcknowledgement]) -> ua.PublishResponse:
        self.acknowledged += [int(one.SequenceNumber) for one in acks]
        answer: asyncio.Future[ua.PublishResponse] = asyncio.get_running_loop().create_future()
        self.waiting.append(answer)
        return await answer

    async def republish(self, subscription: int, number: int) -> ua.NotificationMessage:
        assert subscription == ID
        if number not in self.kept:
            raise BadMessageNotAvailable
        return message(number)

    async def say(self, answer: ua.NotificationMessage | UaStatusCodeError, subscription: int = ID) -> None:
        """Answer the oldest request, and let the answer be taken."""
        await settled(lambda: bool(self.waiting))
        request = self.waiting.pop(0)
        if isinstance(answer, UaStatusCodeError):
            request.set_exception(answer)
        else:
            response = ua.PublishResponse()
            response.Parameters.SubscriptionId = ua.UInt32(subscription)
            response.Parameters.NotificationMessage = answer
            request.set_result(response)
        for _ in range(10):
            await asyncio.sleep(0)


def refusal(kind: Any) -> UaStatusCodeError:
    made: UaStatusCodeError = kind()
    return made


async def settled(holds: Callable[[], bool]) -> None:
    for _ in range(100):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


class Heard:
    def __init__(self) -> None:
        self.taken: list[tuple[int, bool]] = []
        self.lost = 0
        self.gone: list[str] = []

    def take(self, told: ua.NotificationMessage, late: bool) -> None:
        self.taken.append((int(told.SequenceNumber), late))

    def lose(self) -> None:
        self.lost += 1


@asynccontextmanager
async def publishing(session: Session) -> AsyncIterator[tuple[Publisher, Heard]]:
    heard = Heard()
    doubled: Any = session
    publisher = Publisher(doubled, heard.take, heard.lose, heard.gone.append)
    publisher.follow(ID)
    try:
        yield publisher, heard
    finally:
        await publisher.stop()


async def test_two_requests_wait_and_every_message_is_acknowledged() -> None:
    session = Session()
    async with publishing(session) as (_, heard):
        await settled(lambda: len(session.waiting) == 2)
        for number in (1, 2, 3):
            await session.say(message(number))
        await session.say(message(4, carries=False))
        await session.say(message(4))
        assert heard.taken == [(1, False), (2, False), (3, False), (4, False), (4, False)]
        assert len(session.waiting) == 2
        assert session.acknowledged == [1, 2, 3, 4]
        assert heard.lost == 0


@pytest.mark.parametrize("carries", [True, False], ids=["message", "keep-alive"])
async def test_a_missing_message_is_fetched_again_and_taken_late(carries: bool) -> None:
    session = Session(kept=(2, 3))
    async with publishing(session) as (_, heard):
        await session.say(message(1))
        await session.say(message(4, carries))
        assert heard.taken == [(1, False), (4, False), (2, True), (3, True)]
        assert heard.lost == 0
        await session.say(message(5 if carries else 4))
        assert heard.lost == 0


async def test_what_the_server_has_dropped_is_told_once() -> None:
    session = Session()
    async with publishing(session) as (_, heard):
        await session.say(message(1))
        await session.say(message(5))
        assert heard.lost == 1
        await session.say(message(6))
        await session.say(message(9_000))
        assert heard.lost == 2
        await session.say(message(9_001))
        assert [number for number, _ in heard.taken] == [1, 5, 6, 9_000, 9_001]
        assert heard.lost == 2


async def test_an_old_message_and_those_of_another_subscription_are_not_taken() -> None:
    session = Session()
    async with publishing(session) as (_, heard):
        await session.say(message(8))
        await session.say(message(7))
        await session.say(message(9), subscription=ID + 1)
        await session.say(message(9))
        assert [number for number, _ in heard.taken] == [8, 9]
        assert heard.lost == 0


async def test_numbers_go_on_with_one_after_the_highest() -> None:
    session = Session(kept=(2**32 - 1, 1))
    async with publishing(session) as (_, heard):
        await session.say(message(2**32 - 2))
        await session.say(message(2))
        assert heard.taken == [(2**32 - 2, False), (2, False), (2**32 - 1, True), (1, True)]


async def test_a_server_that_wants_one_request_keeps_one() -> None:
    session = Session()
    async with publishing(session) as (_, heard):
        await session.say(refusal(BadTooManyPublishRequests))
        await session.say(message(1))
        assert len(session.waiting) == 1
        await session.say(refusal(BadNoSubscription))
        assert heard.gone
        assert "BadNoSubscription" in heard.gone[0]


async def test_requests_are_kept_for_the_next_subscription() -> None:
    session = Session()
    async with publishing(session) as (publisher, heard):
        await settled(lambda: len(session.waiting) == 2)
        publisher.follow(ID + 1)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(session.waiting) == 2, "none that nobody would answer to"
        await session.say(refusal(BadNoSubscription))
        assert heard.gone == []
        await session.say(message(1), subscription=ID + 1)
        assert heard.taken == [(1, False)]
        publisher.more()
        publisher.more()
        await settled(lambda: len(session.waiting) == MOST_OUTSTANDING)


async def test_fetching_takes_what_should_have_come() -> None:
    session = Session(kept=(2, 3))
    async with publishing(session) as (publisher, heard):
        assert not await publisher.fetch()
        await session.say(message(1))
        assert await publisher.fetch()
        assert not await publisher.fetch()
        await session.say(message(4))
        assert heard.taken == [(1, False), (2, False), (3, False), (4, False)]


@settings(max_examples=25)
@given(wanted=st.integers(0, 1200), bears=st.integers(1, 700))
async def test_a_call_is_split_until_the_server_bears_it(wanted: int, bears: int) -> None:
    limits, sizes = Limits(), list[int]()

    async def call(piece: Sequence[int]) -> Sequence[int]:
        if len(piece) > bears:
            raise BadTooManyOperations
        sizes.append(len(piece))
        return [one * 2 for one in piece]

    assert await limits.split("read", range(wanted), call) == [one * 2 for one in range(wanted)]
    assert all(size <= min(bears, MOST) for size in sizes)
    assert limits.most["read"] > min(bears, MOST) // 2 or not wanted or limits.most["read"] == MOST
    assert limits.most["items"] == MOST


async def test_another_error_of_a_call_is_not_hidden() -> None:
    async def call(_: Sequence[int]) -> Sequence[int]:
        raise UaStatusCodeError(StatusCodes.BadSessionIdInvalid)  # type: ignore[no-untyped-call]

    with pytest.raises(UaStatusCodeError):
        await Limits().split("read", [1, 2], call)
