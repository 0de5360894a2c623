"""The rule behind an occurrence: as the gateway declared it, or the centre's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from central.store.reach import among
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

    async def read(self, wanted: Collection[tuple[str, str]]) -> None:
        """Read the rules of these (declaration, rule id) at once: a storm names hundreds."""
        missing = {key for key in wanted if key not in self._rules and key[0] != CENTRE}
        if not missing:
            return
        bodies: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for row in await self._session.scalars(
            select(RuleRow).where(
                RuleRow.gateway == self._gateway, among(RuleRow.id, {rule for _, rule in missing})
            )
        ):
            bodies[row.id][row.declaration] = row.body
        for declaration, rule in missing:
            known = bodies[rule]
            body = known.get(declaration) or next(reversed(known.values()), None)
            self._rules[declaration, rule] = None if body is None else msgspec.convert(body, Rule)

    async def get(self, declaration: str, rule_id: str) -> Rule | None:
        """Return the rule as that declaration has it, else as any other that has it; None if none has."""
        if declaration == CENTRE:
            return OWN.get(rule_id)
        key = (declaration, rule_id)
        if key not in self._rules:
            await self.read([key])
        return self._rules[key]
