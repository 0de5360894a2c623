"""Electricity: a site's mains, and counters that integrate a rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Supply:
    """The mains of one site. Meters and controllers run on through a loss on their own battery."""

    present: bool = True
    loads_kw: list[Callable[[], float]] = field(default_factory=list)
    """What the machines of the site draw."""
    battery: float = 1.0
    """Charge of the controllers' batteries, 0 to 1."""

    def step(self, dt: float) -> None:
        """Drain or charge the batteries for `dt` seconds."""
        rate = 1.0 / 7200.0 if self.present else -1.0 / 5400.0
        self.battery = min(1.0, max(0.0, self.battery + rate * dt))

    def machines_kw(self) -> float:
        """Return what the machines draw now."""
        return sum(load() for load in self.loads_kw)


class Total:
    """A counter: the integral of `rate` per hour since the device was installed."""

    def __init__(self, rate_per_hour: Callable[[], float], start: float = 0.0) -> None:
        self._rate = rate_per_hour
        self.value = start

    def __call__(self) -> float:
        """Return the count."""
        return self.value

    def step(self, dt: float) -> None:
        """Count for `dt` seconds."""
        self.value += max(0.0, self._rate()) * dt / 3600.0
