"""The rule behind an occurrence: as the gateway declared it, or the centre's own."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.store.registry import RuleRow
from protocols.model.alarm import Rule

CENTRE: Final = "centre"
"""In place of a declaration: the centre itself watches for this, and no gateway knows the occurrence."""
OFFLINE: Final = Rule(
    id="_centre.gateway-offline",
    point="_gateway.link",
    kind="no_data",
    limit=30.0,
    priority="P2",
    name_zh="网关离线",
    name_en="Gateway offline",
    category="communication",
    response_zh="检查网关的电源和网络；在恢复之前，它下面的设备看不到。",
    response_en="Look at the gateway's power and network: until it is back, nobody sees its devices.",
)
OWN: Final = {OFFLINE.id: OFFLINE}


class Rules:
    """Rules of one gateway, read once in a transaction."""

    def __init__(self, session: AsyncSession, gateway: str) -> None:
        self._session = session
        self._gateway = gateway
        self._rules: dict[tuple[str, str], Rule | None] = {}

    async def get(self, declaration: str, rule_id: str) -> Rule | None:
        """Return the rule as that declaration has it, else as any other that has it; None if none has."""
        if declaration == CENTRE:
            return OWN.get(rule_id)
        key = (declaration, rule_id)
        if key not in self._rules:
            found = await self._session.scalars(
                select(RuleRow).where(RuleRow.gateway == self._gateway, RuleRow.id == rule_id)
            )
            bodies = {row.declaration: row.body for row in found}
            body = bodies.get(declaration) or next(reversed(bodies.values()), None)
            self._rules[key] = None if body is None else msgspec.convert(body, Rule)
        return self._rules[key]
