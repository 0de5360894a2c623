"""What the commands about gateways share: the centre's parts on its database, and how an order is told."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from central.city.registry import Registry
from central.config import Config
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.link.order_rows import OrderView
from central.link.outbox import Outbox
from central.link.packages import Packages
from central.link.wishes import Wishes
from central.live.latest import LatestBoard
from central.store.open import open_database
from protocols.errors import CityNerveError
from protocols.model.clock import now_us
from protocols.model.command import FINAL_STATES, CommandState

Result = TypeVar("Result")
LOOK_S = 0.5

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="GATEWAY", help="Id of the gateway, as in its file: gw-north.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the result, and fail where it is not good.")]


@dataclass(frozen=True, slots=True)
class Attached:
    """The parts of a centre, on the database that it runs on; actor is who types."""

    gateways: Gateways
    outbox: Outbox
    packages: Packages
    wishes: Wishes
    actor: str


async def ended(centre: Attached, sent: OrderView) -> OrderView:
    """Wait until an order has ended, here or by its time."""
    while True:
        await centre.outbox.expire()
        (now,) = await centre.outbox.orders.views([sent.id])
        if CommandState(now.state) in FINAL_STATES:
            return now
        await asyncio.sleep(LOOK_S)


def tell(order: OrderView, *, wait: bool) -> None:
    """Print where an order is, or what came of it. Raises Exit(1) where that is not good."""
    if not wait:
        typer.echo(
            f"{order.id} is on its way to {order.gateway}; see: citynerve gateway orders {order.gateway}"
        )
        return
    words = ": ".join(part for part in (order.reason, order.detail) if part)
    typer.echo(f"{order.state}{'  ' if words else ''}{words}")
    if order.state not in {CommandState.VERIFIED.value, CommandState.WRITTEN.value}:
        raise typer.Exit(1)


def attached(config: Config, act: Callable[[Attached], Awaitable[Result]]) -> Result:
    """Act on the centre's database; an unknown gateway is a sentence."""

    async def acted() -> Result:
        async with _opened(config) as centre:
            return await act(centre)

    try:
        return asyncio.run(acted())
    except KeyError as error:
        raise CityNerveError(f"there is no gateway {error.args[0]!r}; see: citynerve gateway list") from error


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Attached]:
    async with open_database(config, attach=True) as database:
        latest, bus = LatestBoard(now_us), Bus()
        await latest.load(database)
        outbox, packages = Outbox(database, bus, now_us), Packages(database, now_us)
        yield Attached(
            Gateways(database, bus, now_us, latest, Registry(database)),
            outbox,
            packages,
            Wishes(outbox, packages, now_us),
            f"cli:{getpass.getuser()}",
        )
