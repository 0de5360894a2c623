"""The control endpoint: what a test or the demo asks of a running simulation, on loopback.

    GET    /state                       what runs where, world time, active faults
    GET    /devices/{key}               the world's values of one device, by point
    GET    /faults                      active faults
    POST   /faults   {"fault": "dead:ps-riverside-pump2"}
    DELETE /faults?fault=…              one fault, or all without the parameter
    POST   /scenario {"name": "rainstorm"}

Errors are RFC 9457 problems. It has no sign-in, so it takes loopback names only (no DNS rebinding) and
bodies of type application/json only (no form on a foreign page).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from protocols.errors import Rejected
from sim_devices.fault_board import FaultBoard
from sim_devices.faults import parse_fault
from sim_devices.servers.http import HttpListener
from sim_devices.world import World

Handler = Callable[[Request], Awaitable[Response]]


class Controlled(Protocol):
    """What the endpoint needs of a simulation."""

    world: World
    faults: FaultBoard

    def state(self) -> dict[str, Any]:
        """Return what runs where."""


class ControlServer:
    """One small HTTP server beside the simulated ones."""

    def __init__(self, simulation: Controlled, host: str, port: int) -> None:
        self._simulation = simulation
        app = Starlette(
            routes=[
                Route("/state", self._state, methods=["GET"]),
                Route("/devices/{key}", _safely(self._device), methods=["GET"]),
                Route("/faults", self._faults, methods=["GET"]),
                Route("/faults", _safely(self._set_fault), methods=["POST"]),
                Route("/faults", _safely(self._clear_fault), methods=["DELETE"]),
                Route("/scenario", _safely(self._set_scenario), methods=["POST"]),
            ],
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", host])
            ],
        )
        self._http = HttpListener(app, host, port, "control endpoint")

    @property
    def url(self) -> str:
        """Where a client connects."""
        return f"http://{self._http.host}:{self._http.port}"

    async def start(self) -> None:
        """Listen; raises PortBusyError."""
        await self._http.start()

    async def stop(self) -> None:
        """Close the port."""
        await self._http.stop()

    async def _state(self, _: Request) -> Response:
        return JSONResponse(self._simulation.state())

    async def _faults(self, _: Request) -> Response:
        return JSONResponse({"items": [str(fault) for fault in self._simulation.faults.active()]})

    async def _device(self, request: Request) -> Response:
        key = request.path_params["key"]
        device = self._simulation.world.devices().get(key)
        if device is None:
            raise Rejected("not-found", f"there is no device {key!r}; GET /state lists them")
        # A camera's figures are the gateway's to measure.
        points = () if device.profile.protocol == "camera" else device.profile.points
        return JSONResponse(
            {
                "key": key,
                "profile": device.profile.id,
                "values": {point.key: device.read(point.key) for point in points},
            }
        )

    async def _set_fault(self, request: Request) -> Response:
        fault = parse_fault(await _text(request, "fault"))
        self._simulation.faults.set(fault)
        return JSONResponse({"fault": str(fault)}, 201)

    async def _clear_fault(self, request: Request) -> Response:
        text = request.query_params.get("fault")
        if text is None:
            self._simulation.faults.clear_all()
        else:
            self._simulation.faults.clear(parse_fault(text))
        return Response(status_code=204)

    async def _set_scenario(self, request: Request) -> Response:
        name = await _text(request, "name")
        try:
            self._simulation.world.set_scenario(name)
        except ValueError as error:
            raise Rejected("scenario", str(error)) from error
        return JSONResponse({"scenario": self._simulation.world.scenario})


async def _text(request: Request, key: str) -> str:
    """Return one text of a JSON body; anything else is Rejected `body`."""
    form = f'expected a JSON object {{"{key}": "…"}} with content type application/json'
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise Rejected("body", form)
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Rejected("body", form) from None
    if not isinstance(body, dict) or not isinstance(body.get(key), str):
        raise Rejected("body", form)
    text: str = body[key]
    return text


def _safely(handler: Handler) -> Handler:
    """Turn Rejected into a problem document."""
    status = {"not-found": 404, "fault-inactive": 404}

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Rejected as error:
            code = status.get(error.reason, 400)
            problem = {"type": f"urn:citynerve:sim:{error.reason}", "title": error.reason, "status": code}
            return JSONResponse(
                {**problem, "detail": str(error)}, code, media_type="application/problem+json"
            )

    return answered
