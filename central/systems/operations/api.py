"""Routes of operations: retention classes, for the whole centre, a kind of device, a point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from prometheus_client import REGISTRY

from central.kernel.problem import not_found
from central.kernel.shapes import problems
from central.security.changes import changed
from central.security.permissions import MayEditRegistry, MayOperate
from central.security.sight import Sight
from central.store.keeping.choices import Choice, Choices
from central.store.keeping.classes import Limits
from central.store.keeping.holdings import holdings
from central.store.keeping.keeper import EVERY_S
from central.store.keeping.parts import archive_folder
from central.systems.centre import CentreDep
from central.systems.operations.schemas import (
    HoldingsOut,
    PointRetention,
    Retention,
    RetentionChoice,
    RetentionShare,
    RetentionState,
)

router = APIRouter(tags=["operations"])

KindKey = Annotated[str, Path(min_length=1, max_length=100, description="kind of device: `pump`")]


@router.get("/retention", operation_id="getRetention", responses=problems(401, 403, 503))
async def get_retention(who: MayOperate, centre: CentreDep) -> Retention:
    """Return how long readings stay, and which points are in which class."""
    limits = Limits.of(centre.config)
    choices = Choices(centre.database)
    return Retention(
        days=dict(limits.days),
        rollup_days=dict(limits.rollup_days),
        archived=centre.config.archive,
        kinds=await choices.kinds(),
        points=[
            RetentionShare(retention=share.retention, kind=share.kind, points=share.points)
            for share in await choices.shares()
        ],
    )


@router.get("/retention/state", operation_id="getRetentionState", responses=problems(401, 403, 503))
async def get_state(who: MayOperate, centre: CentreDep) -> RetentionState:
    """Return what lies where, what was archived, what falls due next, and when the centre looks again."""
    shares = await Choices(centre.database).shares()
    held = await holdings(
        centre.database, Limits.of(centre.config).days, {share.retention for share in shares}
    )
    done = _moment("citynerve_timer_done_timestamp_seconds", timer="retention")
    begun = done or _moment("process_start_time_seconds")
    return RetentionState(
        holdings=HoldingsOut.model_validate(held),
        archive_folder=str(archive_folder(centre.config)),
        every_s=EVERY_S,
        looked_at=done,
        next_at=None if begun is None else begun + timedelta(seconds=EVERY_S),
    )


@router.put(
    "/retention/kinds/{kind}", operation_id="setKindRetention", responses=problems(401, 403, 422, 503)
)
async def set_kind(
    kind: KindKey, body: RetentionChoice, who: MayOperate, centre: CentreDep, request: Request
) -> Retention:
    """Choose the class of all points of a kind of device that have none of their own."""
    choices = Choices(centre.database)
    before = (await choices.kinds()).get(kind)
    await choices.set_kind(kind, body.retention, who.username)
    changed(request, f"retention {kind}", {"retention": before}, {"retention": body.retention})
    return await get_retention(who, centre)


@router.get(
    "/points/{point_id}/retention", operation_id="getPointRetention", responses=problems(401, 403, 404, 503)
)
async def get_point(point_id: str, who: MayEditRegistry, centre: CentreDep) -> PointRetention:
    """Return the class of a point, and whether it was chosen for it."""
    return _shown(await _within_reach(Choices(centre.database), point_id, who.sight))


@router.put(
    "/points/{point_id}/retention",
    operation_id="setPointRetention",
    responses=problems(401, 403, 404, 422, 503),
)
async def set_point(
    point_id: str, body: RetentionChoice, who: MayEditRegistry, centre: CentreDep, request: Request
) -> PointRetention:
    """Choose the class of a point."""
    choices = Choices(centre.database)
    before = await _within_reach(choices, point_id, who.sight)
    after = await choices.set_point(point_id, body.retention)
    changed(request, f"retention {point_id}", {"retention": before.own}, {"retention": after.own})
    return _shown(after)


async def _within_reach(choices: Choices, point: str, sight: Sight) -> Choice:
    found = await choices.point(point)
    if found is None or not sight.sees(found.site):
        raise not_found("point", point)
    return found


def _moment(metric: str, **labels: str) -> datetime | None:
    """Return a time that this process keeps among its metrics."""
    seconds = REGISTRY.get_sample_value(metric, labels)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _shown(choice: Choice) -> PointRetention:
    return PointRetention(point=choice.point, own=choice.own, retention=choice.retention)
