"""The password of the page: its scrypt hash (RFC 7914) in `page.json`, mode 0600, and nothing else of it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import msgspec

from edge.durable import replace_file
from protocols.errors import Rejected

FILE_NAME: Final = "page.json"
MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256
Cost = tuple[int, int, int]
COST: Final[Cost] = (1 << 14, 8, 5)
"""n, r, p of scrypt: 16 MiB for a quarter of a second, which a small board has (OWASP's third choice)."""
_MAX_MEMORY: Final = 64 * 1024 * 1024


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The file: salt and hash in hexadecimal, and what the hash cost."""

    salt: str
    hash: str
    n: int
    r: int
    p: int


def checked(password: str) -> str:
    """Return a password that may be set. Raises Rejected (`weak-password`)."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Rejected(
            "weak-password", f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters; choose another one"
        )
    return password


def set_password(folder: Path, password: str, cost: Cost = COST) -> Path:
    """Keep the password of the page in `folder`, whole or not at all; return the file.

    Raises Rejected (`weak-password`) where it is shorter than 8 or longer than 256 characters, and
    (`state-dir`) where the folder cannot be written.
    """
    checked(password)
    salt = secrets.token_bytes(16)
    n, r, p = cost
    stored = _Stored(salt=salt.hex(), hash=_hash(password, salt, n, r, p).hex(), n=n, r=r, p=p)
    path = folder / FILE_NAME
    try:
        replace_file(path, msgspec.json.encode(stored))
    except OSError as error:
        raise Rejected(
            "state-dir", f"{path}: {error.strerror}; run this as the user that runs the gateway"
        ) from error
    return path


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # surrogatepass: JSON may hold a lone surrogate, which is a wrong password and no crash.
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=32
    )


class Password:
    """The password in the state folder, read again when the file changes: setting it needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._stamp: tuple[int, int] | None = None
        self._stored: _Stored | None = None

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Which password it is; another value after it was changed, None where there is none."""
        self._look()
        return self._stamp if self._stored is not None else None

    def matches(self, password: str) -> bool:
        """Compare in constant time; blocks for about a quarter of a second, so call it in a thread."""
        self._look()
        stored = self._stored
        if stored is None or len(password) > MAX_LENGTH:
            return False
        made = _hash(password, bytes.fromhex(stored.salt), stored.n, stored.r, stored.p)
        return hmac.compare_digest(made.hex(), stored.hash)

    def _look(self) -> None:
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            if stamp != self._stamp:
                self._stored = msgspec.json.decode(self._path.read_bytes(), type=_Stored)
                self._stamp = stamp
        except FileNotFoundError:
            self._stamp = self._stored = None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Rejected(
                "page-password", f"{self._path}: {error}; set it again: citynerve-edge page password FILE"
            ) from error
