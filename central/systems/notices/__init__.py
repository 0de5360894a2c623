"""Notices (通知): channels and templates, who is told of what, escalation, webhooks of other systems."""

from __future__ import annotations

from fastapi import APIRouter

from central.kernel.room import Room
from central.systems.notices import api, api_told, api_webhooks
from central.systems.notices.parts import work

router = APIRouter()
router.include_router(api.router)
router.include_router(api_told.router)
router.include_router(api_webhooks.router)
room = Room("notices", router, work)
