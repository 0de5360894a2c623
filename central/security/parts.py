"""The parts of security, put together once by `central.app` as `Centre.security`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from central.config import Config
from central.security.audit import AuditTrail
from central.security.door import Door
from central.security.factors import Factors
from central.security.grants import Reach
from central.security.oidc import Oidc
from central.security.oidc_settings import parse
from central.security.passwords import Passwords
from central.security.policy import Policies
from central.security.rates import Rates
from central.security.role_book import RoleBook
from central.security.service import Accounts
from central.security.sessions import Sessions
from central.security.tokens import Tokens
from central.security.vault import FILE, Vault
from central.security.walls import Walls
from central.store.base import Database
from protocols.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Security:
    """Everything that decides, or remembers, who may do what."""

    accounts: Accounts
    tokens: Tokens
    roles: RoleBook
    reach: Reach
    policy: Policies
    factors: Factors
    sessions: Sessions
    door: Door
    rates: Rates
    oidc: Oidc | None
    audit: AuditTrail
    walls: Walls

    @classmethod
    def build(
        cls, database: Database, clock: Clock, config: Config, passwords: Passwords | None = None
    ) -> Self:
        """Put the parts together; they share one hasher, so that a storm of sign-ins has one limit."""
        passwords = passwords or Passwords()
        outside = parse(config.oidc)
        vault = Vault(config.key_file or config.data_dir / FILE)
        factors, sessions = Factors(database, clock, vault), Sessions(database, clock)
        return cls(
            accounts=Accounts(database, clock, passwords),
            tokens=Tokens(database, clock),
            roles=RoleBook(database),
            reach=Reach(database),
            policy=Policies(database),
            factors=factors,
            sessions=sessions,
            door=Door(database, clock, passwords, factors, sessions),
            # By the clock on the wall: how fast requests come is no matter of the city's time.
            rates=Rates(config.rate_account, config.rate_address),
            oidc=None if outside is None else Oidc(database, clock, outside),
            audit=AuditTrail(database, clock),
            walls=Walls(database, clock),
        )
