"""`citynerve`: the centre at the command line. One file per group of commands."""

from __future__ import annotations

import sys

import typer

from central.cli import archive, audit, backup, db, doctor, gateway, openapi, registry, retention, serve, user
from central.cli.demo import demo
from central.kernel import logs
from protocols.errors import CityNerveError

app = typer.Typer(
    name="citynerve",
    help="CityNerve, the operations centre of a city. Try `citynerve demo` first.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(demo)
app.command("openapi")(openapi.openapi)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")
app.add_typer(gateway.app, name="gateway")
app.add_typer(registry.app, name="registry")
app.add_typer(retention.app, name="retention")
app.add_typer(archive.app, name="archive")
app.add_typer(user.app, name="user")


def main() -> None:
    """Run the command line; a mistake of the caller is a sentence, not a traceback."""
    # Before anything logs: structlog's own default would write among a command's output.
    logs.configure("warning")
    try:
        app()
    except CityNerveError as error:
        typer.echo(f"citynerve: {error}", err=True)
        sys.exit(2)
