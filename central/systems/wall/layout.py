"""What a wall screen shows, as data: panels in a grid. Every mistake names the panel it is in.

The grid fills the screen below the title bar; it never scrolls, so panels must fit and not overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Annotated, Final, Literal

from pydantic import Field

from central.kernel.shapes import Asked, Name, Shape

PanelKind = Literal["vitals", "map", "counts", "events", "rates", "trend", "gateways", "cases", "ticker"]
MOST_PANELS: Final = 24
MOST_POINTS: Final = 12
NEEDS_POINTS: Final = frozenset({"trend"})
TAKES_POINTS: Final = frozenset({"vitals", "trend"})
ONCE: Final = frozenset({"map"})
"""Kinds that a screen has at most one of: each map costs a drawing context."""


class Panel(Asked):
    """One panel; x, y, w, h in cells of the grid, from its upper left corner."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="unique in the layout")]
    kind: PanelKind
    x: Annotated[int, Field(ge=0, le=95)]
    y: Annotated[int, Field(ge=0, le=47)]
    w: Annotated[int, Field(ge=1, le=96)]
    h: Annotated[int, Field(ge=1, le=48)]
    title: Annotated[Name | None, Field(description="null: the kind's own")] = None
    points: list[str] = Field(
        default=[],
        max_length=MOST_POINTS,
        description="vitals: in this order; none: the centre's choice; trend: at least one",
    )


class Layout(Asked):
    """A whole screen."""

    columns: Annotated[int, Field(ge=4, le=96)] = 24
    rows: Annotated[int, Field(ge=4, le=48)] = 12
    panels: Annotated[list[Panel], Field(min_length=1, max_length=MOST_PANELS)]
    weather: list[str] = Field(
        default=[], max_length=3, description="points in the title bar; none: a weather station's own"
    )
    sound: Annotated[bool, Field(description="sound once when a P1 alarm is raised")] = True


class Mistake(Shape):
    """What is wrong with a panel, and how to mend it; panel is empty where it concerns the layout."""

    panel: str
    problem: str


def mistakes(layout: Layout, known: Set[str]) -> list[Mistake]:
    """Return everything that is wrong with a layout; known: ids of the points that its maker sees."""
    found: list[Mistake] = []
    seen: set[str] = set()
    kinds: dict[str, str] = {}
    for place, panel in enumerate(layout.panels):
        if panel.id in seen:
            found.append(Mistake(panel=panel.id, problem="another panel has this id; give each its own"))
        seen.add(panel.id)
        if panel.x + panel.w > layout.columns or panel.y + panel.h > layout.rows:
            found.append(
                Mistake(
                    panel=panel.id,
                    problem=f"ends at column {panel.x + panel.w}, row {panel.y + panel.h}, outside the grid "
                    f"of {layout.columns} by {layout.rows}; make it smaller or move it",
                )
            )
        for other in layout.panels[:place]:
            if _overlap(panel, other):
                found.append(
                    Mistake(panel=panel.id, problem=f"lies over panel {other.id!r}; move one of the two")
                )
        if panel.kind in ONCE and panel.kind in kinds:
            found.append(
                Mistake(
                    panel=panel.id,
                    problem=f"panel {kinds[panel.kind]!r} is a {panel.kind} already; one is possible",
                )
            )
        kinds.setdefault(panel.kind, panel.id)
        found.extend(_points(panel, known))
    found.extend(_unknown("", layout.weather, known))
    return found


def _overlap(one: Panel, other: Panel) -> bool:
    return (
        one.x < other.x + other.w
        and other.x < one.x + one.w
        and one.y < other.y + other.h
        and other.y < one.y + one.h
    )


def _points(panel: Panel, known: Set[str]) -> Iterable[Mistake]:
    if panel.points and panel.kind not in TAKES_POINTS:
        yield Mistake(panel=panel.id, problem=f"a panel of kind {panel.kind} shows no points; take them out")
    elif not panel.points and panel.kind in NEEDS_POINTS:
        yield Mistake(panel=panel.id, problem=f"a panel of kind {panel.kind} needs at least one point")
    yield from _unknown(panel.id, panel.points, known)


def _unknown(panel: str, points: list[str], known: Set[str]) -> Iterable[Mistake]:
    for point in points:
        if point not in known:
            yield Mistake(
                panel=panel, problem=f"there is no point {point!r}; choose one of the list of points"
            )


def _panel(key: str, kind: PanelKind, x: int, y: int, w: int, h: int) -> Panel:
    return Panel(id=key, kind=kind, x=x, y=y, w=w, h=h)


STANDARD: Final = Layout(
    columns=24,
    rows=12,
    panels=[
        _panel("vitals", "vitals", 0, 0, 6, 11),
        _panel("counts", "counts", 6, 0, 12, 2),
        _panel("map", "map", 6, 2, 12, 9),
        _panel("events", "events", 18, 0, 6, 8),
        _panel("rates", "rates", 18, 8, 6, 3),
        _panel("ticker", "ticker", 0, 11, 24, 1),
    ],
)
"""For 1920 by 1080."""

WIDE: Final = Layout(
    columns=48,
    rows=12,
    panels=[
        _panel("vitals", "vitals", 0, 0, 9, 11),
        _panel("gateways", "gateways", 9, 0, 7, 6),
        _panel("cases", "cases", 9, 6, 7, 5),
        _panel("counts", "counts", 16, 0, 18, 2),
        _panel("map", "map", 16, 2, 18, 9),
        _panel("events", "events", 34, 0, 8, 11),
        _panel("rates", "rates", 42, 0, 6, 11),
        _panel("ticker", "ticker", 0, 11, 48, 1),
    ],
)
"""For 3840 by 1080."""

BUILT_IN: Final = {"standard": STANDARD, "wide": WIDE}
NAMES: Final = {"standard": Name(zh="标准大屏", en="Standard"), "wide": Name(zh="超宽大屏", en="Wide")}
