"""All device profiles a technician can use: the shipped ones and those of a folder of their own."""

from __future__ import annotations

from pathlib import Path

from edge.config.load import SHIPPED_PROFILES, read_profile
from protocols.errors import ConfigError, Mistake
from protocols.model.device import Profile


def known_profiles(own: Path | None = None) -> dict[str, Profile]:
    """Return the profiles by id, sorted; one of the own folder hides a shipped one of the same id.

    Raises ConfigError with every mistake of every file, and for a folder that is not there.
    """
    if own is not None and not own.is_dir():
        raise ConfigError(
            [
                Mistake(
                    str(own), 0, 0, "", "there is no such folder", "a folder of profiles", "correct its name"
                )
            ]
        )
    found: dict[str, Profile] = {}
    mistakes: list[Mistake] = []
    for folder in (SHIPPED_PROFILES, own):
        for path in sorted(folder.glob("*.yaml")) if folder else ():
            profile, document = read_profile(path)
            mistakes += document.mistakes
            if profile is not None:
                found[profile.id] = profile
    if mistakes:
        raise ConfigError(mistakes)
    return dict(sorted(found.items()))
