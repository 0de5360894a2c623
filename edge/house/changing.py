"""Another plan for a house that runs: what is the same goes on, the rest is begun, turned or ended."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from edge.config.bind import Plan
from edge.config.change import Change, Inlet, compare
from edge.house import House
from edge.notebook import Notebook
from edge.poller import Poller
from edge.session import Session

Start = Callable[[str, Coroutine[Any, Any, None]], None]
"""Begins a part of the gateway under a name."""


class Changer:
    """Changes the plan of a house. `inlet` is the sink that its commands have been given."""

    def __init__(self, house: House, inlet: Inlet, start: Start) -> None:
        self._house = house
        self._inlet = inlet
        self._start = start
        self._log = structlog.get_logger("edge.house")

    async def change(self, plan: Plan) -> Change:
        """Run another plan, and return what that changed; a link to another centre is not begun yet.

        Raises StorageError where the disk does not take its declaration: nothing has changed then.
        """
        house, declared = self._house, plan.declared
        plan = replace(plan, declared=b"")
        if await asyncio.to_thread(house.buffer.declaration, plan.declaration) is None:
            await asyncio.to_thread(house.buffer.remember, plan.declaration, declared)
        del declared
        change = await asyncio.to_thread(compare, house.plan, plan)
        again = [
            point.index
            for connection in plan.connections
            if connection.key in change.turned
            for device in connection.devices
            for point in device.points
        ]
        await house.pipeline.change(plan, change.table, again, lambda: self._switch(plan, change))
        self._log.info(
            "another configuration runs",
            declaration=plan.declaration,
            kept=len(change.kept),
            turned=sorted(change.turned),
            added=sorted(change.added),
            removed=sorted(change.removed),
        )
        # Not collected wholly, as at the start: that would hold up the polling for a tenth of a second.
        gc.collect(1)
        gc.freeze()
        return change

    def _switch(self, plan: Plan, change: Change) -> None:
        """Give every part the other plan, all in one instant; lines that change do so afterwards."""
        house, before = self._house, self._house.sessions
        house.plan = plan
        house.sessions, pollers = {}, house.pollers
        house.pollers = {}
        for connection in plan.connections:
            key = connection.key
            if key in change.added:
                notes = Notebook(plan.loaded.state_dir, connection.key)
                session = Session(connection, house.pipeline.put, house.clock, notes, house.adopter.welcome)
                poller = Poller(session, plan.periods, house.clock)
                self._start(f"session:{key}", session.run(poller.work))
            else:
                session, poller = before[key], pollers[key]
                session.adopt(connection, change.table, change.devices)
                poller.periods = plan.periods
                if key in change.turned:
                    session.turn()
            house.sessions[key], house.pollers[key] = session, poller
        for key in change.removed:
            before[key].put.renumber(change.table)
            before[key].leave()
        self._inlet.renumber(change.table)
        self._inlet = Inlet(house.pipeline.put)
        house.commands.adopt(plan, house.pipeline.shaper, house.sessions, self._inlet)
        house.actions.adopt(plan)
        house.adopter.follow(plan)
        storage = plan.loaded.entry.storage
        house.buffer.keep(storage)
        house.pictures.adopt(plan, house.sessions)
        asked = plan.loaded.entry.pictures
        if asked is not None:
            house.pictures.shelf.keep(asked.keep_bytes, storage.min_free_bytes)
        house.pipeline.watch(house.actions.points, house.actions.on_steps)
        house.pipeline.watch((), house.pictures.on_steps)
        if house.sender is not None:
            house.sender.limit(storage.uplink)
            house.sender.announce(plan.declaration)
