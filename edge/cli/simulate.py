"""`citynerve-edge simulate`: a gateway file's devices on this machine, without any hardware.

The simulators are a house of their own that the gateway never imports, so their program is run instead.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.terminal import GatewayFile, reported
from edge.opening import open_plan
from protocols.errors import Rejected


def simulate(
    file: GatewayFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the gateway file that points at the simulators is written.", metavar="FILE"),
    ] = None,
    for_s: Annotated[
        float | None, typer.Option("--for", help="Stop after so many seconds.", min=0, metavar="SECONDS")
    ] = None,
) -> None:
    """Simulate every device of a gateway file on free ports of 127.0.0.1, until Ctrl-C.

    Writes a second gateway file with the real ports and a state folder of its own, without the centre: run
    that one. Needs the extra `citynerve[sim]`.

    Example: citynerve-edge simulate gateway.yaml --out simulated.yaml
    """
    with reported():
        open_plan(file)
        program = _program()
    words = [program, "gateway", str(file), *(["--out", str(out)] if out else [])]
    words += ["--for", str(for_s)] if for_s is not None else []
    sys.stdout.flush()
    os.execv(program, words)  # noqa: S606 - no shell: a path found beside our own, and words of our own


def _program() -> str:
    """Return the path of `citynerve-sim`. Raises Rejected where it is not installed."""
    beside = Path(sys.executable).with_name("citynerve-sim")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("citynerve-sim")
    if not found:
        raise Rejected(
            "no-simulators",
            "citynerve-sim is not installed; install the simulators: pip install 'citynerve[sim]'",
        )
    return found
