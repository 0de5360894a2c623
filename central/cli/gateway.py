"""`citynerve gateway`: enrol gateways and look at them."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
import typer

from central.cli.settings import Data, settings
from central.config import Config
from central.kernel.bus import Bus
from central.link.gateways import Gateways, GatewayView, NewCode
from central.live.latest import LatestBoard
from central.store.open import open_database
from protocols.model.clock import now_us

app = typer.Typer(help="Gateways of the centre.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("enrol-code")
def enrol_code(
    gateway: Annotated[str, typer.Argument(help="Id of the gateway, as in its file: gw-north.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a one-time code with which the gateway enrols itself. It is shown once, and lives for a day."""
    code = asyncio.run(_code(settings(data), gateway))
    if as_json:
        typer.echo(msgspec.json.encode(code).decode())
        return
    typer.echo(f"{code.enrolment_code}    for {code.gateway}, until {code.expires_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"At the gateway: citynerve-edge enrol FILE {code.enrolment_code}", err=True)


@app.command("list")
def list_gateways(data: Data = None, as_json: Json = False) -> None:
    """List the gateways and how they are doing."""
    gateways = asyncio.run(_list(settings(data)))
    if as_json:
        typer.echo(msgspec.json.encode(list(gateways)).decode())
        return
    if not gateways:
        typer.echo("There are no gateways yet; make a code for one: citynerve gateway enrol-code ID")
    for gateway in gateways:
        seen = f"{gateway.last_seen:%Y-%m-%d %H:%M:%S} UTC" if gateway.last_seen else "never"
        typer.echo(f"{gateway.id:20} {gateway.state:10} {gateway.points:6} points   last seen {seen}")


async def _code(config: Config, gateway: str) -> NewCode:
    async with _gateways(config) as gateways:
        return await gateways.new_code(gateway, f"cli:{getpass.getuser()}")


async def _list(config: Config) -> Sequence[GatewayView]:
    async with _gateways(config) as gateways:
        return await gateways.list()


@asynccontextmanager
async def _gateways(config: Config) -> AsyncIterator[Gateways]:
    async with open_database(config, attach=True) as database:
        latest = LatestBoard(now_us)
        await latest.load(database)
        yield Gateways(database, Bus(), now_us, latest)
