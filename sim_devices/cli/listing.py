"""`citynerve-sim list`: what can be simulated."""

from __future__ import annotations

import json

import typer

from sim_devices.city import SCENARIOS
from sim_devices.cli import options
from sim_devices.faults import GRAMMAR
from sim_devices.profiles import shipped_profiles


def listing(as_json: options.AsJson = False) -> None:
    """Name the profiles, the city's scenarios and the kinds of fault.

    \b
    Example: citynerve-sim list --json
    """
    profiles = shipped_profiles().values()
    if as_json:
        record = {
            "profiles": [
                {"id": p.id, "protocol": p.protocol, "kind": p.kind, "points": len(p.points),
                 "name": {"zh": p.name.zh, "en": p.name.en}}
                for p in profiles
            ],
            "scenarios": list(SCENARIOS),
            "faults": GRAMMAR,
        }  # fmt: skip
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    rows = [("PROFILE", "PROTOCOL", "POINTS", "NAME")]
    rows += [(p.id, p.protocol, str(len(p.points)), p.name.en) for p in profiles]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    typer.echo(f"\nscenarios  {', '.join(SCENARIOS)}")
    typer.echo(f"faults     {'  '.join(GRAMMAR.values())}")
