"""Digest access authentication, the server's side (RFC 7616): for a camera's pictures, streams and
services.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final, Literal

Algorithm = Literal["MD5", "SHA-256"]
_FIELD: Final = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_HASHES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}


class DigestGate:
    """Lets one account in. A nonce of before a restart is stale, not wrong."""

    def __init__(
        self, username: str, password: str, algorithms: tuple[Algorithm, ...] = ("SHA-256", "MD5")
    ) -> None:
        self._username, self._password = username, password
        self._algorithms = algorithms
        self._nonce = secrets.token_hex(16)

    def challenges(self, *, stale: bool = False) -> list[str]:
        """Return the WWW-Authenticate headers of a 401, the best first."""
        more = ", stale=true" if stale else ""
        return [
            f'Digest realm="citynerve-sim", qop="auth", algorithm={name}, nonce="{self._nonce}"{more}'
            for name in self._algorithms
        ]

    def renew(self) -> None:
        """Forget the nonce, as a restart does."""
        self._nonce = secrets.token_hex(16)

    def admits(self, header: str, method: str) -> Literal["yes", "no", "stale"]:
        """Judge an Authorization header."""
        scheme, _, rest = header.partition(" ")
        if scheme.lower() != "digest":
            return "no"
        given = {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(rest)}
        hashed = _HASHES.get(given.get("algorithm", "MD5").upper())
        if hashed is None or given.get("username") != self._username:
            return "no"

        def h(*parts: str) -> str:
            return hashed(":".join(parts).encode())

        ha1 = h(self._username, "citynerve-sim", self._password)
        ha2 = h(method, given.get("uri", ""))
        nonce = given.get("nonce", "")
        between = [given.get("nc", ""), given.get("cnonce", ""), "auth"] if given.get("qop") else []
        wanted = h(ha1, nonce, *between, ha2)
        if not hmac.compare_digest(wanted, given.get("response", "")):
            return "no"
        return "yes" if nonce == self._nonce else "stale"
