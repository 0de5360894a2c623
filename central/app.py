"""The one place where the parts of the centre meet. Rooms are listed here, once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES

from central import console
from central.city.registry import Registry
from central.config import Config
from central.kernel import openapi, problem
from central.kernel.bodies import BodyLimit
from central.kernel.bus import Bus
from central.kernel.requests import RequestLog
from central.kernel.room import Room
from central.kernel.timer import Timer
from central.kernel.zero import NoZeros
from central.link.api import LinkRoutes
from central.link.declarations import Declarations
from central.link.gateways import Gateways
from central.link.ingest import Ingest
from central.link.media import MediaIntake
from central.link.outbox import Outbox
from central.link.packages import Packages
from central.live.alarms import AlarmBoard
from central.live.feed import Feed
from central.live.latest import LatestBoard
from central.live.snapshots import Snapshots
from central.pipeline import Pipeline
from central.security import api as security_api
from central.security import api_accounts, api_audit, api_me, api_oidc
from central.security.audit import AuditMiddleware
from central.security.headers import SecurityHeaders
from central.security.parts import Security
from central.status import routes as status
from central.store.base import Database
from central.store.history import History
from central.store.keeping.keeper import EVERY_S
from central.store.keeping.parts import keeper
from central.store.open import open_database
from central.store.rollups import Roller
from central.systems.centre import Centre
from central.systems.dispatch import room as dispatch
from central.systems.monitoring import room as monitoring
from central.systems.notices import room as notices
from central.systems.operations import room as operations
from central.systems.registry import room as registry
from central.systems.wall import room as wall
from protocols.model.clock import Clock, now_us

log = structlog.get_logger(__name__)

API = "/api/v1"
COMMIT_S = 10.0
"""How long a stop waits for the commit in hand."""
SWEEP_S = 300.0
"""The wall's pictures live for hours; a few minutes more do no harm."""
ROOMS: tuple[Room, ...] = (monitoring, dispatch, registry, operations, wall, notices)


def _routes() -> APIRouter:
    routes = APIRouter()
    security = (security_api.router, api_oidc.router, api_me.router, api_accounts.router, api_audit.router)
    for part in (*security, *(room.router for room in ROOMS)):
        routes.include_router(part, prefix=API)
    return routes


ROUTES = _routes()
"""FastAPI keeps there what it works out about an included route: once, not for each application."""

FILES = re.compile(rf"^(/gateway/|{API}/registry/(import/|[a-z]+/.+/attachments$))")
"""Paths that take files and batches, and look at how large they are themselves, after who sends them."""
CONFIGURATIONS = re.compile(rf"^{API}/gateways/[^/]+/configurations$")

GZIP_LEVEL = 5
"""Nine takes three times as long for a fiftieth less."""
PACKED = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet",
    "image/jpeg",
    "image/png",
)
"""What is compressed already, by itself."""


def create_app(config: Config, clock: Clock = now_us) -> FastAPI:
    """Build the application; its database is opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_database(config) as database, _running(app, config, database, clock):
            yield

    app = FastAPI(
        title="CityNerve",
        version=version("citynerve"),
        summary="Smart-city operations centre that starts at the field device",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    problem.install(app)
    openapi.install(app)
    status.install(app, config)
    app.router.routes.extend(ROUTES.routes)
    # The last added is the first that a request meets.
    app.add_middleware(AuditMiddleware)
    app.add_middleware(
        GZipMiddleware, minimum_size=1024, compresslevel=GZIP_LEVEL, exclude_content_types=PACKED
    )
    app.add_middleware(NoZeros)
    app.add_middleware(BodyLimit, own=FILES, large=CONFIGURATIONS)
    app.add_middleware(SecurityHeaders, secure=config.secure)
    app.add_middleware(RequestLog)
    return app


@asynccontextmanager
async def _running(app: FastAPI, config: Config, database: Database, clock: Clock) -> AsyncIterator[None]:
    bus = Bus()
    latest = LatestBoard(clock)
    await latest.load(database)
    outbox = Outbox(database, bus, clock)
    alarms = AlarmBoard(database, bus, clock, outbox.forward)
    feed = Feed(latest, bus)
    registry = Registry(database)
    await registry.city()  # a big one takes seconds to read: not of the first person's time
    gateways = Gateways(database, bus, clock, latest, registry)
    packages = Packages(database, clock)
    declarations = Declarations(database, clock, latest)
    pipeline = Pipeline(
        database, clock, bus, latest=latest, alarms=alarms, feed=feed, gateways=gateways, outbox=outbox
    )
    snapshots = Snapshots(database, clock, config.pictures)
    ingest = Ingest(declarations, pipeline.commit, clock)
    app.state.centre = Centre(
        config=config,
        clock=clock,
        database=database,
        bus=bus,
        registry=registry,
        latest=latest,
        alarms=alarms,
        feed=feed,
        history=History(database),
        gateways=gateways,
        outbox=outbox,
        packages=packages,
        snapshots=snapshots,
        security=Security.build(database, clock, config),
        committed=lambda: ingest.committed,
    )
    link = LinkRoutes(gateways, declarations, ingest, outbox, packages, MediaIntake(snapshots, clock), clock)
    app.include_router(link.router)
    # The gateways' few paths first: a router tries one after the other, and gateways ask most.
    app.router.routes.insert(0, app.router.routes.pop())
    console.mount(app, map_style=config.map_style)
    keeping = keeper(config, database.url)
    timers = (
        Timer("outbox-expiry", 1.0, outbox.expire),
        Timer("shelf-expiry", 1.0, alarms.expire_shelves),
        Timer("presence", 2.0, gateways.presence.flush),
        Timer("gateway-changes", 2.0, gateways.tell_changes),
        Timer("rollups", 5.0, Roller(database, clock).roll),
        Timer("pictures", SWEEP_S, snapshots.sweep),
        Timer("retention", EVERY_S, lambda: asyncio.to_thread(keeping.run)),
    )
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(ingest.run(), name="ingest-writer")
        tasks = [group.create_task(timer.run(), name=timer.name) for timer in timers]
        for room in ROOMS:
            if room.work is not None:
                tasks.append(group.create_task(_work(room, app), name=room.name))
        log.info("centre.started", version=app.version)
        try:
            yield
        finally:
            close_streams(app)
            await asyncio.to_thread(keeping.stop)
            ingest.close()
            await _finish(writer)
            for task in tasks:
                task.cancel()
            await _flush(gateways)
            log.info("centre.stopped")


async def _finish(writer: asyncio.Task[None]) -> None:
    """Wait for the commit in hand; cut off, it was never acknowledged, and its gateways send it again."""
    try:
        await asyncio.wait_for(writer, COMMIT_S)
    except TimeoutError:
        log.error("centre.commit_cut_off", after_s=COMMIT_S)  # noqa: TRY400 - said whole


async def _flush(gateways: Gateways) -> None:
    try:
        await gateways.presence.flush()
    except Exception as error:
        # When gateways were last heard is known again as soon as they speak.
        if not problem.is_connection_failure(error):
            raise
        log.warning("centre.presence_not_written", error=str(error))


async def _work(room: Room, app: FastAPI) -> None:
    assert room.work is not None  # noqa: S101 - asked by the caller
    await room.work(app)


def close_streams(app: FastAPI) -> None:
    """End live streams and long polls, so that the server need not wait for them as it stops."""
    centre: Centre = app.state.centre
    centre.feed.close()
    centre.outbox.close()
