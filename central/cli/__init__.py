"""`citynerve`: the centre at the command line. One file per group of commands."""

from __future__ import annotations

import sys
from typing import Final

import typer

from central.kernel import logs
from protocols.command_line import program
from protocols.errors import CityNerveError

COMMANDS: Final = {
    "serve": "central.cli.serve:serve",
    "demo": "central.cli.demo:demo",
    "openapi": "central.cli.openapi:openapi",
    "backup": "central.cli.backup:backup",
    "restore": "central.cli.backup:restore",
    "doctor": "central.cli.doctor:doctor",
    "audit": "central.cli.audit:app",
    "db": "central.cli.db:app",
    "gateway": "central.cli.gateway:app",
    "registry": "central.cli.registry:app",
    "retention": "central.cli.retention:app",
    "archive": "central.cli.archive:app",
    "user": "central.cli.user:app",
}
app = program(
    "citynerve",
    "CityNerve, the operations centre of a city. Try `citynerve demo` first.",
    COMMANDS,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; a mistake of the caller is a sentence, not a traceback."""
    # Before anything logs: structlog's own default would write among a command's output.
    logs.configure("warning")
    try:
        app()
    except CityNerveError as error:
        typer.echo(f"citynerve: {error}", err=True)
        sys.exit(2)
