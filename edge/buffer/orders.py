"""What was asked of the gateway, in the log's file: begun once, ended once, never repeated."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from edge.buffer.log import Log
from protocols.model.clock import SECOND_US
from protocols.model.command import CommandOutcome
from protocols.model.order import Order

_KEPT_US: Final = 30 * 86_400 * SECOND_US
_CURSOR: Final = "inbox_cursor"


def begin(log: Log, order: Order, number: int, now_us: int) -> bool:
    """Note an order before it is carried out; False where it had been begun. Those ended long ago go."""
    with log.change():
        log.file.write("DELETE FROM command WHERE outcome IS NOT NULL AND begun_us < ?", (now_us - _KEPT_US,))
        first = log.file.write(
            "INSERT OR IGNORE INTO command (id, asked, begun_us) VALUES (?, ?, ?)",
            (order.id, msgspec.json.encode(order), now_us),
        )
        log.file.put_fact(_CURSOR, str(max(number, cursor(log))))
        return bool(first)


def finish(log: Log, outcome: CommandOutcome) -> None:
    """Note how an order ended, inside a change of the caller."""
    log.file.write(
        "UPDATE command SET outcome = ? WHERE id = ?", (msgspec.json.encode(outcome), outcome.command)
    )


def interrupted(log: Log) -> list[Order]:
    """Return what was begun and not ended, the oldest first."""
    found = []
    rows = log.file.read("SELECT id, asked FROM command WHERE outcome IS NULL ORDER BY begun_us")
    for name, asked in rows:
        try:
            found.append(msgspec.json.decode(asked, type=Order))
        except (msgspec.DecodeError, TypeError) as error:
            # It stays begun, so that it is never repeated; the centre ends it when its time is over.
            structlog.get_logger("edge.buffer").warning(
                "an order that had begun cannot be read", order=name, reason=str(error)
            )
    return found


def cursor(log: Log) -> int:
    """Return the number of the newest order that was begun; 0 before the first."""
    return int(log.file.fact(_CURSOR) or 0)
