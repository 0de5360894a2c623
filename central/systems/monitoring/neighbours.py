"""Who is on the same bus: devices that a gateway reads over one connection, as its configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import yaml

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KEPT: Final = 32
"""Configurations that are remembered as read; a large one takes a second."""


@dataclass(frozen=True, slots=True)
class Bus:
    """A connection of a gateway by its key there, and the keys of the devices on it."""

    connection: str
    protocol: str
    devices: frozenset[str]


def bus_of(text: str, device: str) -> Bus | None:
    """Return the bus of a device by the text of a gateway's configuration; None where that names none.

    The text is what a gateway shows of itself: it was checked there, and is read with suspicion here.
    """
    connections, on = _read(text)
    mine = on.get(device)
    if mine is None:
        return None
    return Bus(mine, connections.get(mine, ""), frozenset(key for key, other in on.items() if other == mine))


@lru_cache(KEPT)
def _read(text: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return connection -> protocol, and device -> connection."""
    try:
        told = yaml.load(text, Loader=LOADER)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}, {}
    connections = {str(one.get("key")): str(one.get("protocol", "")) for one in _list(told, "connections")}
    devices = {
        str(one.get("key")): str(one["connection"]) for one in _list(told, "devices") if one.get("connection")
    }
    return connections, devices


def _list(told: Any, name: str) -> list[dict[str, Any]]:
    items = told.get(name) if isinstance(told, dict) else None
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
