"""`citynerve gateway`: enrol gateways, look at them, and tell them what is wanted of them.

These commands speak to the database of the centre; a running gateway fetches an order within seconds.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from central.cli.settings import Data, settings
from central.config import Config
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.link.order_rows import OrderView
from central.link.outbox import Outbox
from central.link.packages import Packages
from central.link.wishes import Wishes
from central.live.latest import LatestBoard
from central.store.open import open_database
from protocols.errors import CityNerveError, Rejected
from protocols.model.clock import now_us
from protocols.model.command import FINAL_STATES, CommandState

Result = TypeVar("Result")
LOOK_S = 0.5

app = typer.Typer(help="Gateways of the centre.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="GATEWAY", help="Id of the gateway, as in its file: gw-north.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the result, and fail where it is not good.")]


@dataclass(frozen=True, slots=True)
class _Centre:
    """The parts of a centre that this command line needs."""

    gateways: Gateways
    outbox: Outbox
    packages: Packages
    wishes: Wishes
    actor: str


@app.command("enrol-code")
def enrol_code(gateway: Id, data: Data = None, as_json: Json = False) -> None:
    """Make a one-time code with which the gateway enrols itself. It is shown once, and lives for a day."""
    code = _run(settings(data), lambda centre: centre.gateways.new_code(gateway, centre.actor))
    if as_json:
        typer.echo(msgspec.json.encode(code).decode())
        return
    typer.echo(f"{code.enrolment_code}    for {code.gateway}, until {code.expires_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"At the gateway: citynerve-edge enrol FILE {code.enrolment_code}", err=True)


@app.command("list")
def list_gateways(data: Data = None, as_json: Json = False) -> None:
    """List the gateways and how they are doing."""
    gateways = _run(settings(data), lambda centre: centre.gateways.list())
    if as_json:
        typer.echo(msgspec.json.encode(list(gateways)).decode())
        return
    if not gateways:
        typer.echo("There are no gateways yet; make a code for one: citynerve gateway enrol-code ID")
    for gateway in gateways:
        seen = f"{gateway.last_seen:%Y-%m-%d %H:%M:%S} UTC" if gateway.last_seen else "never"
        typer.echo(f"{gateway.id:20} {gateway.state:10} {gateway.points:6} points   last seen {seen}")
        if gateway.audit_warning:
            typer.echo(f"{'':20} warning: {gateway.audit_warning}")


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

    async def send(centre: _Centre) -> OrderView:
        sent = await centre.wishes.configure(
            gateway, text, actor=centre.actor, profiles=profiles, note=note, probation_s=probation
        )
        return await _ended(centre, sent) if wait else sent

    _tell(_run(settings(data), send), wait=wait)


@app.command()
def orders(gateway: Id, data: Data = None, as_json: Json = False) -> None:
    """List what was wanted of a gateway and what became of it, newest first."""
    page = _run(settings(data), lambda centre: centre.outbox.orders.list(gateway))
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

    async def send(centre: _Centre) -> OrderView:
        sent = await centre.wishes.rotate(gateway, centre.actor)
        return await _ended(centre, sent) if wait else sent

    _tell(_run(settings(data), send), wait=wait)


@app.command()
def revoke(
    gateway: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """End a gateway's token. It keeps its data and may enrol again with a new code."""
    if not yes:
        typer.confirm(f"The centre will take nothing more from {gateway}. Go on?", abort=True)
    _run(settings(data), lambda centre: centre.gateways.revoke(gateway, centre.actor))
    typer.echo(f"{gateway} is revoked; let it in again with: citynerve gateway enrol-code {gateway}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected("unreadable", f"{path} cannot be read as UTF-8 text: {error}") from error


async def _ended(centre: _Centre, sent: OrderView) -> OrderView:
    """Wait until an order has ended, here or by its time."""
    while True:
        await centre.outbox.expire()
        (now,) = await centre.outbox.orders.views([sent.id])
        if CommandState(now.state) in FINAL_STATES:
            return now
        await asyncio.sleep(LOOK_S)


def _tell(order: OrderView, *, wait: bool) -> None:
    if not wait:
        typer.echo(
            f"{order.id} is on its way to {order.gateway}; see: citynerve gateway orders {order.gateway}"
        )
        return
    words = ": ".join(part for part in (order.reason, order.detail) if part)
    typer.echo(f"{order.state}{'  ' if words else ''}{words}")
    if order.state not in {CommandState.VERIFIED.value, CommandState.WRITTEN.value}:
        raise typer.Exit(1)


def _run(config: Config, act: Callable[[_Centre], Awaitable[Result]]) -> Result:
    """Act on the centre's database; an unknown gateway is a sentence."""

    async def acted() -> Result:
        async with _opened(config) as centre:
            return await act(centre)

    try:
        return asyncio.run(acted())
    except KeyError as error:
        raise CityNerveError(f"there is no gateway {error.args[0]!r}; see: citynerve gateway list") from error


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[_Centre]:
    async with open_database(config, attach=True) as database:
        latest, bus = LatestBoard(now_us), Bus()
        await latest.load(database)
        outbox, packages = Outbox(database, bus, now_us), Packages(database, now_us)
        yield _Centre(
            Gateways(database, bus, now_us, latest),
            outbox,
            packages,
            Wishes(outbox, packages, now_us),
            f"cli:{getpass.getuser()}",
        )
