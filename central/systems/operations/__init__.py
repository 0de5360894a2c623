"""Operations: how long readings stay. What the operator of the machine asks is at the command line."""

from __future__ import annotations

from central.kernel.room import Room
from central.systems.operations import api

room = Room("operations", api.router)
