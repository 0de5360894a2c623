"""`citynerve-edge schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

import firmware_configs
from edge.cli.terminal import reported
from edge.config.schema import write_schemas

SHIPPED: Final = Path(firmware_configs.__file__).parent / "schema"
"""The files that the repository carries."""


def schema(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where the files are written.")
    ] = SHIPPED,
) -> None:
    """Write the JSON Schema of gateway files and profiles, for editors that complete and check YAML.

    Example: citynerve-edge schema ./schema
    """
    with reported():
        for path in write_schemas(folder):
            typer.echo(str(path))
