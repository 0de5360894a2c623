"""`citynerve-edge adopted`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import typer

from edge.cli.control import Control
from edge.cli.terminal import AsJson, GatewayFile, reported
from edge.opening import open_plan
from protocols.model.clock import to_datetime


def adopted(
    file: GatewayFile,
    forget: Annotated[
        str | None,
        typer.Option(help="Take this device out; it joins again when it speaks.", metavar="DEVICE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the devices that joined by themselves under the rules of `adoptions:`, and who may not join.

    Who may not join, and why, is known while the gateway runs; `--forget` needs it to run. What a broker
    retains of a forgotten device does not bring it back; to keep one out for good, write it under `deny`.

    \b
    Example: citynerve-edge adopted gateway.yaml

    \b
    Example: citynerve-edge adopted gateway.yaml --forget air-7
    """
    with reported():
        loaded = open_plan(file).loaded
        control = Control(loaded)
        if forget is not None:
            control.delete(f"/api/adopted/{forget}")
            typer.echo(f"{forget} is taken out; it joins again when it speaks")
            return
        found: dict[str, Any] = {
            "devices": {key: msgspec.to_builtins(one) for key, one in loaded.adopted.items()}
        }
        if control.running:
            found = control.get("/api/adopted")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for line in words(found):
        typer.echo(line)


def words(found: dict[str, Any]) -> list[str]:
    """Return who has joined and who may not, line by line."""
    lines = []
    for key, one in found["devices"].items():
        when = to_datetime(one["adopted_us"]).isoformat(timespec="seconds")
        lines.append(f"{key}: rule {one['rule']}, {one['name']!r} in its topics, since {when}")
    for one in found.get("refused", ()):
        lines.append(f"not {one['name']!r}: rule {one['rule']}; {one['why']}")
    if found.get("refused_more"):
        lines.append(f"others were turned away {found['refused_more']} times")
    return lines or ["no device has joined by itself"]
