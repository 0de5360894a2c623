"""Devices that joined by themselves (`edge.adoption`): which, by what rule, and who was turned away and why.

GET /api/adopted tells it; DELETE /api/adopted/{device} takes one out.
"""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.adoption import Refused
from edge.config.adopting import Adopted
from edge.console.answers import Problem, answer, nothing
from edge.console.guard import caller
from edge.house import House
from protocols.errors import Rejected


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of the gateway file, and how many devices it has of the `most` that it may have."""

    key: str
    connection: str
    topic: str
    profile: str
    enabled: bool
    joined: int
    most: int


class AdoptionView(msgspec.Struct, frozen=True, kw_only=True):
    """All rules, and what came of them. `refused_more`: times that others than `refused` were turned away."""

    rules: list[RuleView]
    devices: dict[str, Adopted]
    refused: list[Refused]
    refused_more: int


def adoption_view(house: House) -> AdoptionView:
    """Return the rules of the running configuration, and what came of them."""
    loaded = house.plan.loaded
    joined = [one.rule for one in loaded.adopted.values()]
    rules = [
        RuleView(
            key=rule.key, connection=rule.connection, topic=rule.topic, profile=rule.profile,
            enabled=rule.enabled, joined=joined.count(rule.key), most=rule.most,
        )
        for rule in loaded.entry.adoptions
    ]  # fmt: skip
    return AdoptionView(
        rules=rules,
        devices=dict(loaded.adopted),
        refused=house.adopter.refused(),
        refused_more=house.adopter.refused_more,
    )


def routes(house: House) -> list[Route]:
    """GET /api/adopted, DELETE /api/adopted/{device}."""

    async def view(_: Request) -> Response:
        return answer(adoption_view(house))

    async def forget(request: Request) -> Response:
        device = request.path_params["device"]
        try:
            await house.adopter.forget(device, house.settings)
        except Rejected as error:
            raise Problem(404, error.reason, str(error)) from error
        await asyncio.to_thread(house.audit.note, caller(request).actor, "device.forgotten", device, "")
        return nothing()

    return [
        Route("/api/adopted", view),
        Route("/api/adopted/{device}", forget, methods=["DELETE"]),
    ]
