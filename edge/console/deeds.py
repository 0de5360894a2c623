"""What a technician does to a device from here: read a point now, write one with read-back, hold a device.

Each is carried out by the same parts that serve the centre, judged by the same limits and interlocks, and
named in the audit trail with who did it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config.bind import OWN
from edge.console.answers import Problem, answer, body
from edge.console.guard import caller
from edge.console.layout import Layout
from edge.console.points import ValueView, value_of, value_view
from edge.house import House
from edge.shaping import Shaper
from protocols.field.base import BoundPoint, Driver
from protocols.model.reading import Readings

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
MAX_REASON: Final = 200


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A point to be read now."""

    point: Name


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A write in the point's unit; with `expected` only where the device shows that value before."""

    point: Name
    value: float | Annotated[str, msgspec.Meta(max_length=4_000)]
    expected: float | None = None


class ManualRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a device (`*`: all) into local manual mode, or give it back; with a reason for who comes later."""

    device: Name
    on: bool
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""


async def read_now(house: House, point: BoundPoint) -> ValueView:
    """Ask the device for one point, between two of its regular reads.

    A point that is not polled (its device speaks by itself, or it is the gateway's own) is answered as it
    was heard last. Raises ConnectionLost.
    """
    line = next(
        (one for one in house.plan.connections if any(device.key == point.device for device in one.devices)),
        None,
    )
    if point.device == OWN or line is None or not point.profile.readable:
        return value_view(house, point)
    session = house.sessions[line.key]

    async def act(driver: Driver) -> Readings | None:
        number = session.own(point).index
        for task in driver.plan():
            rows = np.flatnonzero(task.points == number)
            if task.device == point.device and len(rows):
                return (await driver.read(task)).take(rows)
        return None

    raw = await session.ask(act)
    if raw is None or not len(raw):
        return value_view(house, point)
    # Shaped apart: what was asked for by hand is nobody's regular reading.
    alone = Shaper([replace(point, index=0)])
    alone.shape(replace(raw, point=np.zeros(len(raw), np.int32)), house.clock())
    return value_of(alone, 0, point)


def routes(house: House, layout: Layout) -> list[Route]:
    """POST /api/read, /api/write and /api/manual."""

    async def read(request: Request) -> Response:
        wanted = await body(request, ReadRequest)
        return answer(await read_now(house, layout.point(wanted.point)))

    async def write(request: Request) -> Response:
        wanted = await body(request, WriteRequest)
        point = layout.point(wanted.point)
        name = f"{point.device}.{point.profile.key}"
        actor = caller(request).actor
        return answer(await house.commands.local(name, wanted.value, actor, wanted.expected))

    async def manual(request: Request) -> Response:
        wanted = await body(request, ManualRequest)
        if wanted.on and not wanted.reason.strip():
            raise Problem(422, "reason-missing", "say why the device is taken out of reach of the centre")
        await house.commands.manual(wanted.device, wanted.on, caller(request).actor, wanted.reason)
        return answer({"local_manual": sorted(house.commands.held)})

    return [
        Route("/api/read", read, methods=["POST"]),
        Route("/api/write", write, methods=["POST"]),
        Route("/api/manual", manual, methods=["POST"]),
    ]
