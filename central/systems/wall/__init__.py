"""Wall (大屏): what the big screens of a control room show, and which of them may."""

from __future__ import annotations

from central.kernel.room import Room
from central.systems.wall.api import router

room = Room("wall", router)
