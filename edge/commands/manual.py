"""Local manual mode: a technician takes a device, or all of them, out of reach of centre and actions."""

from __future__ import annotations

import numpy as np

from edge.commands.memory import ALL, ManualHold, Memory
from edge.config.bind import OWN, Plan
from protocols.errors import Rejected
from protocols.model.reading import Readings

COUNT = f"{OWN}.local-manual"
FLAG = "_manual"


def hold(memory: Memory, plan: Plan, device: str, on: bool, by: ManualHold) -> bool:
    """Take a device (`*`: all) or give it back; return whether that changed anything.

    Raises Rejected: `unknown-device`.
    """
    if device != ALL and device not in _devices(plan):
        raise Rejected("unknown-device", f"this gateway has no device {device!r}")
    if on:
        changed = device not in memory.manual
        memory.manual[device] = by
        return changed
    return memory.manual.pop(device, None) is not None


def figures(memory: Memory, plan: Plan) -> dict[str, float]:
    """Return how many devices are held, and which, as the gateway's own points say it."""
    devices = _devices(plan)
    held = {device: memory.held(device) is not None for device in devices}
    return {COUNT: float(sum(held.values()))} | {f"{device}.{FLAG}": float(on) for device, on in held.items()}


def readings(memory: Memory, plan: Plan, now_us: int) -> Readings:
    """Return the same as readings of this moment."""
    told = figures(memory, plan)
    points = np.array([plan.indexes[name] for name in told], np.int32)
    return Readings.at(points, now_us, np.array(list(told.values())))


def _devices(plan: Plan) -> list[str]:
    return [device.key for connection in plan.connections for device in connection.devices]
