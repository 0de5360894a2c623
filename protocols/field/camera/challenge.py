"""Digest and Basic access authentication as a camera asks for them (RFC 7616, RFC 2326 section 14).

    401, WWW-Authenticate: Digest realm="cam", nonce="…", algorithm=SHA-256, qop="auth"
      ─→ Authorization: Digest username="…", response="…"

SHA-256 is preferred to MD5, MD5 to Basic; a password never goes out unasked.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_FIELD: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCHEME: Final = re.compile(r"(?:^|,)\s*(Digest|Basic)(?=\s)", re.IGNORECASE)
_HASHES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to sign in that a camera offers. algorithm: `md5`, `sha-256`, each also `-sess`."""

    scheme: str
    realm: str = ""
    nonce: str = ""
    opaque: str | None = None
    algorithm: str = ""
    written: str | None = None
    """The algorithm as the camera wrote it; None where it named none, which means MD5."""
    qop: bool = False
    stale: bool = False

    @property
    def rank(self) -> int:
        """How good it is: 0 unusable, 1 Basic, 2 MD5, 3 SHA-256."""
        if self.scheme == "basic":
            return 1
        if self.scheme != "digest" or not self.nonce:
            return 0
        return {"md5": 2, "sha-256": 3}.get(self.algorithm.removesuffix("-sess"), 0)


def read_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Return the challenges of WWW-Authenticate headers; a header may hold several."""
    found = []
    for header in headers:
        # What stands in quotes may look like a scheme; it is none.
        plain = _QUOTED.sub(lambda match: "_" * len(match.group()), header)
        starts = [match.start(1) for match in _SCHEME.finditer(plain)]
        for start, end in pairwise([*starts, len(header)]):
            part = header[start:end].rstrip(", ")
            scheme, _, rest = part.strip().partition(" ")
            fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(rest)}
            named = fields.get("algorithm")
            found.append(
                Challenge(
                    scheme=scheme.lower(),
                    realm=fields.get("realm", ""),
                    nonce=fields.get("nonce", ""),
                    opaque=fields.get("opaque"),
                    algorithm=(named or "md5").lower(),
                    written=named,
                    qop="auth" in [each.strip().lower() for each in fields.get("qop", "").split(",")],
                    stale=fields.get("stale", "").lower() == "true",
                )
            )
    return found


class Account:
    """A user name and a password, and the challenge that they answer now."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._challenge: Challenge | None = None
        self._count = 0

    def take(self, headers: Iterable[str]) -> bool:
        """Take the best challenge of a 401; return whether asking again makes sense.

        It does the first time, and where only the nonce was too old: more wrong passwords lock some cameras.
        """
        offered = [each for each in read_challenges(headers) if each.rank]
        if not offered:
            return False
        first, self._challenge = self._challenge is None, max(offered, key=lambda each: each.rank)
        self._count = 0
        return first or self._challenge.stale

    def header(self, method: str, uri: str) -> str | None:
        """Return the Authorization header of a request; None before anybody has asked."""
        asked = self._challenge
        if asked is None:
            return None
        if asked.scheme == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        self._count += 1
        return digest(asked, self._username, self._password, method, uri, self._count, secrets.token_hex(8))


def digest(
    asked: Challenge, username: str, password: str, method: str, uri: str, count: int, cnonce: str
) -> str:
    """Return the answer to a Digest challenge (RFC 7616 section 3.4); without qop that of RFC 2069."""
    hashed = _HASHES[asked.algorithm.removesuffix("-sess")]

    def h(*parts: str) -> str:
        return hashed(":".join(parts).encode())

    ha1, ha2 = h(username, asked.realm, password), h(method, uri)
    if asked.algorithm.endswith("-sess"):
        ha1 = h(ha1, asked.nonce, cnonce)
    number = f"{count:08x}"
    response = h(ha1, asked.nonce, number, cnonce, "auth", ha2) if asked.qop else h(ha1, asked.nonce, ha2)
    fields = [
        ("username", username), ("realm", asked.realm), ("nonce", asked.nonce), ("uri", uri),
        ("response", response),
    ]  # fmt: skip
    if asked.opaque is not None:
        fields.append(("opaque", asked.opaque))
    words = [f'{name}="{_escaped(value)}"' for name, value in fields]
    if asked.written is not None:
        words.append(f"algorithm={asked.written}")
    if asked.qop or asked.algorithm.endswith("-sess"):
        words.append(f'cnonce="{cnonce}"')
    if asked.qop:
        words += ["qop=auth", f"nc={number}"]
    return "Digest " + ", ".join(words)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
