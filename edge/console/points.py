"""Points with their present value, as the page shows them: unit, words for codes, quality in a sentence."""

from __future__ import annotations

import math

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.config.bind import OWN, OWN_PERIOD_S
from edge.console.answers import Words, answer, required, words
from edge.console.layout import Layout
from edge.console.words import meaning
from edge.house import House
from edge.shaping import Shaper
from protocols.field.base import BoundPoint
from protocols.model.quality import QualityClass, quality_class, quality_name


class QualityView(msgspec.Struct, frozen=True, kw_only=True):
    """An OPC UA status code, its name, its class, and what it means to a technician."""

    code: int
    name: str
    class_: QualityClass = msgspec.field(name="class")
    zh: str
    en: str


class ValueView(msgspec.Struct, frozen=True, kw_only=True):
    """The present value of a point; `time_us` is None where it has never been read."""

    point: str
    value: float | None
    text: str | None
    label: Words | None
    quality: QualityView
    time_us: int | None


class PointView(ValueView, frozen=True, kw_only=True):
    """A point and its present value. Limits are in the point's unit, `period_s` in seconds."""

    device: str
    key: str
    name: Words
    unit: str
    type: str
    period_s: float
    decimals: int | None
    writable: bool
    readable: bool
    write_min: float | None
    write_max: float | None
    min: float | None
    max: float | None
    labels: dict[str, Words]


def quality_view(code: int) -> QualityView:
    """Return a status code with its words."""
    sentence = meaning(code)
    return QualityView(
        code=code, name=quality_name(code), class_=quality_class(code), zh=sentence.zh, en=sentence.en
    )


def value_view(house: House, point: BoundPoint) -> ValueView:
    """Return a point's present value, as the gateway saw it last."""
    return value_of(house.pipeline.shaper, point.index, point)


def value_of(shaper: Shaper, i: int, point: BoundPoint) -> ValueView:
    """Return what a shaper saw last of its point `i`, which is `point`."""
    profile = point.profile
    value: float | None = float(shaper.latest_value[i])
    if value is None or not math.isfinite(value):
        value = None
    spoken = profile.labels.get(round(value)) if value is not None and profile.labels else None
    time_us = int(shaper.latest_us[i])
    return ValueView(
        point=f"{point.device}.{profile.key}",
        value=value,
        text=shaper.latest_text.get(i) if profile.type in {"ascii", "text"} else None,
        label=words(spoken) if spoken else None,
        quality=quality_view(int(shaper.latest_quality[i])),
        time_us=time_us or None,
    )


def point_view(house: House, point: BoundPoint) -> PointView:
    """Return a point with everything that the page shows of it."""
    now, profile = value_view(house, point), point.profile
    own = point.device == OWN or profile.key.startswith("_")
    return PointView(
        **{name: getattr(now, name) for name in ValueView.__struct_fields__},
        device=point.device,
        key=profile.key,
        name=words(profile.name),
        unit=profile.unit,
        type=profile.type,
        period_s=OWN_PERIOD_S if own else house.plan.periods[profile.period],
        decimals=profile.decimals,
        writable=profile.writable,
        readable=profile.readable,
        write_min=profile.min if profile.write_min is None else profile.write_min,
        write_max=profile.max if profile.write_max is None else profile.write_max,
        min=profile.min,
        max=profile.max,
        labels={str(code): words(text) for code, text in profile.labels.items()},
    )


def routes(house: House, layout: Layout) -> list[Route]:
    """GET /api/points?device=K."""

    async def points(request: Request) -> Response:
        place = layout.place(required(request, "device"))
        return answer([point_view(house, house.plan.points[i]) for i in place.points.tolist()])

    return [Route("/api/points", points)]
