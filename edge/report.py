"""How this gateway is, in the words of the link: built from the house for the centre."""

from __future__ import annotations

import asyncio
from typing import Final

from edge.config.bind import SOFTWARE
from edge.house import House
from edge.house.memory import memory
from edge.link.credentials import Token
from edge.link.disclosure import shown
from protocols.wire.handshake import GatewayStatus, RunningConfig

MOST_HELD: Final = 500
"""Devices held by hand that a status names; it has a size that the centre takes."""


class Report:
    """Makes the status of a running gateway."""

    def __init__(self, house: House, token: Token) -> None:
        self._house = house
        self._token = token
        self._started_us = house.clock()

    def glance(self) -> object:
        """Return what the centre should hear at once when it changes; looks at memory only."""
        house = self._house
        config = house.settings.status()
        # Not `why`: on probation it counts the seconds.
        told = config.state, config.digest, config.running, config.wanted
        return (
            told,
            house.commands.held,
            house.timekeeper.synced,
            self._token.made_us(),
            house.pictures.status() is None,
        )

    async def status(self) -> GatewayStatus:
        """Return how the gateway is now. Raises StorageError."""
        house = self._house
        backlog, storage = await memory(house)
        count, head = await asyncio.to_thread(house.audit.head)
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
            pictures=house.pictures.status(),
        )

    async def config(self, digest: str) -> RunningConfig | None:
        """Return what runs as the centre may see it; None where it has another digest by now."""
        texts = await self._house.settings.text("running")
        return shown(texts.file, texts.profiles) if texts.digest == digest else None
