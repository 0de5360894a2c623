"""Random secrets for sessions and API tokens. Only their SHA-256 is stored: 256 random bits need no salt."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

TOKEN_PREFIX: Final = "cnt_"  # noqa: S105  a prefix that secret scanners can look for, no secret
_BYTES: Final = 32


def new_secret(prefix: str = "") -> tuple[str, bytes]:
    """Return a new secret to hand out once, and its digest to keep."""
    plain = prefix + secrets.token_urlsafe(_BYTES)
    return plain, digest(plain)


def digest(plain: str) -> bytes:
    """Return the 32 bytes by which a presented secret is found."""
    return hashlib.sha256(plain.encode()).digest()
