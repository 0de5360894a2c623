"""Scans that a person has started: they run beside the polling, and can be looked at and stopped.

Two at a time, since each asks questions on a line; what they found is kept until eight newer ones are done.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from typing import Final, Literal

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.console.answers import Problem, answer, body, nothing, whole
from edge.console.guard import Caller, caller
from edge.console.profiles import profiles_of
from edge.console.ring import masked
from edge.console.scans import ScanRequest, begin
from edge.console.worker import Worker
from edge.house import House
from edge.tools.scan import Events
from protocols.errors import CityNerveError
from protocols.field.scanning import Found, Progress

JobState = Literal["running", "done", "failed", "stopped"]
MAX_RUNNING: Final = 2
MAX_KEPT: Final = 8
MAX_FOUND: Final = 5_000
MAX_SECONDS: Final = 1_800.0


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """How far a scan is (`total` 0: nobody knows), and what it found; ask again with `after` = `next`."""

    job: str
    state: JobState
    done: int
    total: int
    doing: str
    error: str
    next: int
    found: list[Found]


class Job:
    """One scan, from its start until it is forgotten."""

    def __init__(self, events: Events, what: str, by: Caller) -> None:
        self.state: JobState = "running"
        self._progress = Progress(0, 0, "")
        self._found: list[Found] = []
        self._error = ""
        self._log = structlog.get_logger("edge.console").bind(scan=what, by=by.actor)
        self._task = asyncio.create_task(self._run(events), name=f"scan:{what}")

    def view(self, name: str, after: int) -> JobView:
        """Return the job as it is now, with what it found after the first `after`."""
        progress = self._progress
        return JobView(
            job=name,
            state=self.state,
            done=progress.done,
            total=progress.total,
            doing=progress.doing,
            error=self._error,
            next=len(self._found),
            found=self._found[after:],
        )

    async def stop(self) -> None:
        """End the scan; what it found stays."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, events: Events) -> None:
        self._log.info("scan begins")
        try:
            async with asyncio.timeout(MAX_SECONDS):
                async for event in events:
                    if isinstance(event, Progress):
                        self._progress = event
                    else:
                        self._found.append(event)
                    if len(self._found) >= MAX_FOUND:
                        self._error = f"stopped at {MAX_FOUND} findings; scan a smaller part"
                        break
            self.state = "done"
        except CityNerveError as error:
            self.state, self._error = "failed", masked(str(error))
        except TimeoutError:
            self.state, self._error = "failed", f"not done after {MAX_SECONDS / 60:g} minutes; scan less"
        except asyncio.CancelledError:
            self.state = "stopped"
            raise
        except Exception as error:
            self.state, self._error = "failed", masked(f"the scan failed: {error!r}")
            self._log.exception("scan failed; report this")
        finally:
            self._log.info("scan ends", state=self.state, found=len(self._found), reason=self._error)


class Jobs:
    """The scans of this gateway by their names."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def start(self, events: Events, what: str, by: Caller) -> str:
        """Begin a scan and return its name. Raises Problem `busy`."""
        if sum(job.state == "running" for job in self._jobs.values()) >= MAX_RUNNING:
            raise Problem(409, "busy", f"{MAX_RUNNING} scans are running; stop one of them or wait")
        name = secrets.token_hex(8)
        self._jobs[name] = Job(events, what, by)
        over = [old for old, job in self._jobs.items() if job.state != "running"]
        for old in over[: max(len(self._jobs) - MAX_KEPT, 0)]:
            del self._jobs[old]
        return name

    def job(self, name: str) -> Job:
        """Return a scan. Raises Problem `not-found`."""
        found = self._jobs.get(name)
        if found is None:
            raise Problem(404, "not-found", "there is no such scan; it may be too old")
        return found

    async def close(self) -> None:
        """Stop what runs."""
        for job in self._jobs.values():
            if job.state == "running":
                await job.stop()


def routes(house: House, jobs: Jobs, worker: Worker) -> list[Route]:
    """POST /api/scan, GET and DELETE /api/jobs/{job}."""

    async def scan(request: Request) -> Response:
        wanted = await body(request, ScanRequest)
        events = begin(house, wanted, await worker.run(profiles_of, house))
        return answer({"job": jobs.start(events, wanted.protocol, caller(request))}, 202)

    async def show(request: Request) -> Response:
        name: str = request.path_params["job"]
        return answer(jobs.job(name).view(name, whole(request, "after", 0, 0, MAX_FOUND)))

    async def stop(request: Request) -> Response:
        await jobs.job(request.path_params["job"]).stop()
        return nothing()

    path = "/api/jobs/{job}"
    return [
        Route("/api/scan", scan, methods=["POST"]),
        Route(path, show),
        Route(path, stop, methods=["DELETE"]),
    ]
