"""Hash chains: each record of a journal seals the one before it, so that a changed past shows.

hash = SHA-256(previous hash ‖ canonical JSON of the record); the first record follows 32 zero bytes.
A chain proves the order and content of what it holds, not that its tail was not cut off: whoever owns
a chain keeps the last hash beside its subject.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Final

START: Final = bytes(32)

Scalar = str | int | float | bool | None


def seal(previous: bytes, record: Mapping[str, Scalar]) -> bytes:
    """Return the hash of a record that follows `previous`; key order does not matter."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(previous + canonical.encode()).digest()


def first_break(links: Iterable[tuple[Mapping[str, Scalar], bytes, bytes]]) -> int | None:
    """Return the position of the first (record, previous hash, hash) that does not fit; None when all do."""
    previous = START
    for position, (record, stored_previous, stored_hash) in enumerate(links):
        if stored_previous != previous or seal(previous, record) != stored_hash:
            return position
        previous = stored_hash
    return None
