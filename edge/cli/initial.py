"""`citynerve-edge init`: asks what a first gateway file needs, and writes it with comments."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge.cli.terminal import WRONG, reported
from edge.config.template import Answers, render
from edge.opening import open_plan
from edge.tools.profiles import known_profiles
from protocols.errors import ConfigError, Rejected
from protocols.field.registry import driver_class

DEFAULT: Final = Path("gateway.yaml")


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write.")] = DEFAULT,
    gateway: Annotated[str | None, typer.Option(help="The gateway's id: gw-north.")] = None,
    name_zh: Annotated[str | None, typer.Option(help="Its name in Chinese.")] = None,
    name_en: Annotated[str | None, typer.Option(help="Its name in English.")] = None,
    site: Annotated[str | None, typer.Option(help="Key of the site it stands at: ps-riverside.")] = None,
    site_zh: Annotated[str | None, typer.Option(help="The site's name in Chinese.")] = None,
    site_en: Annotated[str | None, typer.Option(help="The site's name in English.")] = None,
    site_kind: Annotated[str | None, typer.Option(help="What stands there: pumping_station.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude in degrees, WGS 84.")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude in degrees, WGS 84.")] = None,
    centre: Annotated[str | None, typer.Option(help="URL of the centre; empty for none.")] = None,
    state_dir: Annotated[str | None, typer.Option(help="Folder for the buffer and credentials.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Model of the first device; empty for no device yet.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Key of the first device: pump1.")] = None,
    device_zh: Annotated[str | None, typer.Option(help="The device's name in Chinese.")] = None,
    device_en: Annotated[str | None, typer.Option(help="The device's name in English.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Where its line is: HOST:PORT, or a URL for OPC UA and cameras.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            help="Which one it is there: unit id, name in topics or nodes, group/node/device, path, row."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing; take what was not given as proposed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Ask what a first gateway needs, and write a commented gateway file that passes `check`.

    Every question is also an option; --yes asks nothing.

    \b
    Example: citynerve-edge init gateway.yaml

    \b
    Example: citynerve-edge init gateway.yaml --yes --profile eastron.sdm630 --address 192.0.2.10 --identity 7
    """
    with reported():
        if file.exists() and not force:
            raise Rejected(
                "exists", f"{file} is there already; name another file, or --force to write over it"
            )
        if not yes and not sys.stdin.isatty():
            raise Rejected("no-terminal", "there is nobody to ask; give the answers as options, and --yes")
        ask = _asker(yes)
        key = ask(gateway, "id of this gateway (a-z, 0-9, -)", "gw-1")
        english = ask(name_en, "its name in English", key)
        place = ask(site, "key of the site it stands at", "site-1")
        site_english = ask(site_en, "name of the site in English", place)
        answers = Answers(
            gateway=key,
            name_en=english,
            name_zh=ask(name_zh, "its name in Chinese", english),
            site=place,
            site_en=site_english,
            site_zh=ask(site_zh, "name of the site in Chinese", site_english),
            site_kind=ask(site_kind, "what stands there", "pumping_station"),
            lon=_degrees(ask(lon, "longitude in degrees (WGS 84)", "118.3304"), 180),
            lat=_degrees(ask(lat, "latitude in degrees (WGS 84)", "30.9378"), 90),
            centre=ask(centre, "URL of the centre (empty: works alone)", ""),
            state_dir=ask(state_dir, "folder for its buffer", "state"),
            **_device(ask, profile, device, device_zh, device_en, address, identity),
        )
        _write(file, render(answers), force)
        try:
            plan = open_plan(file)
        except ConfigError as error:
            typer.echo(f"{file} is written, and has mistakes to correct:", err=True)
            for mistake in error.mistakes:
                typer.echo(str(mistake), err=True)
            raise typer.Exit(WRONG) from error
    devices = len(plan.loaded.entry.devices)
    typer.echo(f"{file} is written: {plan.gateway}, {devices} device{'s' if devices != 1 else ''}")
    typer.echo(f"next: citynerve-edge check {file}")


Ask = Callable[[Any, str, str], str]


def _asker(yes: bool) -> Ask:
    def ask(given: Any, question: str, proposed: str) -> str:
        if given is not None:
            return str(given)
        if yes:
            return proposed
        return str(typer.prompt(question, default=proposed, show_default=bool(proposed))).strip()

    return ask


def _device(
    ask: Ask,
    profile: str | None,
    device: str | None,
    device_zh: str | None,
    device_en: str | None,
    address: str | None,
    identity: str | None,
) -> dict[str, str]:
    """Return what is said about the first device; nothing where there is none yet. Raises Rejected."""
    known = known_profiles()
    model = ask(profile, f"model of the first device ({', '.join(known)}; empty: none yet)", "")
    if not model:
        return {}
    if model not in known:
        from edge.config.mistakes import nearest  # noqa: PLC0415 - only for the sentence

        raise Rejected("unknown-profile", f"there is no profile {model!r}; {nearest(model, known)}")
    protocol = known[model].protocol
    key = ask(device, "key of this device", "device1")
    english = ask(device_en, "its name in English", known[model].name.en)
    first = driver_class(protocol).first
    return {
        "profile": model,
        "protocol": protocol,
        "device": key,
        "device_en": english,
        "device_zh": ask(device_zh, "its name in Chinese", known[model].name.zh),
        "address": ask(address, first.address, first.address_example),
        "identity": ask(identity, first.identity, first.identity_example or key),
    }


def _degrees(text: str, most: float) -> float:
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not abs(found) <= most:
        raise Rejected(
            "degrees", f"{text!r} is no place; write degrees such as {most / 3:.4f}, up to {most:g}"
        )
    return found


def _write(file: Path, text: str, force: bool) -> None:
    try:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise Rejected(
            "cannot-write",
            f"{file} cannot be written: {error.strerror}; choose a folder that you may write to",
        ) from error
