"""`citynerve-edge run`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from edge.app import run_gateway
from edge.cli.terminal import GatewayFile, logs, reported

try:
    from uvloop import run as run_loop  # a third less processor for each reading than asyncio's own
except ImportError:  # there is none for Windows
    from asyncio import run as run_loop


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


def run(
    file: GatewayFile,
    level: Annotated[Level, typer.Option("--log", help="Least level that is logged.")] = Level.INFO,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; then everything in hand is written first.

    Works without a centre, and with one that cannot be reached.

    Example: citynerve-edge run /etc/citynerve-edge/gateway.yaml
    """
    logs(level.value)
    with reported():
        run_loop(run_gateway(file))
