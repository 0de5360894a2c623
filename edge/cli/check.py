"""`citynerve-edge check`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from edge.cli.control import Control
from edge.cli.terminal import WRONG, AsJson, GatewayFile
from edge.config.bind import Plan
from edge.opening import open_plan, read_tasks
from edge.tools.budget import Budget, budgets
from protocols.errors import ConfigError, Mistake, Rejected
from protocols.field.base import BoundDevice, Driver, ReadTask


def check(
    file: GatewayFile,
    ask: Annotated[
        bool, typer.Option("--ask", help="Also list what each device will be asked or listened to.")
    ] = False,
    baud: Annotated[
        int | None,
        typer.Option(help="Speed of the serial lines behind Modbus gateways, for the budget.", min=300),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a gateway file and its profiles; list every mistake, or what the gateway would do.

    Touches no device and no network. Where this gateway runs, its measured latencies are used for the
    time that each line is busy; else they are estimated.

    \b
    Example: citynerve-edge check gateway.yaml

    \b
    Example: citynerve-edge check gateway.yaml --ask --baud 9600
    """
    try:
        plan = open_plan(file)
        tasks = read_tasks(plan)
    except ConfigError as error:
        _mistakes(error.mistakes, as_json)
        raise typer.Exit(WRONG) from error
    summary = describe(plan, tasks)
    found = budgets(plan, tasks, _measured(plan), baud)
    questions = list(asked(plan, tasks)) if ask else []
    if as_json:
        record: dict[str, Any] = {"mistakes": [], "plan": summary, "budget": [asdict(line) for line in found]}
        if ask:
            record["asked"] = questions
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
        return
    _print(summary, {line.connection: line for line in found})
    for question in questions:
        typer.echo(_question(question))
    for line in found:
        for warning in line.warnings:
            typer.echo(f"warning: {warning}", err=True)


def describe(plan: Plan, tasks: dict[str, tuple[ReadTask, ...]]) -> dict[str, Any]:
    """Return what a plan amounts to: lines, devices, requests of one cycle and per second."""
    lines = []
    for connection in plan.connections:
        own = tasks[connection.key]
        lines.append(
            {
                "connection": connection.key,
                "protocol": connection.driver.protocol,
                "remarks": list(connection.driver(connection.settings, connection.devices).remarks()),
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
                "watches": [
                    {"rule": watch.rule, "topic": watch.topic, "profile": watch.profile.id}
                    for watch in connection.watches
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


def asked(plan: Plan, tasks: dict[str, tuple[ReadTask, ...]]) -> Iterator[dict[str, Any]]:
    """Yield each request with its period, and each topic or node that a device is listened to by."""
    for connection in plan.connections:
        driver = connection.driver(connection.settings, connection.devices)
        names = {point.index: point.profile.key for device in connection.devices for point in device.points}
        for task in tasks[connection.key]:
            yield {
                "device": task.device,
                "every_s": plan.periods[task.period],
                **driver.question(task),
                "points": [names[index] for index in task.points.tolist()],
            }
        if not tasks[connection.key]:
            for device in connection.devices:
                for place, points in _places(driver, device).items():
                    yield {"device": device.key, "listens": place, "points": points}


def _places(driver: Driver, device: BoundDevice) -> dict[str, list[str]]:
    """Return the topics or nodes of a device that speaks by itself, with the points that each feeds."""
    found: dict[str, list[str]] = {}
    for point in device.points:
        place = driver.place(device, point)
        if place and point.profile.readable:
            found.setdefault(place, []).append(point.profile.key)
    return found


def _question(question: dict[str, Any]) -> str:
    asks = {
        key: value for key, value in question.items() if key not in ("device", "every_s", "points", "listens")
    }
    place = question.get("listens") or " ".join(f"{key} {value}" for key, value in asks.items())
    rhythm = f"every {question['every_s']:g} s" if "every_s" in question else "listens to"
    return f"  {question['device']:<24} {rhythm:<12} {place:<40} {', '.join(question['points'])}"


def _percent(share: float) -> str:
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _measured(plan: Plan) -> dict[str, float]:
    """Return the latency of each device in milliseconds where this gateway runs, else nothing."""
    try:
        devices = Control(plan.loaded).get("/api/devices")
    except Rejected:
        return {}
    return {one["key"]: one["latency_ms"] for one in devices if one.get("latency_ms") is not None}


def _mistakes(mistakes: Sequence[Mistake], as_json: bool) -> None:
    if as_json:
        found = [asdict(mistake) for mistake in mistakes]
        typer.echo(json.dumps({"mistakes": found, "plan": None}, ensure_ascii=False, indent=2))
        return
    for mistake in mistakes:
        typer.echo(str(mistake), err=True)
    typer.echo(f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}", err=True)


def _print(summary: dict[str, Any], busy: dict[str, Budget]) -> None:
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
        if line["connection"] in busy:
            budget = busy[line["connection"]]
            how = "measured" if budget.measured else "estimated"
            cost += f", busy {_percent(budget.share)} of the time ({how})"
        typer.echo(f"\n{line['connection']} ({line['protocol']}): {len(line['devices'])} devices, {cost}")
        for remark in line["remarks"]:
            typer.echo(f"  {remark}")
        for device in line["devices"]:
            cycle = ", ".join(f"{n} {period}" for period, n in device["requests_per_cycle"].items())
            typer.echo(
                f"  {device['device']:<24} {device['profile']:<24} {device['points']:>4} points"
                f"  {device['rules']:>3} rules  {('requests: ' + cycle) if cycle else ''}".rstrip()
            )
        for watch in line["watches"]:
            typer.echo(
                f"  rule {watch['rule']:<19} {watch['profile']:<24} joins by itself at {watch['topic']}"
            )
