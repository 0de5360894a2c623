"""What a door is: it makes true frames, takes mutated ones, and judges what came of them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import ClassVar


class Wrong(AssertionError):
    """A frame that was taken for what it is not: a value with good quality that its bytes do not say."""


class Door(ABC):
    """One way in. Built once; `take` once for each frame, which may leave a state behind (a session)."""

    name: ClassVar[str]
    share: ClassVar[int]
    """Frames of a million."""

    @abstractmethod
    def frame(self, rng: random.Random) -> bytes:
        """Return a true frame."""

    @abstractmethod
    def take(self, data: bytes, rng: random.Random) -> bool:
        """Let our code take a frame; return whether any of it passed for good. Raises Wrong."""

    def close(self) -> None:  # noqa: B027 - most doors hold nothing
        """Let go of what was opened."""


def expect(condition: bool, what: str) -> None:
    """Raise Wrong unless it is so."""
    if not condition:
        raise Wrong(what)
