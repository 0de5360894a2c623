"""The technician's local page, and the control socket of the command line: one app behind two doors.

Nothing here decides about alarms, commands or settings: it shows what the house has, and hands on what a
person asks for, with the name of who asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.house import House


async def serve(house: House) -> None:
    """Keep the doors open until cancelled. Never raises otherwise: without its page the gateway goes on."""
    from edge.console import server  # noqa: PLC0415 - commands that run no gateway need no web server

    await server.serve(house)
