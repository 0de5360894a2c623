"""What a room is: a name and its routes. Rooms are listed once, in `central/app.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI


@dataclass(frozen=True, slots=True)
class Room:
    """One of the centre's systems. The router's paths are below `/api/v1`.

    work, where given, runs beside the routes from start to stop; `app.state.centre` is there already.
    """

    name: str
    router: APIRouter
    work: Callable[[FastAPI], Awaitable[None]] | None = None
