"""Run the measurements that were named, or all: `python -m tests.bench [buffer …]`."""

from __future__ import annotations

import importlib
import sys
import time

from tests.bench.figure import Figure, table

ALL = ("buffer", "alarms", "gateway", "centre", "commands")


def main(names: list[str]) -> int:
    """Print each table as it is measured, and all of them at the end."""
    unknown = set(names) - set(ALL)
    if unknown:
        sys.stderr.write(f"No such measurement: {', '.join(sorted(unknown))}. There are: {', '.join(ALL)}.\n")
        return 2
    figures: list[Figure] = []
    for name in names or ALL:
        began = time.perf_counter()
        sys.stdout.write(f"measuring {name} …\n")
        sys.stdout.flush()
        found = importlib.import_module(f"tests.bench.{name}").measure()
        figures += found
        sys.stdout.write(f"{table(found)}\n({time.perf_counter() - began:.0f} s)\n\n")
        sys.stdout.flush()
    if len(names or ALL) > 1:
        sys.stdout.write(table(figures) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
