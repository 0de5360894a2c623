"""`citynerve-edge alarms`: the open alarms of the running gateway, and what a person does to them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge.cli import words
from edge.cli.control import control
from edge.cli.terminal import AsJson, GatewayFile, reported
from protocols.errors import Rejected
from protocols.model.clock import from_datetime, now_us

app = typer.Typer(
    help="Open alarms of the running gateway: list, acknowledge, shelve, take out of service.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Rule = Annotated[
    str, typer.Argument(metavar="RULE", help="The alarm as the list names it: pump1.pressure-high")
]
Comment = Annotated[str, typer.Option("--comment", help="Why; kept in the alarm's journal.")]
Needed = Annotated[str, typer.Option("--comment", help="Why, or the permit's number; kept in the journal.")]
_UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}


@app.command("list")
def listing(file: GatewayFile, as_json: AsJson = False) -> None:
    """List the alarms that are open, the most urgent first.

    Example: citynerve-edge alarms list gateway.yaml
    """
    with reported():
        alarms: list[dict[str, Any]] = control(file).get("/api/alarms")
    if as_json:
        typer.echo(json.dumps(alarms, ensure_ascii=False, indent=2))
        return
    if not alarms:
        typer.echo("no alarm is open")
        return
    now = now_us()
    rows = [("PRIORITY", "ALARM", "STATE", "SINCE", "VALUE", "NAME")]
    for alarm in sorted(alarms, key=lambda one: (one["priority"], -(one.get("raised_us") or 0))):
        unit = "" if alarm.get("unit") in (None, "1") else alarm["unit"]
        value = "" if alarm.get("value") is None else f"{alarm['value']:.6g} {unit}".strip()
        name = f"{alarm['name']['zh']} / {alarm['name']['en']}"
        rows.append(
            (
                alarm["priority"],
                alarm["rule"],
                _state(alarm),
                words.ago(now, alarm.get("raised_us") or None),
                value,
                name,
            )
        )
    for line in words.table(rows):
        typer.echo(line)


@app.command("ack")
def acknowledge(file: GatewayFile, rule: Rule, comment: Comment = "", as_json: AsJson = False) -> None:
    """Acknowledge an alarm: somebody has seen it and acts.

    Example: citynerve-edge alarms ack gateway.yaml pump1.pressure-high --comment "crew on its way"
    """
    _act(file, {"verb": "ack", "rule": rule, "comment": comment}, as_json)


@app.command("reset")
def reset(file: GatewayFile, rule: Rule, comment: Comment = "", as_json: AsJson = False) -> None:
    """Reset a latched alarm whose condition has gone.

    Example: citynerve-edge alarms reset gateway.yaml pump1.tripped
    """
    _act(file, {"verb": "reset", "rule": rule, "comment": comment}, as_json)


@app.command("shelve")
def shelve(
    file: GatewayFile,
    rule: Rule,
    comment: Needed,
    span: Annotated[str, typer.Option("--for", help="How long: 30min, 2h, 1d.")] = "1h",
    one_shot: Annotated[
        bool, typer.Option("--one-shot", help="Only until the alarm clears the next time.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Silence a nuisance alarm for a while; it comes back by itself.

    Example: citynerve-edge alarms shelve gateway.yaml pump1.tripped --for 2h --comment "sensor is cleaned"
    """
    with reported():
        until = now_us() + round(seconds(span) * 1_000_000)
    body = {"verb": "shelve", "rule": rule, "comment": comment, "until_us": until, "one_shot": one_shot}
    _act(file, body, as_json)


@app.command("unshelve")
def unshelve(file: GatewayFile, rule: Rule, comment: Comment = "", as_json: AsJson = False) -> None:
    """Bring a shelved alarm back before its time.

    Example: citynerve-edge alarms unshelve gateway.yaml pump1.pressure-high
    """
    _act(file, {"verb": "unshelve", "rule": rule, "comment": comment}, as_json)


@app.command("suspend")
def suspend(file: GatewayFile, rule: Rule, comment: Needed, as_json: AsJson = False) -> None:
    """Take an alarm out of service for maintenance, until it is returned.

    Example: citynerve-edge alarms suspend gateway.yaml pump1.tripped --comment "permit 2026-118"
    """
    _act(file, {"verb": "suspend", "rule": rule, "comment": comment}, as_json)


@app.command("return")
def bring_back(file: GatewayFile, rule: Rule, comment: Comment = "", as_json: AsJson = False) -> None:
    """Bring an alarm back into service.

    Example: citynerve-edge alarms return gateway.yaml pump1.tripped
    """
    _act(file, {"verb": "return", "rule": rule, "comment": comment}, as_json)


def seconds(text: str) -> float:
    """Return the seconds of `30min`, `2h`, `1d` or of a moment in ISO 8601. Raises Rejected."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)", text.strip())
    if match:
        return float(match[1]) * _UNITS[match[2]]
    try:
        return (from_datetime(datetime.fromisoformat(text).astimezone()) - now_us()) / 1_000_000
    except ValueError as error:
        raise Rejected("duration", f"{text!r} is no duration; write it like 30min, 2h or 1d") from error


def _state(alarm: dict[str, Any]) -> str:
    """Return the state with what lies over it: `UNACK shelved`."""
    return " ".join([str(alarm["state"]), *(str(overlay) for overlay in alarm.get("overlays") or ())])


def _act(file: Path, body: dict[str, Any], as_json: bool) -> None:
    with reported():
        alarm = control(file).post("/api/alarms/act", body)
    if as_json:
        typer.echo(json.dumps(alarm, ensure_ascii=False))
    else:
        typer.echo(f"{body['rule']}: {_state(alarm) if alarm else 'closed'}")
