"""Passwords are argon2id; tokens are random and stored as digests."""

from __future__ import annotations

import hashlib

from argon2 import PasswordHasher

from central.security.passwords import Passwords
from central.security.secret import TOKEN_PREFIX, digest, new_secret

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_password_matches_its_own_hash_only() -> None:
    passwords = Passwords()
    stored = await passwords.hash("临江-2026")
    assert stored.startswith("$argon2id$")
    assert await passwords.matches(stored, "临江-2026")
    assert not await passwords.matches(stored, "临江-2027")
    assert not await passwords.matches(None, "临江-2026")
    assert not await passwords.matches("damaged", "临江-2026")
    assert not passwords.is_outdated(stored)
    assert passwords.is_outdated(await Passwords(QUICK).hash("x"))


def test_secrets_are_new_each_time_and_found_by_digest() -> None:
    plain, key = new_secret(TOKEN_PREFIX)
    assert plain.startswith("cnt_")
    assert len(plain) == 4 + 43  # 256 bits in base64url
    assert key == digest(plain) == hashlib.sha256(plain.encode()).digest()
    assert new_secret(TOKEN_PREFIX)[0] != plain
