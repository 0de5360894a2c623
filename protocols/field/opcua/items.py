"""How each row is got: watched by the subscription, polled for want of room, or refused and asked again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaStatusCodeError

from protocols.field.base import Sink
from protocols.field.opcua import subscribing
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.line import Line
from protocols.field.opcua.publishing import GONE
from protocols.field.opcua.remarks import Remarks
from protocols.field.opcua.subscribing import Subscription
from protocols.field.opcua.table import Table
from protocols.field.opcua.words import code_name
from protocols.model.clock import Clock
from protocols.model.quality import Quality


class Items:
    """The rows of one connection; a row is in one of the three sets, or its namespace is absent."""

    def __init__(
        self,
        line: Line,
        table: Table,
        board: LastValues,
        limits: Limits,
        remarks: Remarks,
        sink: Sink,
        clock: Clock,
    ) -> None:
        self.watched: set[int] = set()
        self.polled: set[int] = set()
        self._refused: set[int] = set()
        self._spoilt: set[int] = set()
        self._line, self._table, self._board, self._limits = line, table, board, limits
        self._remarks, self._sink, self._clock = remarks, sink, clock

    def begin(self) -> None:
        """Poll everything that the server has, and say what it has not."""
        self.polled = set(self._table.found())
        self._hand_absent()

    def unwatch(self) -> None:
        """Poll what was watched."""
        self.polled |= self.watched
        self.watched.clear()
        self._spoilt.clear()

    def missing(self) -> bool:
        """Tell whether there is a row that the server did not serve."""
        return bool(self._refused or self._table.absent())

    async def watch(self, made: Subscription, rows: Sequence[int]) -> str:
        """Create items for rows; those without room are polled, those refused wait for the next try.

        Returns why the subscription is gone already, "" where it is there. Raises UaError, OSError,
        TimeoutError.
        """
        try:
            codes = await subscribing.watch(self._line.client, made, self._table, rows, self._limits)
        except UaStatusCodeError as error:
            if error.code not in GONE:
                raise
            # It ended between its making and its last item: the rows are polled until the next one.
            self.polled.update(rows)
            return f"the server has no such subscription any more ({code_name(error.code)})"
        self._board.watch(list(codes), list(codes.values()))
        refused = []
        for row, code in codes.items():
            if code in subscribing.FULL or row in made.failed:
                self.polled.add(row)
                continue
            self.polled.discard(row)
            if code < Quality.BAD:
                self.watched.add(row)
                self._board.set_delay(row, made.delay_us(row))
            else:
                refused.append(row)
        if refused:
            self._refused.update(refused)
            self._sink(self._board.refused(refused, None, self._clock()))
        self._tell(made)
        return ""

    async def spoilt(self, made: Subscription) -> None:
        """Poll what is watched and cannot be read: it spoils every message that it is part of.

        Raises OSError, TimeoutError.
        """
        alone = self._limits.alone.get(AttributeIds.Value, set())
        rows = sorted(row for row in self.watched if self._table.nodes[row] in alone)
        if rows:
            self.watched.difference_update(rows)
            self.polled.update(rows)
            self._board.watch(rows, [Quality.BAD_DECODING_ERROR] * len(rows))
            self._spoilt.update(rows)
            await subscribing.unwatch(self._line.client, made, rows)
            self._tell(made)

    async def ask_again(self) -> tuple[list[int], bool]:
        """Ask for what the server did not serve: a namespace or a node may have come meanwhile.

        Returns the rows to watch or poll from now on, and whether alarms are among what came. Raises
        UaError, OSError, TimeoutError.
        """
        absent = set(self._table.absent())
        if absent:
            self._table.resolve(await self._line.client.get_namespace_array())
        arrived = absent - set(self._table.absent())
        came = self._table.valued(sorted(arrived | self._refused))
        self._refused.clear()
        self.polled.update(came)
        self._hand_absent()
        return came, arrived != set(self._table.valued(arrived))

    def _tell(self, made: Subscription) -> None:
        if made.unfiltered:
            why = code_name(next(iter(made.unfiltered.values())))
            names = self._names(made.unfiltered)
            self._remarks.say(
                "deadband",
                f"watched without the profile's deadband, which the server refuses ({why}): {names}",
            )
        n = len(self.polled - self._spoilt - set(made.failed))
        self._remarks.say("room", f"{n} points are polled: the server watches no more items" if n else "")
        failed = sorted(self.polled & set(made.failed))
        why = code_name(made.failed[failed[0]]) if failed else ""
        self._remarks.say(
            "failed",
            f"polled, as the server refuses every call to watch them ({why}): {self._names(failed)}"
            if failed
            else "",
        )
        spoilt = self.polled & self._spoilt
        self._remarks.say(
            "spoilt", f"polled, as what they hold cannot be read: {self._names(spoilt)}" if spoilt else ""
        )

    def _names(self, rows: Collection[int]) -> str:
        return ", ".join(self._table.name(row) for row in sorted(rows)[:5])

    def _hand_absent(self) -> None:
        absent = self._table.absent()
        if absent:
            self._sink(self._board.refused(absent, Quality.BAD_NODE_ID_UNKNOWN, self._clock()))
