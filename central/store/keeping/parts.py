"""The keeper and the archive of a centre, from its settings."""

from __future__ import annotations

from pathlib import Path

from central.config import Config
from central.store.keeping.archive import Archive
from central.store.keeping.classes import Limits
from central.store.keeping.keeper import Keeper


def archive_folder(config: Config) -> Path:
    """Return where the archive lies, whether it is written to or not."""
    return config.data_dir / "archive"


def archive(config: Config) -> Archive:
    """Return the archive, to look into."""
    return Archive(archive_folder(config))


def keeper(config: Config, url: str) -> Keeper:
    """Return the keeper; it archives where the settings say so."""
    return Keeper(url, Limits.of(config), archive(config) if config.archive else None)
