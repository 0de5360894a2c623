"""Passwords as argon2id hashes (RFC 9106, second recommended option: 64 MiB, 3 passes)."""

from __future__ import annotations

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MAX_LENGTH = 256
_CONCURRENT = 2
"""Each hash takes 64 MiB for its time; more at once would let a sign-in storm take the memory."""


class Passwords:
    """Hashes and checks passwords, off the event loop and a few at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(_CONCURRENT)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to store, parameters and salt included."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Say whether the password is the stored one; with no hash stored it takes as long, and says no."""
        if stored is None or not stored.startswith("$argon2"):
            if self._nobody is None:
                self._nobody = await self.hash(secrets.token_hex(16))
            await self._verify(self._nobody, password)
            return False
        return await self._verify(stored, password)

    def is_outdated(self, stored: str) -> bool:
        """Say whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def _verify(self, stored: str, password: str) -> bool:
        async with self._turn:
            try:
                return await asyncio.to_thread(self._hasher.verify, stored, password)
            except (VerificationError, InvalidHashError):
                return False
