"""`citynerve-edge config`: the versions of a gateway's configuration, their differences, and the way back.

Asks the gateway that runs; where none does, `show`, `versions` and `diff` look into its folder, and
`rollback` prepares the file for the next start.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from edge.cli.control import Control, Place
from edge.cli.terminal import FAILED, AsJson, GatewayFile, reported
from edge.cli.words import plain
from edge.config.texts import Texts, gather
from edge.versions.difference import difference
from edge.versions.rules import publish
from edge.versions.start import PROBATION_S, find_state_dir
from edge.versions.store import Version, Versions
from protocols.errors import Rejected
from protocols.model.clock import to_datetime

app = typer.Typer(
    help="The versions of a gateway's configuration: show, compare, apply, go back, confirm.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_NOT_RUNNING: Final = "not-running"
Note = Annotated[str, typer.Option("--note", help="Why; kept with the version.")]
Probation = Annotated[
    float,
    typer.Option(
        "--probation",
        metavar="SECONDS",
        help="Within so long the uplink and the devices must be well again, or the gateway goes back.",
    ),
]


@app.command("show")
def show(file: GatewayFile, as_json: AsJson = False) -> None:
    """Show which version runs, which is wanted, and why they differ. Exit code 1 where they do.

    Example: citynerve-edge config show gateway.yaml
    """
    with reported():
        place = _place(file)
        view = _running(place)
        if view is None:
            kept = Versions(place.state_dir, read_only=True)
            status = _resting(kept, file)
        else:
            status = view["status"]
    if as_json:
        typer.echo(json.dumps(status, ensure_ascii=False, indent=2))
    else:
        typer.echo(
            f"version {status['running']} {'runs' if view else 'ran last'}, digest {status['digest'][:12]}"
        )
        typer.echo(f"state   {status['state']}")
        if status["why"]:
            typer.echo(f"why     {plain(status['why'])}")
        if status["state"] == "probation":
            typer.echo(f"        citynerve-edge config confirm {file}  keeps it at once")
    if status["state"] in {"edited", "refused", "rolled-back"}:
        raise typer.Exit(FAILED)


@app.command("versions")
def versions(file: GatewayFile, as_json: AsJson = False) -> None:
    """List the versions that are kept, the newest first: who made them, when and why.

    Example: citynerve-edge config versions gateway.yaml
    """
    with reported():
        place = _place(file)
        view = _running(place)
        found = (
            msgspec.convert(view["versions"], list[Version])
            if view
            else list(reversed(Versions(place.state_dir, read_only=True).index.versions))
        )
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(found), ensure_ascii=False, indent=2))
        return
    for version in found:
        when = to_datetime(version.made_us).strftime("%Y-%m-%d %H:%M:%S")
        words = "; ".join(part for part in (version.note, version.why) if part)
        made = f"{when}  {version.source:<8}  {version.actor:<24}"
        typer.echo(f"{version.number:>5}  {version.state:<11}  {made}  {plain(words)}".rstrip())
    if not found:
        typer.echo("no version is kept yet; the first one is when the gateway starts")


@app.command("diff")
def diff(
    file: GatewayFile,
    old: Annotated[
        str, typer.Argument(metavar="[FROM]", help="A version's number, or `running`.")
    ] = "running",
    new: Annotated[
        str, typer.Argument(metavar="[TO]", help="A number, `running`, or `wanted`: the file.")
    ] = "wanted",
    as_json: AsJson = False,
) -> None:
    """Show what is different between two versions, or between the one that runs and the file.

    Example: citynerve-edge config diff gateway.yaml 3 running
    """
    with reported():
        place = _place(file)
        view = _running(place)
        if view is not None:
            found = Control(place).get("/api/config/diff", **{"from": old, "to": new})
        else:
            store = Versions(place.state_dir, read_only=True)
            found = msgspec.to_builtins(
                difference(_texts(store, file, old), _texts(store, file, new), file.name)
            )
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    unified = plain(found["unified"], keep="\n\t")
    typer.echo(unified or "nothing is different", nl=not unified)
    for what in ("added", "removed", "changed"):
        if found["devices"][what]:
            typer.echo(f"devices {what}: {', '.join(found['devices'][what])}")


@app.command("apply")
def apply(
    file: GatewayFile,
    other: Annotated[
        Path | None, typer.Option("--from", metavar="OTHER", help="Take the text of this file instead.")
    ] = None,
    note: Note = "",
    probation: Probation = PROBATION_S,
    as_json: AsJson = False,
) -> None:
    """Make the running gateway take up its file; unchanged devices go on being polled.

    The new version is on probation: if the centre or a device that was well does not come back in time,
    the gateway returns to the one before by itself. Every mistake is listed, and nothing is then applied.

    Example: citynerve-edge config apply gateway.yaml --note "second pump"
    """
    with reported():
        place = _place(file)
        texts = gather(file) if other is None else gather(other)
        body = {"text": texts.file, "profiles": dict(texts.profiles), "note": note, "probation_s": probation}
        version = Control(place).post("/api/config/apply", body)
    _applied(version, file, as_json)


@app.command("rollback")
def rollback(
    file: GatewayFile,
    number: Annotated[int, typer.Argument(metavar="VERSION", help="As `config versions` numbers them.")],
    note: Note = "",
    probation: Probation = PROBATION_S,
    as_json: AsJson = False,
) -> None:
    """Go back to a version; out of a probation at once, else on probation like any change.

    A gateway that does not run finds the version in its file when it starts.

    Example: citynerve-edge config rollback gateway.yaml 3
    """
    with reported():
        place = _place(file)
        if _running(place) is None:
            _prepare(place, number)
            typer.echo(
                f"{file} is version {number} again; it runs, on probation, when the gateway starts", err=True
            )
            return
        body = {"number": number, "note": note, "probation_s": probation}
        version = Control(place).post("/api/config/rollback", body)
    _applied(version, file, as_json)


@app.command("confirm")
def confirm(file: GatewayFile, as_json: AsJson = False) -> None:
    """Keep the version on probation without waiting for its end.

    Example: citynerve-edge config confirm gateway.yaml
    """
    with reported():
        version = Control(_place(file)).post("/api/config/confirm", {})
    _applied(version, file, as_json)


def _prepare(place: Place, number: int) -> None:
    """Write a version to the file, for the next start."""
    store = Versions(place.state_dir, read_only=True)
    if store.version(number).state in {"rolled-back", "refused"}:
        raise Rejected(
            "taken-back",
            f"version {number} did not prove well, and no start takes it up by itself; start the gateway, "
            "then go back to it there",
        )
    publish(place.file, store.texts(number))


def _applied(version: dict[str, Any], file: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(version, ensure_ascii=False, indent=2))
        return
    typer.echo(f"version {version['number']}: {version['state']}")
    if version["state"] == "probation":
        typer.echo(f"see how it goes: citynerve-edge config show {file}")


def _place(file: Path) -> Place:
    """Return where the gateway of a file is; the file may be full of mistakes. Raises ConfigError."""
    folder = find_state_dir(file)
    if folder is None:
        gather(file)
        raise Rejected(
            "no-state-dir", f"{file} names no `state_dir`; add `state_dir: /var/lib/citynerve-edge/ID`"
        )
    return Place(file, folder)


def _running(place: Place) -> dict[str, Any] | None:
    """Return what the running gateway says of its versions; None where none runs."""
    try:
        view: dict[str, Any] = Control(place).get("/api/config")
    except Rejected as error:
        if error.reason == _NOT_RUNNING:
            return None
        raise
    return view


def _resting(store: Versions, file: Path) -> dict[str, Any]:
    """Return the status of a gateway that does not run, in the form of one that does."""
    index = store.index
    if not index.running:
        raise Rejected("never-ran", f"this gateway has not run yet; start it: citynerve-edge run {file}")
    version = store.version(index.running)
    wanted = gather(file).digest
    state = "probation" if index.trial else "same" if wanted == version.digest else "edited"
    why = index.told_why or ("" if state != "edited" else "the file was changed; the next start takes it up")
    return {"running": version.number, "digest": version.digest, "wanted": wanted, "state": state, "why": why}


def _texts(store: Versions, file: Path, which: str) -> Texts:
    if which == "wanted":
        return gather(file)
    if which == "running":
        return store.texts(store.index.running)
    if not which.isdecimal():
        raise Rejected("unknown-version", f"{which!r} is no version; write a number, `running` or `wanted`")
    return store.texts(int(which))
