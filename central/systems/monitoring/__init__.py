"""Monitoring (运行监测): what is happening, how fresh and how good each number is, and what is wrong."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, FastAPI

from central.kernel.room import Room
from central.kernel.timer import Timer
from central.systems.monitoring import (
    api,
    api_alarm_desk,
    api_alarms,
    api_cameras,
    api_devices,
    api_gateways,
    api_map,
    api_past,
    api_replay,
)
from central.systems.monitoring.alarm_watch import TURN_S
from central.systems.monitoring.overview import BEAT_S, Beat
from central.systems.monitoring.parts import parts_in
from central.systems.monitoring.witness import TURN_S as WITNESS_S

router = APIRouter()
router.include_router(api.router)
router.include_router(api_alarm_desk.router)  # before `/alarms/{alarm_id}`, which takes any word
router.include_router(api_alarms.router)
router.include_router(api_cameras.router)
router.include_router(api_devices.router)
router.include_router(api_gateways.router)
router.include_router(api_map.router)
router.include_router(api_past.router)
router.include_router(api_replay.router)


async def work(app: FastAPI) -> None:
    """Tell open screens how the city's numbers change; do what is due at the alarm desk and for evidence."""
    parts = parts_in(app)
    beat = Beat(parts.overview, parts.bus, lambda: parts.feed.clients > 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(Timer("overview", BEAT_S, beat.turn).run())
        group.create_task(Timer("alarm-desk", TURN_S, parts.watch.turn).run())
        group.create_task(Timer("evidence", WITNESS_S, parts.witness.turn).run())


room = Room("monitoring", router, work)
