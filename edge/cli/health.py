"""`citynerve-edge health`: the running gateway and its devices in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer

from edge.cli import words
from edge.cli.control import control
from edge.cli.terminal import FAILED, AsJson, GatewayFile, reported

LEAST_LEFT_S: Final = 86_400
"""A buffer that lasts less than a day is ill: nobody may come before it is full."""


def health(file: GatewayFile, as_json: AsJson = False) -> None:
    """Show how the running gateway and its devices are; exit code 1 when something is ill.

    Ill is: a device that does not answer, no link to a configured centre, a buffer that is nearly full,
    a clock that nobody confirms although the centre is there, a configuration that was refused or undone.
    Alarms of the process are not; they are only counted.

    Example: citynerve-edge health gateway.yaml
    """
    with reported():
        gateway = control(file)
        overview: dict[str, Any] = gateway.get("/api/overview")
        devices: list[dict[str, Any]] = gateway.get("/api/devices")
    found = list(complaints(overview, devices))
    if as_json:
        record = {"ill": found, "overview": overview, "devices": devices}
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        for line in described(overview, devices):
            typer.echo(words.plain(line))
        for complaint in found:
            typer.echo(words.plain(f"ILL: {complaint}"), err=True)
    if found:
        raise typer.Exit(FAILED)


def complaints(overview: Mapping[str, Any], devices: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what is wrong, a sentence each."""
    for device in devices:
        if device["state"] in ("offline", "resting"):
            reason = device.get("reason") or {}
            told = reason.get("detail") or reason.get("en") or reason.get("code") or "no reason told"
            yield f"{device['key']} is {device['state']}: {told}"
    uplink = overview["uplink"]
    if uplink.get("url") and not uplink.get("enrolled"):
        yield "the gateway is not enrolled at the centre; run: citynerve-edge enrol FILE CODE"
    elif uplink.get("url") and uplink.get("state") != "up":
        yield f"no link to {uplink['url']}: {uplink.get('reason') or uplink.get('state')}"
    storage = overview["storage"]
    left_s = storage.get("left_s")
    if left_s is not None and left_s < LEAST_LEFT_S:
        yield f"the buffer is full in {words.span(left_s)} at this rate; bring the link back or free the disk"
    if storage.get("dropped"):
        yield f"{storage['dropped']} readings were dropped: the buffer had no room; {storage.get('why', '')}"
    if uplink.get("state") == "up" and not overview["clock"].get("synced", True):
        yield "the clock agrees neither with NTP nor with the centre; readings are marked until it does"
    config = overview["config"]
    if config.get("state", "same") in ("refused", "rolled-back"):
        yield f"configuration {config['state']}: {config.get('why')}"


def described(overview: Mapping[str, Any], devices: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the gateway in a few lines and its devices as a table."""
    now, uplink, clock = overview["now_us"], overview["uplink"], overview["clock"]
    yield (
        f"{overview['gateway']} ({overview['name']['zh']} / {overview['name']['en']}), "
        f"{overview['software']}, up {words.span(overview['uptime_s'])}, "
        f"CPU {overview['cpu_pct']:.1f} %, {overview['rss_mb']:.0f} MB"
    )
    if not uplink.get("url"):
        yield "centre   none: readings are kept here"
    else:
        state = "not enrolled" if not uplink.get("enrolled") else uplink["state"]
        yield f"centre   {state}, {uplink['url']}" + (
            f" ({uplink['reason']})" if uplink.get("reason") else ""
        )
    yield f"buffer   {forecast(overview['backlog'], overview['storage'], now)}"
    offset = clock.get("offset_us")
    told = "not measured" if offset is None else f"{offset / 1000:.0f} ms to the centre"
    # Without NTP and without a centre there is nobody to confirm it: told, but no illness.
    confirmed = "true" if clock.get("synced", True) else "not confirmed by NTP or a centre"
    yield f"clock    {confirmed}, offset {told}"
    alarms = overview["alarms"]
    yield f"alarms   {alarms['open']} open, {alarms['unacked']} not acknowledged"
    if overview.get("local_manual"):
        yield f"manual   {', '.join(overview['local_manual'])}: remote commands are locked out"
    rows = [("DEVICE", "STATE", "LATENCY", "LAST VALUE", "WHY")]
    for device in devices:
        latency = "" if device["latency_ms"] is None else f"{device['latency_ms']:.0f} ms"
        reason = device.get("reason") or {}
        why = "" if device["state"] == "online" and reason.get("code") == "ok" else reason.get("en", "")
        rows.append((device["key"], device["state"], latency, words.ago(now, device["last_us"]), why))
    yield ""
    yield from words.table(rows)


def forecast(backlog: Mapping[str, Any], storage: Mapping[str, Any], now_us: int) -> str:
    """Return the buffer in words: what waits, since when, and how long there is room."""
    text = f"{backlog['readings']} readings wait ({words.size(backlog['bytes'])})"
    if backlog.get("oldest_us"):
        text += f", the oldest from {words.ago(now_us, backlog['oldest_us'])}"
    if backlog.get("eta_s"):
        text += f", sent in {words.span(backlog['eta_s'])}"
    text += f"; {words.size(storage['used_bytes'])} used"
    if storage.get("limit_bytes"):
        text += f" of {words.size(storage['limit_bytes'])}"
    text += f", {words.size(storage['free_bytes'])} free on the disk"
    if storage.get("left_s") is not None:
        text += f"; {words.span(storage['left_s'])} left at this rate"
    return text
