"""`citynerve-edge queue`."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import Annotated

import typer

from edge.buffer.glance import glance
from edge.cli.control import Control
from edge.cli.health import forecast
from edge.cli.terminal import AsJson, GatewayFile, reported
from edge.cli.words import plain, size
from edge.config.load import Loaded
from edge.opening import open_plan
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US, now_us, to_datetime


def queue(
    file: GatewayFile,
    as_json: AsJson = False,
    reasons: Annotated[int, typer.Option(help="How many refused batches are listed.")] = 10,
) -> None:
    """Show what waits to be sent and what the centre refused; also while the gateway runs.

    Example: citynerve-edge queue gateway.yaml
    """
    with reported():
        loaded = open_plan(file).loaded
        seen = glance(loaded.state_dir)
        now = now_us()
        left = _forecast(loaded, now)
    if as_json:
        answer = {
            "boot": seen.boot,
            "size_bytes": seen.size_bytes,
            "forecast": left,
            "streams": {stream: asdict(depth) for stream, depth in seen.depth.items()},
            "set_aside": [aside._asdict() for aside in seen.asides],
        }
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    typer.echo(f"buffer {seen.boot}: {seen.size_bytes / 1e6:.1f} MB on disk")
    typer.echo(f"  {left}")
    for stream, depth in seen.depth.items():
        age = "" if depth.oldest_us is None else f", oldest {(now - depth.oldest_us) / SECOND_US:.0f} s ago"
        typer.echo(f"  {stream:<9} {depth.batches} batches, {depth.rows} rows, {depth.bytes} bytes{age}")
    typer.echo(f"  set aside {len(seen.asides)} batches")
    for aside in seen.asides[-reasons:] if reasons > 0 else []:
        when = to_datetime(aside.aside_us).isoformat(timespec="seconds")
        typer.echo(f"    {when} {aside.stream} {aside.seq} ({aside.n} rows): {plain(aside.reason)}")


def _forecast(loaded: Loaded, now: int) -> str:
    """Return in words how long there is room; the rate is known to the running gateway only."""
    try:
        overview = Control(loaded).get("/api/overview")
    except Rejected:
        free = shutil.disk_usage(loaded.state_dir).free
        return f"{size(free)} free on the disk; the gateway does not run, so nothing is added"
    return forecast(overview["backlog"], overview["storage"], now)
