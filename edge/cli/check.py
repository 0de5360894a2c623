"""`citynerve-edge check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from edge.app import open_plan, read_tasks
from edge.cli.terminal import WRONG, AsJson, GatewayFile
from edge.config.bind import Plan
from protocols.errors import ConfigError, Mistake
from protocols.field.base import ReadTask


def check(file: GatewayFile, as_json: AsJson = False) -> None:
    """Read a gateway file and its profiles; list every mistake, or what the gateway would do.

    Touches no device and no network.

    Example: citynerve-edge check gateway.yaml
    """
    try:
        plan = open_plan(file)
        tasks = read_tasks(plan)
    except ConfigError as error:
        _mistakes(error.mistakes, as_json)
        raise typer.Exit(WRONG) from error
    summary = describe(plan, tasks)
    if as_json:
        typer.echo(json.dumps({"mistakes": [], "plan": summary}, ensure_ascii=False, indent=2))
    else:
        _print(summary)


def describe(plan: Plan, tasks: dict[str, tuple[ReadTask, ...]]) -> dict[str, Any]:
    """Return what a plan amounts to: lines, devices, requests of one cycle and per second."""
    lines = []
    for connection in plan.connections:
        own = tasks[connection.key]
        lines.append(
            {
                "connection": connection.key,
                "protocol": connection.driver.protocol,
                "requests_per_second": round(
                    sum(task.requests / plan.periods[task.period] for task in own), 3
                ),
                "devices": [
                    {
                        "device": device.key,
                        "profile": device.profile.id,
                        "points": len(device.points),
                        "requests_per_cycle": {
                            period: requests
                            for period in plan.periods
                            if (
                                requests := sum(
                                    task.requests
                                    for task in own
                                    if task.device == device.key and task.period == period
                                )
                            )
                        },
                        "rules": sum(rule.id.startswith(f"{device.key}.") for rule in plan.rules),
                    }
                    for device in connection.devices
                ],
            }
        )
    centre = plan.loaded.entry.centre
    return {
        "gateway": plan.gateway,
        "centre": centre.url if centre else None,
        "state_dir": str(plan.loaded.state_dir),
        "periods_s": dict(plan.periods),
        "points": len(plan.points),
        "rules": len(plan.rules),
        "declaration": plan.declaration,
        "connections": lines,
    }


def _mistakes(mistakes: Sequence[Mistake], as_json: bool) -> None:
    if as_json:
        found = [asdict(mistake) for mistake in mistakes]
        typer.echo(json.dumps({"mistakes": found, "plan": None}, ensure_ascii=False, indent=2))
        return
    for mistake in mistakes:
        typer.echo(str(mistake), err=True)
    typer.echo(f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}", err=True)


def _print(summary: dict[str, Any]) -> None:
    periods = ", ".join(f"{name} {seconds:g} s" for name, seconds in summary["periods_s"].items())
    typer.echo(
        f"gateway {summary['gateway']}: {summary['points']} points, {summary['rules']} rules, no mistakes"
    )
    typer.echo(f"centre  {summary['centre'] or 'none: readings are kept here'}")
    typer.echo(f"state   {summary['state_dir']}")
    typer.echo(f"periods {periods}")
    for line in summary["connections"]:
        rate = line["requests_per_second"]
        cost = f"{rate:g} requests/s" if rate else "devices speak by themselves"
        typer.echo(f"\n{line['connection']} ({line['protocol']}): {len(line['devices'])} devices, {cost}")
        for device in line["devices"]:
            cycle = ", ".join(f"{n} {period}" for period, n in device["requests_per_cycle"].items())
            typer.echo(
                f"  {device['device']:<24} {device['profile']:<24} {device['points']:>4} points"
                f"  {device['rules']:>3} rules  {('requests: ' + cycle) if cycle else ''}".rstrip()
            )
