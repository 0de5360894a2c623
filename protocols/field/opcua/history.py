"""What happened while nobody listened, from the server's own history (OPC 10000-11, HistoryRead raw).

    last known time of a point ─→ raw values after it ─→ … ─→ before its first report of this subscription

The gap stays marked; what the history tells goes out with its own source times, and then the present value
once more, so that what came last stays last. Nothing is taken twice: what lies outside the gap is left out.
Only points whose user may read history are asked for, so that servers without one cost a single read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError

from protocols.field.base import Sink
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.line import Line
from protocols.field.opcua.reading import read
from protocols.field.opcua.remarks import Remarks
from protocols.field.opcua.table import Table
from protocols.field.opcua.words import reason
from protocols.model.clock import SECOND_US, Clock, to_datetime
from protocols.model.reading import TimesUs

PAGE: Final = 1000
"""Values of one point in one answer."""
MOST: Final = 20_000
"""Values of one point in one gap; a longer history is taken up to here, and the remark says so."""
SETTLE_S: Final = 2.0
"""So long after a subscription begins its first reports have come, mostly; they end the gap."""
_MAY_READ: Final = 0x04
"""HistoryRead of UserAccessLevel (OPC 10000-3, 8.57)."""


class History:
    """Fills gaps of one connection."""

    def __init__(
        self,
        line: Line,
        table: Table,
        board: LastValues,
        limits: Limits,
        sink: Sink,
        clock: Clock,
        remarks: Remarks,
    ) -> None:
        self._line, self._table, self._board, self._limits = line, table, board, limits
        self._sink, self._clock, self._remarks = sink, clock, remarks
        self._task: asyncio.Task[None] | None = None

    def fill(self, known: TimesUs) -> None:
        """Begin to fill the gap after `known`, by row; 0 where nothing is known. One at a time."""
        if self._line.settings.history_h > 0 and known.any() and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._fill(known))

    async def stop(self) -> None:
        """Fill no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _fill(self, known: TimesUs) -> None:
        await asyncio.sleep(SETTLE_S)
        try:
            rows = await self._kept([row for row in self._table.found() if known[row]])
            cut = [row for row in rows if await self._row(row, int(known[row]))]
        except (OSError, TimeoutError, UaError) as error:
            # That it cannot be read ends nothing: a lost connection is seen by those who watch it.
            self._remarks.say(
                "history", f"the server's history could not be read ({reason(error)}); the gap stays"
            )
            return
        names = [self._table.name(row) for row in cut]
        self._remarks.say(
            "history",
            f"more happened in the gap than is taken from the server's history, {MOST} values of a point: "
            f"{', '.join(names[:5])}"
            if names
            else "",
        )

    async def _kept(self, rows: Sequence[int]) -> list[int]:
        """Return those rows whose history this user may read."""
        nodes = [self._table.nodes[row] for row in rows]
        answers = await read(self._line.client, self._limits, nodes, AttributeIds.UserAccessLevel)
        levels = [None if one is None or one.Value is None else one.Value.Value for one in answers]
        return [
            row
            for row, level in zip(rows, levels, strict=True)
            if isinstance(level, int) and level & _MAY_READ
        ]

    async def _row(self, row: int, known_us: int) -> bool:
        """Fill the gap of one point; return whether it was longer than is taken."""
        oldest = self._clock() - round(self._line.settings.history_h * 3600 * SECOND_US)
        begin, end = max(known_us, oldest), self._board.first(row) or self._clock()
        if begin >= end:
            return False
        details = ua.ReadRawModifiedDetails()
        details.IsReadModified = False
        details.StartTime, details.EndTime = _stamp(begin), _stamp(end)
        details.NumValuesPerNode = PAGE
        details.ReturnBounds = False
        node = ua.HistoryReadValueId()
        node.NodeId, node.IndexRange, node.ContinuationPoint = self._table.nodes[row], None, None
        taken = 0
        while True:
            result = await self._ask(details, node, release=False)
            values = [] if result is None else getattr(result.HistoryData, "DataValues", None) or []
            readings = self._board.past(row, values, begin, end, self._clock())
            if len(readings):
                self._sink(readings)
                # A server may begin its next page with the last value of this one.
                begin = max(begin, int(readings.time_us[:-1].max(initial=begin)))
            taken += len(values)
            node.ContinuationPoint = None if result is None else result.ContinuationPoint
            more = bool(node.ContinuationPoint) and bool(values)
            if not more and len(values) >= PAGE and len(readings):
                # A server that stops at a full page without saying where it stopped: from the last one on.
                more, details.StartTime = True, _stamp(begin)
            if not more:
                return False
            if taken >= MOST:
                if node.ContinuationPoint:
                    await self._ask(details, node, release=True)
                return True

    async def _ask(
        self, details: ua.ReadRawModifiedDetails, node: ua.HistoryReadValueId, *, release: bool
    ) -> Any:
        """Return a page; None where this point has no history after all."""
        request = ua.HistoryReadParameters()
        request.HistoryReadDetails = details
        request.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.ReleaseContinuationPoints = release
        request.NodesToRead = [node]
        (result,) = await self._line.client.uaclient.session.history_read(request)
        return None if result.StatusCode.is_bad() else result


def _stamp(at_us: int) -> ua.DateTime:
    return ua.DateTime.fromisoformat(to_datetime(at_us).isoformat())


def noted(known: dict[str, Any], keys: Sequence[str]) -> TimesUs:
    """Return the times that were noted of some points, 0 for none; notes are a file that people may edit."""
    heard = known.get("heard_us")
    times = heard if isinstance(heard, dict) else {}
    return np.array(
        [time if isinstance(time := times.get(key), int) and time > 0 else 0 for key in keys], np.int64
    )
