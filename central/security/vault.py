"""Seals what must be read again but never shown: the secrets of second factors.

The key is a file beside the data, not in the database: who copies the database has no second factor by it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from protocols.errors import CityNerveError

FILE: Final = "security.key"


class Vault:
    """Seals and opens with the key in `file`, which is made when it is first needed, for its owner only."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fernet: Fernet | None = None

    def seal(self, plain: bytes) -> bytes:
        """Return what may be kept in the database."""
        return self._opened(make=True).encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed. CityNerveError where the key is another one, or gone."""
        try:
            return self._opened(make=False).decrypt(sealed)
        except InvalidToken:
            raise CityNerveError(
                f"{self._file} is not the key that sealed this second factor; "
                "put the old key back, or let an administrator reset the factor"
            ) from None

    def _opened(self, *, make: bool) -> Fernet:
        if self._fernet is None:
            if make:
                self._make()
            try:
                self._fernet = Fernet(self._file.read_bytes().strip())
            except (OSError, ValueError) as error:
                raise CityNerveError(f"the key {self._file} cannot be used: {error}") from error
        return self._fernet

    def _make(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
