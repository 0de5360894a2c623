"""The rule behind an occurrence, as the gateway declared it."""

from __future__ import annotations

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.store.registry import RuleRow
from protocols.model.alarm import Rule


class Rules:
    """Rules of one gateway, read once in a transaction."""

    def __init__(self, session: AsyncSession, gateway: str) -> None:
        self._session = session
        self._gateway = gateway
        self._rules: dict[tuple[str, str], Rule | None] = {}

    async def get(self, declaration: str, rule_id: str) -> Rule | None:
        """Return the rule as that declaration has it, else as any other that has it; None if none has."""
        key = (declaration, rule_id)
        if key not in self._rules:
            found = await self._session.scalars(
                select(RuleRow).where(RuleRow.gateway == self._gateway, RuleRow.id == rule_id)
            )
            bodies = {row.declaration: row.body for row in found}
            body = bodies.get(declaration) or next(reversed(bodies.values()), None)
            self._rules[key] = None if body is None else msgspec.convert(body, Rule)
        return self._rules[key]
