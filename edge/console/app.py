"""The local API put together: every noun's routes, one way to answer errors, the guard before all."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.console import (
    adopted,
    alarms,
    certificates,
    config,
    deeds,
    devices,
    entry,
    files,
    history,
    jobs,
    learnt,
    log,
    overview,
    points,
    profiles,
    queue,
    stream,
)
from edge.console.answers import Problem
from edge.console.auth import Gatekeeper
from edge.console.guard import Guard, as_problem
from edge.console.layout import Layout
from edge.console.worker import Worker
from edge.house import House
from protocols.errors import CityNerveError


class LocalApi:
    """One app for both doors. `routed` is the app behind the guard, `guarded` what a door leads to.

    `url` is where the page is served now, None where it is not.
    """

    def __init__(self, house: House, static: Path = files.STATIC) -> None:
        layout = Layout(house)
        self.url: str | None = None
        self.worker = Worker()
        self.jobs = jobs.Jobs()
        first_screen = overview.Overview(house, layout)
        self.keeper = Gatekeeper(house.plan.loaded.state_dir, self.worker)
        self.streams = stream.Streams(house, layout, first_screen)
        self.routed = Starlette(
            routes=[
                *entry.routes(house, self.keeper, lambda: self.url),
                *overview.routes(first_screen),
                *devices.routes(house, layout),
                *points.routes(house, layout),
                *stream.routes(self.streams),
                *deeds.routes(house, layout),
                *config.routes(house),
                *history.routes(house, layout, history.History(house), self.worker),
                *alarms.routes(house),
                *log.routes(),
                *learnt.routes(house),
                *adopted.routes(house),
                *certificates.routes(house),
                *queue.routes(house, self.worker),
                *profiles.routes(house, self.worker),
                *jobs.routes(house, self.jobs, self.worker),
                *files.routes(files.Files(static), self.worker),
            ],
            exception_handlers=dict.fromkeys((Exception, Problem, HTTPException, CityNerveError), _told),
        )
        self.guarded = Guard(self.routed, self.keeper, house.plan.gateway)


async def _told(_: Request, error: Exception) -> Response:
    return as_problem(error).response()
