"""A gateway that exchanges its token, and dies by SIGKILL at its n-th look at the disk or the network."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from edge.link.client import CentreClient
from edge.link.credentials import Token
from edge.link.rotation import Rotation

LOOKS: Final = {"open", "os.rename", "os.remove", "socket.connect", "socket.__new__", "os.mkdir"}
"""Audit events (PEP 578) of which one is the last."""


def main() -> None:
    """Exchange the token of a folder; words: the centre's URL, the folder, the last look or 0."""
    url, folder, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    count = 0

    def look(event: str, _: tuple[Any, ...]) -> None:
        nonlocal count
        if event in LOOKS:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    async def exchange() -> None:
        token = Token(folder, "gw-test")
        token()
        async with CentreClient(url, None, token) as centre:
            sys.addaudithook(look)
            await Rotation(centre, token, 90).rotate()

    asyncio.run(exchange())
