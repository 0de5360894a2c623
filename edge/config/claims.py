"""What only one connection can have: a serial port, a DTU that dials in, a name at a broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from edge.config.document import Document, Path_
from protocols.field.base import Driver

CLIENT_ID: Final = "client_id"


def with_client_id(
    driver: type[Driver], settings: Mapping[str, Any], gateway: object, key: str
) -> dict[str, Any]:
    """Return a connection's settings with the name by which it signs in at a broker, where none is written.

    Two gateways made from one file then differ by their own ids, and never throw each other out.
    """
    if CLIENT_ID not in driver.Settings.model_fields:
        return dict(settings)
    return {CLIENT_ID: f"gw-{gateway}-{key}", **settings}


class Claims:
    """What the connections of one file have taken so far."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._clients: dict[tuple[str, int, str], str] = {}
        self._taken: dict[str, str] = {}

    def check(self, at: Path_, key: str, settings: BaseModel) -> None:
        """Note what connection `key` takes; a mistake where another one has it. at: its settings."""
        self._client_id(at, key, settings)
        taken = getattr(settings, "occupies", "")
        if not taken:
            return
        if taken in self._taken:
            self._document.mistake(
                at,
                f"connection {self._taken[taken]!r} has {taken} already",
                "one connection for each serial port and each DTU",
                f"put its devices on connection {self._taken[taken]!r}: they share the line and its order",
            )
        self._taken.setdefault(taken, key)

    def _client_id(self, at: Path_, key: str, settings: BaseModel) -> None:
        """Two lines under one client id would throw each other out of the broker for ever."""
        name = getattr(settings, CLIENT_ID, None)
        if name is None:
            return
        client = (getattr(settings, "host", ""), getattr(settings, "port", 0), name)
        first = self._clients.setdefault(client, key)
        if first != key:
            self._document.mistake(
                (*at, CLIENT_ID),
                f"connection {first!r} signs in at the same broker as {name!r} too",
                "a client id of its own for each connection",
                f"write `client_id: {name}-2`, or remove the line",
            )
