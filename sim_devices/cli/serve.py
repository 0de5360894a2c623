"""Runs a simulation for a person at a terminal: table of endpoints, Ctrl-C, errors in one sentence."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from protocols.errors import CityNerveError, ConfigError
from sim_devices.faults import parse_fault
from sim_devices.paste import as_yaml
from sim_devices.runner import Settings, Simulation, simulating
from sim_devices.schedule import load_schedule
from sim_devices.world import World

Ready = Callable[[Simulation], dict[str, Any]]
"""Called when every server listens; what it returns joins the printed state."""


def settings(
    *,
    host: str,
    speed: float,
    tick: float,
    control_port: int | None,
    faults: list[str] | None,
    schedule: Path | None,
    camera_auth: str | None,
    opcua_pki: Path | None = None,
    opcua_auth: str | None = None,
    opcua_history: bool = False,
) -> Settings:
    """Return the settings that a person typed. Raises Rejected and ConfigError."""
    if opcua_auth is not None and opcua_pki is None:
        raise typer.BadParameter(
            "a password needs encryption; give --opcua-pki as well", param_hint="--opcua-auth"
        )
    return Settings(
        host=host,
        speed=speed,
        tick_s=tick,
        control_port=control_port,
        camera_credentials=_credentials(camera_auth, "--camera-auth"),
        opcua_folder=opcua_pki,
        opcua_credentials=_credentials(opcua_auth, "--opcua-auth"),
        opcua_history=opcua_history,
        faults=tuple(parse_fault(text) for text in faults or ()),
        schedule=load_schedule(schedule) if schedule else (),
    )


def _credentials(text: str | None, option: str) -> tuple[str, str] | None:
    if text is None:
        return None
    name, colon, password = text.partition(":")
    if not colon or not name:
        raise typer.BadParameter("write it as NAME:PASSWORD", param_hint=option)
    return name, password


def serve(
    build: Callable[[], tuple[World, Settings]],
    *,
    for_s: float | None,
    as_json: bool,
    ready: Ready | None = None,
) -> None:
    """Run until Ctrl-C or the end of `for_s`. A mistake is one sentence on stderr and exit code 2."""
    quiet_libraries()
    try:
        world, chosen = build()
        asyncio.run(_serve(world, chosen, for_s, as_json, ready))
    except ConfigError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        # str(OSError) begins with a number that says nothing to a technician.
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {where}{error.strerror or error}", err=True)
        raise typer.Exit(2) from error
    except (CityNerveError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


async def _serve(
    world: World, chosen: Settings, for_s: float | None, as_json: bool, ready: Ready | None
) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no such handlers; Ctrl-C ends asyncio.run there by itself.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    async with simulating(world, chosen) as simulation:
        more = ready(simulation) if ready else {}
        state = simulation.state() | more
        typer.echo(json.dumps(state, ensure_ascii=False) if as_json else table(state))
        running = loop.create_task(simulation.run(for_s))
        waiting = loop.create_task(stopped.wait())
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            waiting.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)
        if running.done() and not running.cancelled() and (error := running.exception()):
            raise error
    if not as_json:
        typer.echo("stopped")


def table(state: dict[str, Any]) -> str:
    """Return the endpoints as a table, with what a person does next."""
    rows = [("SERVER", "PROTOCOL", "ADDRESS", "DEVICES")]
    rows += [
        (e["key"], e["protocol"], " ".join((e["url"], e.get("also", ""))).strip(), str(len(e["devices"])))
        for e in state["endpoints"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.append("")
    lines.append(f"scenario {state['scenario']}, world time {state['world_time']}, speed {state['speed']:g}x")
    if state["control"]:
        lines.append(f"control  {state['control']}/state")
    lines += [f"fault    {fault}" for fault in state["faults"]]
    lines += [f"gateway  {path}" for path in state.get("gateways", ())]
    lines += [f"golden   {vector['point']} = {_becomes(vector)}" for vector in state.get("golden", ())]
    if "paste" in state:
        lines += ["", "# for the gateway file:", as_yaml(state["paste"]), ""]
    lines.append("Ctrl-C stops everything.")
    return "\n".join(lines)


def _becomes(vector: dict[str, Any]) -> str:
    value = vector["value"]
    return vector["quality"] if value is None else value if isinstance(value, str) else f"{value:.10g}"


def quiet_libraries() -> None:
    """Libraries tell their daily life at WARNING; a person wants errors only."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("asyncua", "amqtt", "transitions", "uvicorn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
