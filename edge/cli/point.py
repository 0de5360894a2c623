"""`citynerve-edge point read|write`: one point, by the running gateway or straight at its device."""

from __future__ import annotations

import asyncio
import getpass
import json
from typing import Annotated, Any

import typer

from edge.audit import Audit
from edge.cli import words
from edge.cli.control import Control
from edge.cli.direct import current, find, put
from edge.cli.terminal import FAILED, AsJson, GatewayFile, reported
from edge.cli.watch import watch
from edge.opening import open_plan
from edge.shaping import engineering, unshape
from protocols.errors import Rejected
from protocols.field.base import Answer
from protocols.model.clock import to_datetime
from protocols.model.quality import quality_class

app = typer.Typer(
    help="Read, write or watch one point: through the running gateway, else straight from its device.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("watch")(watch)
Direct = Annotated[bool, typer.Option("--direct", help="Ask the device itself, even while the gateway runs.")]
PointName = Annotated[str, typer.Argument(metavar="POINT", help="device.point, such as pump1.level")]


@app.command("read")
def read(file: GatewayFile, point: PointName, direct: Direct = False, as_json: AsJson = False) -> None:
    """Read one point now; shows value, unit, quality and source time. Exit code 1 if it is bad.

    Example: citynerve-edge point read gateway.yaml pump1.level
    """
    with reported():
        plan = open_plan(file)
        bound = find(plan, point)
        gateway = Control(plan.loaded)
        if not direct and gateway.running:
            name = f"{bound.device}.{bound.profile.key}"
            seen: dict[str, Any] = gateway.post("/api/read", {"point": name})
        else:
            seen = asyncio.run(current(plan, bound))
    time_us = seen["time_us"]
    value = seen["value"] if seen["text"] is None else seen["text"]
    answer = {
        "point": point,
        "value": value,
        "unit": bound.profile.unit,
        "quality": seen["quality"]["name"],
        "time": None if time_us is None else to_datetime(time_us).isoformat(),
    }
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        shown = words.value(seen, bound.profile.unit)
        typer.echo(f"{point} = {shown}  {answer['quality']}  {answer['time'] or 'never read'}")
    if quality_class(int(seen["quality"]["code"])) == "bad":
        raise typer.Exit(FAILED)


@app.command("write", context_settings={"ignore_unknown_options": True})
def write(
    file: GatewayFile,
    point: PointName,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="In the point's unit.")],
    expected: Annotated[
        float | None, typer.Option(help="Write only if the device shows this value now.")
    ] = None,
    direct: Direct = False,
    as_json: AsJson = False,
) -> None:
    """Write one point once, within the limits of its profile, and show what the device then reads.

    Through the running gateway its interlocks and manual mode count as well, and the audit notes who it was.

    Example: citynerve-edge point write gateway.yaml pump1.run-command 1
    """
    with reported():
        plan = open_plan(file)
        bound = find(plan, point)
        wanted: float | str = value if bound.profile.type in {"ascii", "text"} else _number(value)
        gateway = Control(plan.loaded)
        if not direct and gateway.running:
            name = f"{bound.device}.{bound.profile.key}"
            body = {"point": name, "value": wanted} | ({} if expected is None else {"expected": expected})
            shown = _done(gateway.post("/api/write", body))
        elif expected is not None:
            raise Rejected(
                "not-running", "--expected is checked by the running gateway; start it, or leave it out"
            )
        else:
            back = asyncio.run(put(plan, bound, unshape(bound.profile, wanted)))
            if isinstance(back, Answer):
                shown = back.text
            else:
                shown = engineering(bound.profile, back) if isinstance(back, int | float) else back
            Audit(plan.loaded.state_dir).note(
                f"local:{getpass.getuser()}", "direct-write", point, f"{wanted}, reads back {shown}"
            )
    if as_json:
        typer.echo(json.dumps({"point": point, "written": wanted, "read_back": shown}, ensure_ascii=False))
    else:
        back = "nothing" if shown is None else words.plain(str(shown))
        typer.echo(f"{point}: wrote {wanted}, reads back {back}")


def _done(outcome: dict[str, Any]) -> float | str | None:
    """Return what was read back. Raises Rejected with the reason where the gateway did not do it."""
    if outcome["state"] not in ("verified", "written"):
        raise Rejected(outcome["reason"], f"{outcome['state']} ({outcome['reason']}): {outcome['detail']}")
    back: float | str | None = outcome.get("read_back")
    return back


def _number(value: str) -> float:
    words = {"true": 1.0, "on": 1.0, "false": 0.0, "off": 0.0}
    try:
        return words[value.lower()] if value.lower() in words else float(value)
    except ValueError as error:
        raise Rejected("wrong-type", f"{value!r} is no number; write it like 12.5") from error
