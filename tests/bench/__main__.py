"""Run the measurements that were named, or all: `python -m tests.bench [buffer …]`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figure import Figure, table

ALL = ("buffer", "alarms", "gateway", "mqtt", "opcua", "centre", "commands")
SIZED = ("scale", "storm")
"""These take a size."""
NAMED = ("browsers", *SIZED)
"""These take minutes: they are measured when they are named."""


def main(arguments: list[str]) -> int:
    """Print each table as it is measured, and all of them at the end, with the date and the load."""
    asked = _parser().parse_args(arguments)
    figures: list[Figure] = []
    names = asked.names or ALL
    for name in names:
        began = time.perf_counter()
        sys.stdout.write(f"measuring {name} … ({datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {_load()})\n")
        sys.stdout.flush()
        measure = importlib.import_module(f"tests.bench.{name}").measure
        found = measure(asked.scale, asked.data) if name in SIZED else measure()
        figures += found
        sys.stdout.write(f"{table(found)}\n({time.perf_counter() - began:.0f} s, load {_load()})\n\n")
        sys.stdout.flush()
    if len(names) > 1:
        sys.stdout.write(table(figures) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, *NAMED, []], help=f"none: {', '.join(ALL)}")
    parser.add_argument(
        "--scale", type=float, default=1.0, help=f"part of the full size of {', '.join(SIZED)}"
    )
    parser.add_argument("--data", type=Path, help="scale: keep the database in this folder, or go on with it")
    return parser


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
