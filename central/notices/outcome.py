"""How one attempt to deliver ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

LONGEST: Final = 500
"""Characters of an answer that are kept with the receipt."""

Ending = Literal["sent", "refused", "failed"]
"""refused: the same again would be refused again; failed: it may work later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt, and what the other side said."""

    ending: Ending
    answer: str
    gone: bool = False
    """The receiver wants nothing more, ever (410)."""


def told(answer: str, secrets: Iterable[str] = ()) -> str:
    """Return an answer as it is kept: short, on one line, without secrets that a careless server echoes."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4:
            answer = answer.replace(secret, "•••")
    line = " ".join(answer.replace("\0", " ").split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
