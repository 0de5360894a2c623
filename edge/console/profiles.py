"""Device profiles a technician can choose from, what raw registers mean by them, and the file's schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config.load import SHIPPED_PROFILES
from edge.console.answers import Problem, Words, answer, body, words
from edge.console.worker import Worker
from edge.house import House
from edge.tools.decode import Fit, Guess, decode, fits
from edge.tools.profiles import known_profiles
from protocols.model.address.registry import ADDRESSES
from protocols.model.clock import SECOND_US
from protocols.model.device import Profile

SCHEMAS: Final = ("gateway", "profile")
SHOWN: Final = 60
"""Guesses that are answered; past them nothing is likely."""


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """A device model that can be named in the gateway file.

    params: what tells its devices apart on a line, with an example of each.
    """

    id: str
    name: Words
    vendor: str
    model: str
    kind: str
    protocol: str
    version: int
    points: int
    params: dict[str, str | int]


class DecodeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raw registers, `before` of them ahead of the one asked for; address (wire, 0-based) of that one."""

    registers: Annotated[list[int], msgspec.Meta(min_length=1, max_length=125)]
    before: Annotated[int, msgspec.Meta(ge=0, le=124)] = 0
    address: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None
    fc: Annotated[int, msgspec.Meta(ge=1, le=4)] = 3


class DecodeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the registers may mean, and which profiles explain them; the likeliest first."""

    guesses: list[Guess]
    fits: list[Fit]


def profiles_of(house: House) -> list[Profile]:
    """Return the shipped profiles and the gateway's own. Reads files: call it in the page's thread.

    Raises ConfigError where one of them is wrong.
    """
    loaded = house.plan.loaded
    own = loaded.entry.profiles
    return list(known_profiles(loaded.file.resolve().parent / own if own else None).values())


def routes(house: House, worker: Worker) -> list[Route]:
    """GET /api/profiles and /api/schema?file=gateway, POST /api/decode."""

    async def profiles(_: Request) -> Response:
        found = await worker.run(profiles_of, house)
        return answer([_view(profile) for profile in found])

    async def schema(request: Request) -> Response:
        name = request.query_params.get("file", "gateway")
        if name not in SCHEMAS:
            raise Problem(404, "not-found", f"there is a schema of {' and of '.join(SCHEMAS)} files")
        text = await worker.run((SHIPPED_PROFILES.parent / "schema" / f"{name}.json").read_bytes)
        return answer(msgspec.Raw(text))

    async def decoded(request: Request) -> Response:
        wanted = await body(request, DecodeRequest)
        return answer(await worker.run(_decoded, house, wanted))

    return [
        Route("/api/profiles", profiles),
        Route("/api/schema", schema),
        Route("/api/decode", decoded, methods=["POST"]),
    ]


def _decoded(house: House, wanted: DecodeRequest) -> DecodeView:
    known = profiles_of(house)
    guesses = decode(
        wanted.registers,
        before=wanted.before,
        address=wanted.address,
        fc=wanted.fc,
        profiles=known,
        now=datetime.fromtimestamp(house.clock() / SECOND_US, UTC),
    )
    fitting: list[Fit] = []
    if wanted.address is not None:
        fitting = fits(wanted.registers, wanted.address - wanted.before, wanted.fc, known)
    return DecodeView(guesses=guesses[:SHOWN], fits=fitting[:10])


def _view(profile: Profile) -> ProfileView:
    return ProfileView(
        id=profile.id,
        name=words(profile.name),
        vendor=profile.vendor,
        model=profile.model,
        kind=profile.kind,
        protocol=profile.protocol,
        version=profile.version,
        points=len(profile.points),
        params=dict(ADDRESSES.find(profile.protocol).params),
    )
