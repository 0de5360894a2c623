"""Dispatch (调度指挥): events become cases, cases become somebody's task, and commands go to devices."""

from __future__ import annotations

from central.kernel.room import Room
from central.systems.dispatch import api

room = Room("dispatch", api.router)
