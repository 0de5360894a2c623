"""What a technician should know of a connection though values come: one sentence about each thing."""

from __future__ import annotations


class Remarks:
    """Sentences by what they are about; a newer one takes the place of the one before."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def say(self, about: str, sentence: str) -> None:
        """Say it; nothing takes back what was said about it."""
        if sentence:
            self._said[about] = sentence
        else:
            self._said.pop(about, None)

    def all(self) -> tuple[str, ...]:
        """Return what is said now."""
        return tuple(self._said.values())
