"""`citynerve-edge point watch`: values as they come, by the running gateway or from the device."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

import typer

from edge.cli import words
from edge.cli.control import Control
from edge.cli.direct import find
from edge.cli.direct import live as values
from edge.cli.terminal import AsJson, GatewayFile, reported
from edge.config.bind import Plan
from edge.opening import open_plan
from protocols.errors import Rejected
from protocols.field.base import BoundPoint
from protocols.model.clock import now_us, to_datetime

Event = dict[str, Any]


def watch(
    file: GatewayFile,
    points: Annotated[list[str], typer.Argument(metavar="POINT...", help="device.point, one or more.")],
    seconds: Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.", min=0)] = None,
    every: Annotated[
        float, typer.Option(help="Seconds between two reads where no gateway runs.", min=0.1)
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Show live values with quality and age until Ctrl-C: the running gateway's, else read from the device.

    Example: citynerve-edge point watch gateway.yaml pump1.pressure pump1.speed
    """
    with reported():
        plan = open_plan(file)
        bound = {name: find(plan, name) for name in points}
        gateway = Control(plan.loaded)
        live = gateway.running
        if not as_json:
            where = f"{plan.gateway} runs: its values" if live else "no gateway runs: read from the device"
            typer.echo(f"({where}; Ctrl-C ends)", err=True)
        ends = None if seconds is None else time.monotonic() + seconds
        units = {f"{point.device}.{point.profile.key}": point.profile.unit for point in bound.values()}
        try:
            if live:
                for event in _from_gateway(gateway, list(units), ends):
                    _show(event, units[event["point"]], as_json)
            else:
                asyncio.run(_from_devices(plan, bound.values(), seconds, every, units, as_json))
        except KeyboardInterrupt:
            return


def _from_gateway(gateway: Control, names: list[str], ends: float | None) -> Iterator[Event]:
    """Yield what the gateway's stream tells, and end when the time is over or the gateway stops."""
    for name, data in gateway.events("/api/stream", points=",".join(names)):
        if name == "values":
            yield from data
        if ends is not None and time.monotonic() >= ends:
            return
    raise Rejected("ended", "the gateway has stopped")


async def _from_devices(
    plan: Plan,
    points: Collection[BoundPoint],
    seconds: float | None,
    every: float,
    units: Mapping[str, str],
    as_json: bool,
) -> None:
    try:
        async with asyncio.timeout(seconds):
            async for event in values(plan, points, every):
                _show(event, units[event["point"]], as_json)
    except TimeoutError:
        return


def _show(event: Event, unit: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event, ensure_ascii=False))
        return
    moment = (
        "-" if event["time_us"] is None else to_datetime(event["time_us"]).strftime("%H:%M:%S.%f")[:-4] + "Z"
    )
    age = words.ago(now_us(), event["time_us"])
    shown = words.value(event, unit)
    typer.echo(f"{moment:<12} {event['point']:<32} {shown:<24} {event['quality']['name']:<28} {age}")
