"""The parts of security, put together once by `central.app` as `Centre.security`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from central.security.audit import AuditTrail
from central.security.grants import Reach
from central.security.passwords import Passwords
from central.security.role_book import RoleBook
from central.security.service import Accounts
from central.security.sessions import Sessions
from central.security.tokens import Tokens
from central.store.base import Database
from protocols.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Security:
    """Everything that decides, or remembers, who may do what."""

    accounts: Accounts
    tokens: Tokens
    roles: RoleBook
    reach: Reach
    sessions: Sessions
    audit: AuditTrail

    @classmethod
    def build(cls, database: Database, clock: Clock, passwords: Passwords | None = None) -> Self:
        """Put the parts together; they share one hasher, so that a storm of sign-ins has one limit."""
        passwords = passwords or Passwords()
        return cls(
            Accounts(database, clock, passwords),
            Tokens(database, clock),
            RoleBook(database),
            Reach(database),
            Sessions(database, clock, passwords),
            AuditTrail(database, clock),
        )
