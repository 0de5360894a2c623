"""A gateway file read, bound and planned, down to the requests of its drivers; nothing runs yet."""

from __future__ import annotations

from pathlib import Path

from edge.config.bind import Plan, bind
from edge.config.load import load
from edge.config.texts import Texts
from edge.health import DEVICE_POINTS, own_points
from protocols.errors import ConfigError, Mistake
from protocols.field.base import ReadTask


def open_plan(path: Path, texts: Texts | None = None) -> Plan:
    """Read and bind a gateway file, or `texts` as if they lay there. Raises ConfigError with its mistakes."""
    loaded = load(path, DEVICE_POINTS, texts)
    keys = [connection.key for connection in loaded.entry.connections]
    return bind(loaded, DEVICE_POINTS, own_points(keys))


def read_tasks(plan: Plan) -> dict[str, tuple[ReadTask, ...]]:
    """Return what each connection's driver will poll. Raises ConfigError for addresses it cannot read."""
    tasks: dict[str, tuple[ReadTask, ...]] = {}
    mistakes: list[Mistake] = []
    for connection in plan.connections:
        try:
            tasks[connection.key] = connection.driver(connection.settings, connection.devices).plan()
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return tasks


def opened(path: Path, texts: Texts) -> Plan:
    """Validate texts as if they lay at `path`, down to the requests of the drivers. Raises ConfigError."""
    plan = open_plan(path, texts)
    read_tasks(plan)
    return plan
