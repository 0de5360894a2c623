"""Signed webhooks as Standard Webhooks 1.0 has them: three headers, HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

PREFIX: Final = "whsec_"
SECRET: Final = "signing"  # noqa: S105 - a name
"""The name under which an endpoint's secret is kept."""
_BYTES: Final = 32


def new_secret() -> str:
    """Return a new secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def sign(secret: str, key: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message. at_s: Unix seconds of this attempt, so that an old one is noticed."""
    content = f"{key}.{at_s}.".encode() + body
    made = hmac.digest(base64.b64decode(secret.removeprefix(PREFIX)), content, hashlib.sha256)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at_s),
        "webhook-signature": "v1," + base64.b64encode(made).decode(),
    }
