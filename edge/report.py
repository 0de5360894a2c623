"""How this gateway is, in the words of the link: built from the house for the centre."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Final

from edge.house import House
from edge.link.credentials import Token
from edge.link.disclosure import shown
from protocols.model.clock import SECOND_US
from protocols.wire.handshake import BacklogStatus, GatewayStatus, RunningConfig, StorageStatus

SOFTWARE: Final = f"citynerve {version('citynerve')}"
SMOOTHING: Final = 0.3
"""Weight of the newest measurement of the backlog's pace."""

SLOWEST_PER_S: Final = 0.1
"""A backlog that shrinks more slowly stands still, to the eye."""
MOST_HELD: Final = 500
"""Devices held by hand that a status names; it has a size that the centre takes."""


class Pace:
    """How fast a backlog shrinks, in readings per second, and when it will be gone."""

    def __init__(self) -> None:
        self._rows = 0
        self._at_us: int | None = None
        self._per_s: float | None = None

    def look(self, rows: int, now_us: int) -> tuple[float, float | None]:
        """Note the readings that wait now; return (readings per second, seconds left or None)."""
        if self._at_us is not None and now_us > self._at_us:
            measured = (self._rows - rows) * SECOND_US / (now_us - self._at_us)
            known = self._per_s
            self._per_s = measured if known is None else known + SMOOTHING * (measured - known)
        if self._at_us is None or now_us > self._at_us:
            self._rows, self._at_us = rows, now_us
        if self._per_s is None or self._per_s < SLOWEST_PER_S:
            return 0.0, None
        return round(self._per_s, 1), round(rows / self._per_s, 1)


class Report:
    """Makes the status of a running gateway."""

    def __init__(self, house: House, token: Token) -> None:
        self._house = house
        self._token = token
        self._started_us = house.clock()
        self._pace = Pace()

    def glance(self) -> object:
        """Return what the centre should hear at once when it changes; looks at memory only."""
        house = self._house
        config = house.settings.status()
        # Not `why`: on probation it counts the seconds.
        told = config.state, config.digest, config.running, config.wanted
        return told, house.commands.held, house.timekeeper.synced, self._token.made_us()

    async def status(self) -> GatewayStatus:
        """Return how the gateway is now. Raises StorageError."""
        house = self._house
        backlog, storage, (count, head) = await asyncio.to_thread(self._memory)
        return GatewayStatus(
            software=SOFTWARE,
            started_us=self._started_us,
            config=house.settings.status(),
            storage=storage,
            backlog=backlog,
            local_manual=tuple(sorted(house.commands.held)[:MOST_HELD]),
            clock_synced=house.timekeeper.synced,
            clock_offset_us=house.timekeeper.offset_us,
            audit_count=count,
            audit_head=head,
            token_us=self._token.made_us(),
        )

    async def config(self, digest: str) -> RunningConfig | None:
        """Return what runs as the centre may see it; None where it has another digest by now."""
        texts = await self._house.settings.text("running")
        return shown(texts.file, texts.profiles) if texts.digest == digest else None

    def _memory(self) -> tuple[BacklogStatus, StorageStatus, tuple[int, str]]:
        house = self._house
        depth = house.buffer.depth()
        oldest = [one.oldest_us for one in depth.values() if one.oldest_us is not None]
        rows = depth["readings"].rows
        per_s, eta_s = self._pace.look(rows, house.clock())
        backlog = BacklogStatus(
            batches=sum(one.batches for one in depth.values()),
            readings=rows,
            bytes=sum(one.bytes for one in depth.values()),
            oldest_us=min(oldest, default=None),
            readings_per_s=per_s,
            eta_s=eta_s,
        )
        return backlog, house.buffer.forecast(), house.audit.head()
