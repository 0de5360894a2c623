"""Monitoring (运行监测): what is happening, how fresh and how good each number is, and what is wrong."""

from __future__ import annotations

from fastapi import APIRouter

from central.kernel.room import Room
from central.systems.monitoring import api, api_alarms

router = APIRouter()
router.include_router(api.router)
router.include_router(api_alarms.router)

room = Room("monitoring", router)
