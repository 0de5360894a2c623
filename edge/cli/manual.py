"""`citynerve-edge manual`: local manual mode (就地手动), on and off."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from edge.cli.control import Control
from edge.cli.terminal import AsJson, GatewayFile, reported
from edge.opening import open_plan

app = typer.Typer(
    help="Local manual mode: take a device out of reach of the centre and of actions, or give it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Device = Annotated[str, typer.Argument(metavar="DEVICE", help="Key of a device, or all.")]


@app.command("on")
def on(
    file: GatewayFile,
    device: Device,
    reason: Annotated[str, typer.Option(help="Why, for whoever comes later.")],
) -> None:
    """Take a device, or all of them: commands of the centre and actions are rejected until it is given back.

    Example: citynerve-edge manual on gateway.yaml pump1 --reason "oil change"
    """
    _switch(file, device, on=True, reason=reason)


@app.command("off")
def off(file: GatewayFile, device: Device) -> None:
    """Give a device back, or all that were taken by `all`. Nothing starts by this.

    Example: citynerve-edge manual off gateway.yaml pump1
    """
    _switch(file, device, on=False, reason="")


@app.command("show")
def show(file: GatewayFile, as_json: AsJson = False) -> None:
    """Show which devices are in local manual mode.

    Example: citynerve-edge manual show gateway.yaml
    """
    with reported():
        held = Control(open_plan(file).loaded).get("/api/overview")["local_manual"]
    typer.echo(json.dumps(held) if as_json else _words(held))


def _switch(file: GatewayFile, device: str, *, on: bool, reason: str) -> None:
    body = {"device": "*" if device == "all" else device, "on": on, "reason": reason}
    with reported():
        held = Control(open_plan(file).loaded).post("/api/manual", body)["local_manual"]
    typer.echo(_words(held))


def _words(held: list[str]) -> str:
    if not held:
        return "no device is in local manual mode"
    return f"in local manual mode: {', '.join('all' if device == '*' else device for device in held)}"
