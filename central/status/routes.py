"""`/healthz` and `/metrics`: outside the API, without sign-in, behind the door of `status.door`."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from central.config import Config
from central.kernel import problem
from central.status.door import Door
from central.status.gauges import Gauges
from central.store.base import Database
from central.systems.centre import Centre

LOOK_S = 2.0


def install(app: FastAPI, config: Config) -> None:
    """Add both routes."""
    door = Door(config.status_from)
    gauges = Gauges()

    @app.get("/healthz", include_in_schema=False)
    async def healthz(request: Request, response: Response) -> dict[str, str]:
        door.admit(request.client)
        centre: Centre = app.state.centre
        up = await answers(centre.database)
        if not up:
            response.status_code = 503
            response.headers["Retry-After"] = str(problem.RETRY_AFTER_S)
        return {
            "status": "ok" if up else "degraded",
            "database": "up" if up else "down",
            "version": app.version,
        }

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        door.admit(request.client)
        centre: Centre = app.state.centre
        await gauges.read(centre, up=await answers(centre.database))
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def answers(database: Database) -> bool:
    """Say whether the database answers within two seconds."""
    try:
        async with database.pool.connection(timeout=LOOK_S) as connection:
            await connection.execute("SELECT 1")
    except (DatabaseError, PoolTimeout):
        return False
    return True
