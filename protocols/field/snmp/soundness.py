"""What pysnmp's decoder lets pass in a datagram, and must not: numbers without a byte, which it reads as 0.

X.690, 8.3.1: an integer has one content octet at least. RFC 3417, clause 8: lengths are definite.
"""

from __future__ import annotations

from typing import Final

_NUMBERS: Final = frozenset({0x02, 0x41, 0x42, 0x43, 0x46})
"""INTEGER, Counter32, Gauge32, TimeTicks, Counter64."""
_CONSTRUCTED: Final = 0x20


def sound(datagram: bytes) -> bool:
    """Tell whether every number in a message has bytes and every length is definite and within its parent."""
    parts = [datagram]
    while parts:
        part, at = parts.pop(), 0
        while at < len(part):
            if at + 2 > len(part):
                return False
            tag, size = part[at], part[at + 1]
            at += 2
            if size & 0x80:
                more = size & 0x7F
                if not more or at + more > len(part):
                    return False
                size = int.from_bytes(part[at : at + more], "big")
                at += more
            if at + size > len(part) or (not size and tag in _NUMBERS):
                return False
            if tag & _CONSTRUCTED:
                parts.append(part[at : at + size])
            at += size
    return True
