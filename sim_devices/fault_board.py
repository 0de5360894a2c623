"""Which faults are active now: servers ask, people and schedules write."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping

from protocols.errors import Rejected
from protocols.model.clock import SECOND_US
from sim_devices.faults import (
    Black,
    Broken,
    CameraTrouble,
    Dead,
    Drift,
    Drop,
    Exceptional,
    Fault,
    Frozen,
    Sentinel,
    Slow,
    Spike,
    Trouble,
    WrongClock,
)

HOUR_US = 3_600_000_000


class FaultBoard:
    """The faults that are active now. Servers ask it; people and schedules write on it.

    One fault of a kind per target: setting `slow:x:3` replaces `slow:x:1`. Costs one dictionary look-up
    per question, so that a server under benchmark does not feel it.
    """

    def __init__(self, points: Mapping[str, Iterable[str]], endpoints: Iterable[str]) -> None:
        """`points` maps each device key to its point keys; `endpoints` are the servers' keys."""
        self._points = {device: frozenset(keys) for device, keys in points.items()}
        self._endpoints = frozenset(endpoints)
        self._active: dict[tuple[str, ...], tuple[Fault, int]] = {}
        self._dead: set[str] = set()
        self._broken: set[str] = set()
        self._black: set[str] = set()
        self._troubles: set[tuple[CameraTrouble, str]] = set()
        self._clocks: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._drops: dict[str, float] = {}
        self._altered: dict[str, dict[str, tuple[float, int]]] = {}
        self._frozen: dict[str, str] = {}
        self._spikes: dict[str, dict[str, tuple[float, int]]] = {}
        self._failed: dict[str, str] = {}
        self._exceptions: dict[str, int] = {}
        self._listeners: list[Callable[[], None]] = []
        self.now_us = 0

    def set(self, fault: Fault) -> None:
        """Activate a fault from now on. Raises Rejected `fault-target` for an unknown target."""
        self.check(fault)
        self._active[_slot(fault)] = (fault, self.now_us)
        self._rebuild()

    def clear(self, fault: Fault) -> None:
        """End a fault (whatever its argument). Raises Rejected `fault-inactive` where there is none."""
        if self._active.pop(_slot(fault), None) is None:
            active = ", ".join(str(each) for each in self.active()) or "none"
            raise Rejected("fault-inactive", f"fault {fault} is not active; active are: {active}")
        self._rebuild()

    def clear_all(self) -> None:
        """End every fault."""
        self._active.clear()
        self._rebuild()

    def active(self) -> tuple[Fault, ...]:
        """Return the active faults, oldest first."""
        return tuple(fault for fault, _ in self._active.values())

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, in the event loop's thread; it must not block."""
        self._listeners.append(listener)

    def dead(self, device: str) -> bool:
        """Say whether the device is silent."""
        return device in self._dead

    def broken(self, device: str) -> bool:
        """Say whether the device answers with failures."""
        return device in self._broken

    def black(self, device: str) -> bool:
        """Say whether the camera is black."""
        return device in self._black

    def trouble(self, kind: CameraTrouble, device: str) -> bool:
        """Say whether this is wrong with the camera."""
        return (kind, device) in self._troubles

    def ahead_s(self, device: str) -> float:
        """Return by how many seconds the camera's own clock is ahead."""
        return self._clocks.get(device, 0.0)

    def delay_s(self, device: str) -> float:
        """Return by how many seconds the device is late; 0 for a healthy one."""
        return self._delays.get(device, 0.0)

    def drop_every_s(self, endpoint: str) -> float | None:
        """Return the seconds between cuts of the server's connections; None for a healthy one."""
        return self._drops.get(endpoint)

    def frozen(self, device: str, point: str = "") -> bool:
        """Say whether the device (or this point of it) repeats itself."""
        frozen = self._frozen.get(device)
        return frozen is not None and frozen in ("", point)

    def drift(self, device: str, point: str) -> float:
        """Return what a drifting sensor adds now, in the point's unit."""
        altered = self._altered.get(device)
        if altered is None or point not in altered:
            return 0.0
        per_hour, since_us = altered[point]
        return per_hour * (self.now_us - since_us) / HOUR_US

    def spikes(self, device: str, point: str) -> bool:
        """Say whether the point is far off in this second."""
        every_s, since_us = self._spikes.get(device, {}).get(point, (0.0, 0))
        return bool(every_s) and (self.now_us - since_us) / SECOND_US % every_s >= every_s - 1

    def failed(self, device: str, point: str) -> bool:
        """Say whether the point's sensor has no value."""
        failed = self._failed.get(device)
        return failed is not None and failed in ("", point)

    def exception(self, device: str) -> int:
        """Return the Modbus exception that the device answers with; 0 for a healthy one."""
        return self._exceptions.get(device, 0)

    def altered(self, device: str) -> bool:
        """Say whether any value of the device differs from the world's."""
        changed = (self._altered, self._frozen, self._spikes, self._failed)
        return any(device in table for table in changed)

    def check(self, fault: Fault) -> None:
        """Raise Rejected `fault-target` unless the fault's target exists."""
        if isinstance(fault, Drop):
            _known(fault.endpoint, self._endpoints, f"fault {fault}: no server")
            return
        _known(fault.device, self._points, f"fault {fault}: no device")
        if isinstance(fault, Drift | Spike) or (isinstance(fault, Frozen | Sentinel) and fault.point):
            _known(fault.point, self._points[fault.device], f"fault {fault}: {fault.device} has no point")

    def _rebuild(self) -> None:
        for table in (
            self._dead,
            self._broken,
            self._black,
            self._troubles,
            self._clocks,
            self._delays,
            self._drops,
            self._altered,
            self._frozen,
            self._spikes,
            self._failed,
            self._exceptions,
        ):
            table.clear()
        for fault, since_us in self._active.values():
            match fault:
                case Dead(device):
                    self._dead.add(device)
                case Broken(device):
                    self._broken.add(device)
                case Black(device):
                    self._black.add(device)
                case Trouble(kind, device):
                    self._troubles.add((kind, device))
                case WrongClock(device, ahead_s):
                    self._clocks[device] = ahead_s
                case Slow(device, delay_s):
                    self._delays[device] = delay_s
                case Drop(endpoint, every_s):
                    self._drops[endpoint] = every_s
                case Drift(device, point, per_hour):
                    self._altered.setdefault(device, {})[point] = (per_hour, since_us)
                case Frozen(device, point):
                    self._frozen[device] = point
                case Spike(device, point, every_s):
                    self._spikes.setdefault(device, {})[point] = (every_s, since_us)
                case Sentinel(device, point):
                    self._failed[device] = point
                case Exceptional(device, code):
                    self._broken.add(device)
                    self._exceptions[device] = code
        for listener in self._listeners:
            listener()


def _slot(fault: Fault) -> tuple[str, ...]:
    match fault:
        case Drop(endpoint, _):
            return ("drop", endpoint)
        case Trouble(kind, device):
            return (kind, device)
        case Drift(device, point, _) | Spike(device, point, _):
            return (type(fault).__name__.lower(), device, point)
        case _:
            return (type(fault).__name__.lower(), fault.device)


def _known(key: str, keys: Iterable[str], what: str) -> None:
    names = sorted(keys)
    if key in names:
        return
    near = difflib.get_close_matches(key, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(names[:12])}"
    if not near and len(names) > 12:
        hint += f" and {len(names) - 12} more"
    raise Rejected("fault-target", f"{what} {key!r}; {hint}")
