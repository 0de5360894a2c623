"""What a room is: a name and its routes. Rooms are listed once, in `central/app.py`."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class Room:
    """One of the centre's systems. The router's paths are below `/api/v1`."""

    name: str
    router: APIRouter
