"""Did our own page send this? The defence against cross-site requests that ride on a session cookie.

Fetch metadata (W3C, `Sec-Fetch-Site`) first, since a page cannot forge it; `Origin` (RFC 6454) for
browsers without it. The scheme is not compared: behind a proxy that ends TLS it differs lawfully.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Verdict = Literal["same", "other", "unknown"]


def judge(headers: Mapping[str, str]) -> Verdict:
    """Return whether the headers of a request name our own origin, another one, or none.

    A browser that typed the address itself (`Sec-Fetch-Site: none`) counts as our own.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return "same" if site in {"same-origin", "none"} else "other"
    origin = headers.get("origin")
    if origin is None:
        return "unknown"
    return "same" if urlsplit(origin).netloc.lower() == headers.get("host", "").lower() else "other"
