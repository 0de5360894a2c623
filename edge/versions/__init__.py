"""The configuration as versions: kept, compared, tried out, taken back."""

from __future__ import annotations

from edge.versions.settings import Checked, Settings
from edge.versions.store import Version

__all__ = ["Checked", "Settings", "Version"]
