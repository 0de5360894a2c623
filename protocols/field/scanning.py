"""What every scan of a protocol tells: how far it is, and what it found.

Scans are for a technician who does not know yet what is there. They read only, ask one thing at a time,
and keep their pauses; nothing is ever written to a device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` questions are asked (total 0: nobody knows); `doing` says the next in words."""

    done: int
    total: int
    doing: str


@dataclass(frozen=True, slots=True)
class Found:
    """Something that answered. `kind`: unit, server, endpoint, node, method, topic or camera.

    `title` is one line for a person; `detail` the facts, plain data for JSON; `suggestion` what to write
    into the gateway file or a profile, by the name of its section.
    """

    kind: str
    key: str
    title: str
    detail: dict[str, Any] = field(default_factory=dict)
    suggestion: dict[str, Any] = field(default_factory=dict)
