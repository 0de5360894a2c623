"""`citynerve-edge learnt`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import typer

from edge.cli.control import Control
from edge.cli.terminal import AsJson, GatewayFile, reported
from edge.notebook import FOLDER, LearntView, read, view_of
from edge.opening import open_plan
from protocols.errors import Rejected
from protocols.field.modbus.answers import exception_name
from protocols.model.clock import to_datetime


def learnt(
    file: GatewayFile,
    forget: Annotated[
        str | None,
        typer.Option(help="Forget this device: it is learnt anew.", metavar="DEVICE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was learnt of devices: addresses they refuse, their longest read, the pause they need.

    Kept over restarts in the state folder. `--forget` needs the gateway to run: its line is opened anew.

    \b
    Example: citynerve-edge learnt gateway.yaml

    \b
    Example: citynerve-edge learnt gateway.yaml --forget meter7
    """
    with reported():
        loaded = open_plan(file).loaded
        if forget is not None:
            if forget not in {device.key for device in loaded.entry.devices}:
                raise Rejected("not-found", f"{file} has no device {forget!r}")
            Control(loaded).delete(f"/api/learnt/{forget}")
            typer.echo(f"{forget} is forgotten, and learnt anew")
            return
        folder = loaded.state_dir / FOLDER
        notes = {
            connection.key: read(folder / f"{connection.key}.json") for connection in loaded.entry.connections
        }
        found = {
            device.key: view
            for device in loaded.entry.devices
            if (view := view_of(notes[device.connection].get(device.key, {}))) is not None
        }
    if as_json:
        record: dict[str, Any] = {key: msgspec.to_builtins(view) for key, view in found.items()}
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    for key, view in found.items():
        for line in words(key, view):
            typer.echo(line)
    if not found:
        typer.echo("nothing was learnt: the devices bear what their profiles say")


def words(device: str, view: LearntView) -> list[str]:
    """Return what was learnt of a device, line by line."""
    when = to_datetime(view.learnt_us).isoformat(timespec="seconds")
    lines = [f"{device} ({view.profile}), last learnt {when}"]
    if view.max_registers is not None:
        lines.append(f"  reads of at most {view.max_registers} registers")
    if view.max_bits is not None:
        lines.append(f"  reads of at most {view.max_bits} bits")
    if view.pause_ms:
        lines.append(f"  rests {view.pause_ms} ms before each request")
    for hole in view.holes:
        last = hole.address + hole.count - 1
        where = f"{hole.address}" if hole.count == 1 else f"{hole.address} to {last}"
        what = "a point of the profile" if hole.value else "a gap between points"
        lines.append(f"  FC{hole.fc} {where} (wire): {exception_name(hole.exception)}; {what}")
    return lines
