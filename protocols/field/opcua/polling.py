"""Reading points at their period: those that nobody reports, and in trouble all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from protocols.field.base import Sink
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.line import Line
from protocols.field.opcua.reading import read
from protocols.field.opcua.table import POLL_S, Table
from protocols.model.clock import Clock
from protocols.model.device import PeriodClass


class Polling:
    """Reads rows of one connection and hands them on; knows when each period class is due again."""

    def __init__(
        self, line: Line, table: Table, board: LastValues, limits: Limits, sink: Sink, clock: Clock
    ) -> None:
        self._line, self._table, self._board, self._limits = line, table, board, limits
        self._sink, self._clock = sink, clock
        self._at: dict[str, float] = {}

    def due(self, rows: Collection[int]) -> list[float]:
        """Return when the period classes of some rows are due, by the loop's clock."""
        return [self._at.get(name, 0.0) for name in self._classes(rows)]

    async def round(self, rows: Collection[int]) -> None:
        """Read those of some rows that are due. Raises as `read`."""
        now = asyncio.get_running_loop().time()
        due = {name for name in self._classes(rows) if now >= self._at.get(name, 0.0)}
        await self.read([row for row in rows if self._table.points[row].profile.period in due])

    async def read(self, rows: Collection[int]) -> None:
        """Read rows and hand them on. Raises UaError, OSError, TimeoutError where nothing is answered."""
        wanted = sorted(rows)
        if not wanted:
            return
        nodes = [self._table.nodes[row] for row in wanted]
        answers = await read(self._line.client, self._limits, nodes)
        self._sink(self._board.read(wanted, answers, self._clock()))
        now = asyncio.get_running_loop().time()
        for name in self._classes(wanted):
            self._at[name] = now + POLL_S[name]

    def _classes(self, rows: Collection[int]) -> set[PeriodClass]:
        return {self._table.points[row].profile.period for row in rows}
