"""`citynerve-edge point read|write`: one point, by the running gateway or straight at its device."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import typer

from edge.app import open_plan
from edge.cli import words
from edge.cli.control import Control
from edge.cli.terminal import FAILED, AsJson, GatewayFile, reported
from edge.cli.watch import watch
from edge.config.bind import Plan
from edge.config.mistakes import nearest
from edge.shaping import Shaper, engineering, unshape
from protocols.errors import Rejected
from protocols.field.base import BoundPoint, Driver
from protocols.model.clock import now_us, to_datetime
from protocols.model.quality import Quality, quality_class, quality_name
from protocols.model.reading import Readings

app = typer.Typer(
    help="Read, write or watch one point: through the running gateway, else straight from its device.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("watch")(watch)
Direct = Annotated[bool, typer.Option("--direct", help="Ask the device itself, even while the gateway runs.")]
PointName = Annotated[str, typer.Argument(metavar="POINT", help="device.point, such as pump1.level")]
_LISTEN_S = 10.0


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
            back = asyncio.run(_write(plan, bound, unshape(bound.profile, wanted)))
            shown = engineering(bound.profile, back) if isinstance(back, int | float) else back
    if as_json:
        typer.echo(json.dumps({"point": point, "written": wanted, "read_back": shown}, ensure_ascii=False))
    else:
        typer.echo(f"{point}: wrote {wanted}, reads back {'nothing' if shown is None else shown}")


def _done(outcome: dict[str, Any]) -> float | str | None:
    """Return what was read back. Raises Rejected with the reason where the gateway did not do it."""
    if outcome["state"] not in ("verified", "written"):
        raise Rejected(outcome["reason"], f"{outcome['state']} ({outcome['reason']}): {outcome['detail']}")
    back: float | str | None = outcome.get("read_back")
    return back


def find(plan: Plan, name: str) -> BoundPoint:
    """Return the point `device.point` (`gateway.device.point` too). Raises Rejected with the near name."""
    local = name.removeprefix(f"{plan.gateway}.")
    field = {
        f"{device.key}.{point.profile.key}": point
        for connection in plan.connections
        for device in connection.devices
        for point in device.points
    }
    if local not in field:
        raise Rejected("unknown-point", f"no device has a point {name!r}; {nearest(local, field)}")
    return field[local]


def _number(value: str) -> float:
    words = {"true": 1.0, "on": 1.0, "false": 0.0, "off": 0.0}
    try:
        return words[value.lower()] if value.lower() in words else float(value)
    except ValueError as error:
        raise Rejected("wrong-type", f"{value!r} is no number; write it like 12.5") from error


def _driver(plan: Plan, point: BoundPoint) -> Driver:
    """Build a driver that knows nothing but this point, so that nothing else is read or subscribed."""
    for connection in plan.connections:
        for device in connection.devices:
            if device.key == point.device:
                return connection.driver(connection.settings, (replace(device, points=(point,)),))
    raise Rejected("unknown-point", f"{point.device} is on no connection")


async def current(plan: Plan, point: BoundPoint) -> dict[str, Any]:
    """Read a point from its device now; the answer has the form of the local API's. Raises FieldError."""
    shaped, _ = Shaper(plan.points).shape(await _read(plan, point), now_us())
    value: float | None = float(shaped.value[0])
    if value is None or math.isnan(value):
        value = None
    label = point.profile.labels.get(round(value)) if value is not None else None
    code = int(shaped.quality[0])
    return {
        "point": f"{point.device}.{point.profile.key}",
        "value": value,
        "text": shaped.text.get(0),
        "label": {"zh": label.zh, "en": label.en} if label else None,
        "quality": {"code": code, "name": quality_name(code)},
        "time_us": int(shaped.time_us[0]),
    }


async def _read(plan: Plan, point: BoundPoint) -> Readings:
    driver = _driver(plan, point)
    try:
        await driver.open()
        tasks = driver.plan()
        if tasks:
            readings = await driver.read(tasks[0])
        else:
            readings = await _heard(driver, point)
    finally:
        await driver.close()
    rows = np.flatnonzero(readings.point == point.index)
    return readings.take(rows[-1:])


async def _heard(driver: Driver, point: BoundPoint) -> Readings:
    """Listen until the point speaks; BadWaitingForInitialData where it stays silent."""
    heard: asyncio.Future[Readings] = asyncio.get_running_loop().create_future()

    def sink(readings: Readings) -> None:
        if point.index in readings.point and not heard.done():
            heard.set_result(readings)

    listening = asyncio.create_task(driver.listen(sink))
    try:
        waited: set[asyncio.Future[Any]] = {heard, listening}
        await asyncio.wait(waited, timeout=_LISTEN_S, return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            return heard.result()
        if listening.done():
            listening.result()
        index = np.array([point.index], np.int32)
        return Readings.bad(index, now_us(), Quality.BAD_WAITING_FOR_INITIAL_DATA)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _write(plan: Plan, point: BoundPoint, raw: float | str) -> float | str | None:
    driver = _driver(plan, point)
    try:
        await driver.open()
        return await driver.write(point, raw)
    finally:
        await driver.close()
