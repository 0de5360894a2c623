"""Options that several commands share, laid over the environment."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from central.config import Config

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the embedded database [env: CITYNERVE_DATA].", show_default=False),
]


def settings(data: Path | None = None, host: str | None = None, port: int | None = None) -> Config:
    """Return the settings of the environment with what was given at the command line instead."""
    config = Config.from_env()
    if data is not None:
        config = dataclasses.replace(config, data_dir=data, database_url=None)
    if host is not None:
        config = dataclasses.replace(config, host=host)
    if port is not None:
        config = dataclasses.replace(config, port=port)
    return config
