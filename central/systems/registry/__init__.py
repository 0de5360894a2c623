"""Registry (台账): what the city has, where it stands, whose it is, how it lives; found, listed, filed."""

from __future__ import annotations

from fastapi import APIRouter

from central.kernel.room import Room
from central.systems.registry import api, api_files

router = APIRouter()
router.include_router(api_files.router)
router.include_router(api.router)
room = Room("registry", router)
