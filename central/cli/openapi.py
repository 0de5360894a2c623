"""`citynerve openapi`: the contract of the HTTP API, without a database."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from central.app import create_app
from central.config import Config


def openapi() -> None:
    """Print the OpenAPI document, from which the console's client is generated."""
    app = create_app(Config(data_dir=Path()))
    typer.echo(json.dumps(app.openapi(), ensure_ascii=False, indent=2))
