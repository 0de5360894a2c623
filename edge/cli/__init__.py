"""`citynerve-edge`: one file per command group.

Exit codes, for scripts: 0 done · 1 it was tried and failed (the reason is on standard error) ·
2 the command line or a file is wrong (every mistake is listed).
"""

from __future__ import annotations

import os
from typing import Final

from edge.cli.completion import VARIABLE
from protocols.command_line import program

COMMANDS: Final = {
    "init": "edge.cli.initial:init",
    "check": "edge.cli.check:check",
    "run": "edge.cli.run:run",
    "launch": "edge.cli.launch:launch",
    "health": "edge.cli.health:health",
    "queue": "edge.cli.queue:queue",
    "learnt": "edge.cli.learnt:learnt",
    "adopted": "edge.cli.adopted:adopted",
    "decode": "edge.cli.decode:decode",
    "simulate": "edge.cli.simulate:simulate",
    "bundle": "edge.cli.bundle:bundle",
    "completion": "edge.cli.completion:completion",
    "enrol": "edge.cli.enrol:enrol",
    "schema": "edge.cli.schema:schema",
    "profile": "edge.cli.profile:app",
    "point": "edge.cli.point:app",
    "scan": "edge.cli.scan:app",
    "alarms": "edge.cli.alarms:app",
    "manual": "edge.cli.manual:app",
    "audit": "edge.cli.audit:app",
    "page": "edge.cli.page:app",
    "config": "edge.cli.config:app",
    "opcua": "edge.cli.opcua:app",
}
app = program(
    "citynerve-edge",
    "The CityNerve gateway: polls devices, judges alarms, keeps every reading, forwards it.\n\n"
    "Exit codes: 0 done, 1 tried and failed, 2 the command line or a file is wrong.\n\n"
    "Example: citynerve-edge check gateway.yaml && citynerve-edge run gateway.yaml",
    COMMANDS,
    add_completion=False,
    # rich costs a gateway megabytes at run time, and logs nothing that plain text cannot say.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    if VARIABLE in os.environ:
        # A shell asks for words to complete (`completion`): typer's answers are known only after this.
        from typer.completion import completion_init  # type: ignore[attr-defined] # noqa: PLC0415

        completion_init()
    try:
        app()
    except KeyboardInterrupt:
        # Pressed while the words were still being read; later it is the command's own end.
        raise SystemExit(130) from None
