"""Retention classes: what a point is worth keeping for, and how long.

The class of a point is, in this order: its own; that of its device's kind; `diagnostic` for what a gateway
says about itself; `standard`. Rollups are kept longer than any class, so a trend outlives its samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from central.config import Config

RetentionClass = Literal["critical", "standard", "diagnostic"]
CLASSES: Final[tuple[RetentionClass, ...]] = get_args(RetentionClass)
OWN_DEVICE: Final = "_gateway"

CLASS_OF: Final = f"""
coalesce(p.retention, k.class, CASE WHEN d.key = '{OWN_DEVICE}' THEN 'diagnostic' ELSE 'standard' END)
"""
SERIES_BY_CLASS: Final = f"""
SELECT {CLASS_OF}, array_agg(p.series ORDER BY p.series) FROM points p JOIN devices d ON d.id = p.device
LEFT JOIN retention_kinds k ON k.kind = d.kind GROUP BY 1
"""  # noqa: S608 - made of the constant above


@dataclass(frozen=True, slots=True)
class Limits:
    """Days that readings stay, by class, and rollups, by their width (0: for ever)."""

    days: Mapping[RetentionClass, int]
    rollup_days: Mapping[str, int]

    @classmethod
    def of(cls, config: Config) -> Limits:
        """Return the limits of the settings."""
        return cls({name: config.retention_days[name] for name in CLASSES}, config.rollup_days)
