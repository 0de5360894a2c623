"""`citynerve gateway`: enrol gateways, look at them, and tell them what is wanted of them.

These commands speak to the database of the centre; a running gateway fetches an order within seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from central.cli import software
from central.cli.attached import Attached, Id, Json, Wait, attached, ended, tell
from central.cli.settings import Data, settings
from central.link.order_rows import OrderView
from protocols.errors import Rejected

app = typer.Typer(help="Gateways of the centre.", no_args_is_help=True)


@app.command("enrol-code")
def enrol_code(gateway: Id, data: Data = None, as_json: Json = False) -> None:
    """Make a one-time code with which the gateway enrols itself. It is shown once, and lives for a day."""
    code = attached(settings(data), lambda centre: centre.gateways.new_code(gateway, centre.actor))
    if as_json:
        typer.echo(msgspec.json.encode(code).decode())
        return
    typer.echo(f"{code.enrolment_code}    for {code.gateway}, until {code.expires_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"At the gateway: citynerve-edge enrol FILE {code.enrolment_code}", err=True)


@app.command("list")
def list_gateways(data: Data = None, as_json: Json = False) -> None:
    """List the gateways and how they are doing."""
    gateways = attached(settings(data), lambda centre: centre.gateways.list())
    if as_json:
        typer.echo(msgspec.json.encode(list(gateways)).decode())
        return
    if not gateways:
        typer.echo("There are no gateways yet; make a code for one: citynerve gateway enrol-code ID")
    for gateway in gateways:
        seen = f"{gateway.last_seen:%Y-%m-%d %H:%M:%S} UTC" if gateway.last_seen else "never"
        typer.echo(f"{gateway.id:20} {gateway.state:10} {gateway.points:6} points   last seen {seen}")
        if gateway.audit_warning:
            typer.echo(f"{'':20} warning: the local audit trail was {gateway.audit_warning}")


@app.command()
def push(
    gateway: Id,
    file: Annotated[Path, typer.Argument(help="Gateway file to push.", exists=True, dir_okay=False)],
    profile: Annotated[
        list[Path] | None, typer.Option(help="Own profile to push with it; may be repeated.", exists=True)
    ] = None,
    note: Annotated[str, typer.Option(help="Why, for those who come after.")] = "",
    probation: Annotated[
        float, typer.Option(help="Seconds in which it must prove well, or the gateway goes back.")
    ] = 120.0,
    wait: Wait = False,
    data: Data = None,
) -> None:
    """Push a whole configuration. The gateway checks it, tries it, and goes back by itself if it does harm.

    Example: citynerve gateway push gw-north gw-north.yaml --note "two more pumps" --wait
    """
    text = _text(file)
    profiles = {path.stem: _text(path) for path in profile or []}

    async def send(centre: Attached) -> OrderView:
        sent = await centre.wishes.configure(
            gateway, text, actor=centre.actor, profiles=profiles, note=note, probation_s=probation
        )
        return await ended(centre, sent) if wait else sent

    tell(attached(settings(data), send), wait=wait)


@app.command()
def orders(gateway: Id, data: Data = None, as_json: Json = False) -> None:
    """List what was wanted of a gateway and what became of it, newest first."""
    page = attached(settings(data), lambda centre: centre.outbox.orders.list(gateway))
    if as_json:
        typer.echo(msgspec.json.encode(page.items).decode())
        return
    for order in page.items:
        words = ": ".join(part for part in (order.reason, order.detail) if part)
        typer.echo(
            f"{order.issued_at:%Y-%m-%d %H:%M:%S}  {order.kind:7} {order.state:10} {order.issued_by:16} "
            f"{order.subject}{'  ' if order.subject and words else ''}{words}"
        )


@app.command()
def rotate(gateway: Id, wait: Wait = False, data: Data = None) -> None:
    """Let a gateway fetch a new token. The old one ends when the new one is first used."""

    async def send(centre: Attached) -> OrderView:
        sent = await centre.wishes.rotate(gateway, centre.actor)
        return await ended(centre, sent) if wait else sent

    tell(attached(settings(data), send), wait=wait)


@app.command()
def revoke(
    gateway: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """End a gateway's token. It keeps its data and may enrol again with a new code."""
    if not yes:
        typer.confirm(f"The centre will take nothing more from {gateway}. Go on?", abort=True)
    attached(settings(data), lambda centre: centre.gateways.revoke(gateway, centre.actor))
    typer.echo(f"{gateway} is revoked; let it in again with: citynerve gateway enrol-code {gateway}")


app.command("make-key")(software.make_key)
app.command("stage")(software.stage)
app.command("packages")(software.packages)
app.command("update")(software.update)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected("unreadable", f"{path} cannot be read as UTF-8 text: {error}") from error
