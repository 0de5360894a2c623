"""The live feed: what one browser wants to hear, conflated so that a slow one is never flooded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np

from central.kernel.bus import Bus, Kind, Message
from central.live.latest import LatestBoard, LatestValue, SeriesColumn

FLUSH_S = 0.25
PING_S = 15.0
MAX_CLIENTS = 500


@dataclass(frozen=True, slots=True)
class ReadingsChanged:
    """The newest values of points that changed since the client's last flush."""

    items: list[LatestValue]


@dataclass(frozen=True, slots=True)
class Lagged:
    """The client was too slow: `dropped` messages were lost, and it should reload its page's data."""

    dropped: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing happened for a while; keeps proxies from closing the stream."""


FeedItem = ReadingsChanged | Message | Lagged | Ping
FeedKind = Literal["readings"] | Kind


class FeedClient:
    """One open stream. Iterate it; leave its `with` block to close it."""

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[FeedItem]:
        """Yield items for as long as the centre runs; at most four ReadingsChanged a second."""
        raise NotImplementedError


class Feed:
    """Hands committed readings and bus messages to every open stream."""

    def __init__(self, latest: LatestBoard, bus: Bus) -> None:
        self._latest = latest
        self._bus = bus
        self._closing = asyncio.Event()

    @property
    def clients(self) -> int:
        """How many streams are open."""
        raise NotImplementedError

    def open(self, series: Iterable[int], kinds: Iterable[Kind]) -> FeedClient:
        """Open a stream of the newest values of these series (none: no readings) and these bus kinds.

        Raises Rejected(`too-many-clients`) beyond MAX_CLIENTS.
        """
        raise NotImplementedError

    def publish(self, changed: SeriesColumn) -> None:
        """Mark series as changed for whoever watches them. Called by the pipeline after a commit."""
        raise NotImplementedError

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        raise NotImplementedError
