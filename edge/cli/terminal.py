"""What the commands share towards a person: where files come from, how errors end, how logs look."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from edge.cli.words import plain
from edge.console.ring import Ring, masking
from protocols.errors import CityNerveError, ConfigError

FAILED = 1
WRONG = 2

GatewayFile = Annotated[Path, typer.Argument(metavar="FILE", help="The gateway file (YAML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for scripts.")]


@contextmanager
def reported() -> Iterator[None]:
    """Turn the product's errors into words on standard error and the documented exit code."""
    try:
        yield
    except ConfigError as error:
        for mistake in error.mistakes:
            typer.echo(plain(str(mistake), keep="\n"), err=True)
        n = len(error.mistakes)
        typer.echo(f"{n} mistake{'s' if n != 1 else ''}; nothing was started", err=True)
        raise typer.Exit(WRONG) from error
    except CityNerveError as error:
        typer.echo(plain(str(error), keep="\n"), err=True)
        raise typer.Exit(FAILED) from error
    except PermissionError as error:
        what = (
            f"{error.filename or error}: Permission denied; what is in the state folder is for the gateway's"
        )
        typer.echo(
            plain(
                f"{what} own user: run this as that user, such as `sudo -u citynerve-edge citynerve-edge …`"
            ),
            err=True,
        )
        raise typer.Exit(FAILED) from error


def logs(level: str = "info") -> None:
    """Send structured logs to standard error: for people on a terminal, as JSON lines elsewhere."""
    terminal = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            Ring(),  # the newest lines, for the page
            *([] if terminal else [structlog.processors.format_exc_info]),
            masking,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
