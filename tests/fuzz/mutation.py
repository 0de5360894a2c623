"""What becomes of a true frame on its way: the faults of lines, and bytes that somebody chose."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

_EDGES: Final = (0x00, 0x01, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
_WIDE: Final = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\0\0",
)


def mutate(rng: random.Random, frame: bytes) -> bytes:
    """Return the frame as it was (one in sixteen), bytes out of nowhere, or one to four faults on it."""
    chosen = rng.randrange(16)
    if chosen == 0:
        return frame
    if chosen == 1:
        return rng.randbytes(rng.randrange(2 * len(frame) + 2))
    data = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_FAULTS)(rng, data)
    return bytes(data)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _put(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(_EDGES)


def _random(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _widen(rng: random.Random, data: bytearray) -> None:
    at, wide = rng.randrange(len(data) + 1), rng.choice(_WIDE)
    data[at : at + len(wide)] = wide


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _lose(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(1, 5)]


def _insert(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(1, 5))


def _double(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.randrange(1, 16)]
    data[at:at] = part


def _twice(rng: random.Random, data: bytearray) -> None:
    del rng
    if len(data) < 2000:
        data += bytes(data)


_FAULTS: Final[tuple[Callable[[random.Random, bytearray], None], ...]] = (
    _flip, _flip, _put, _random, _widen, _cut, _lose, _insert, _double, _twice,
)  # fmt: skip


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    """Return the bytes as a network may deliver them: in one, or split."""
    if len(data) < 2 or rng.randrange(3):
        return [data]
    cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(1, 4)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
