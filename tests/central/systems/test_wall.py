"""The wall: layouts that name what is wrong with them, versions, and screens that may only read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.security.permissions import WALL_COOKIE
from central.security.roles import Role
from central.systems.wall.layout import BUILT_IN, STANDARD, Layout, Panel, mistakes
from tests.central.systems.field import LEVEL, PM25, FieldGateway
from tests.central.systems.running import API, BASE, Running


def panel(key: str, x: int, y: int, w: int = 4, h: int = 4, **more: Any) -> Panel:
    return Panel.model_validate({"id": key, "kind": "events", "x": x, "y": y, "w": w, "h": h, **more})


def wrong(*panels: Panel, known: frozenset[str] = frozenset({"p"})) -> list[tuple[str, str]]:
    layout = Layout(columns=12, rows=12, panels=list(panels))
    return [(item.panel, item.problem) for item in mistakes(layout, known)]


@pytest.mark.parametrize("key", BUILT_IN)
def test_the_layouts_of_the_product_are_right_and_leave_no_cell_empty(key: str) -> None:
    layout = BUILT_IN[key]
    assert mistakes(layout, frozenset()) == []
    assert sum(item.w * item.h for item in layout.panels) == layout.columns * layout.rows


@pytest.mark.parametrize(
    ("panels", "named", "said"),
    [
        ([panel("a", 10, 0)], "a", "outside the grid"),
        ([panel("a", 0, 0), panel("b", 3, 3)], "b", "lies over panel 'a'"),
        ([panel("a", 0, 0), panel("a", 4, 0)], "a", "has this id"),
        ([panel("m", 0, 0, kind="map"), panel("n", 4, 0, kind="map")], "n", "'m' is a map already"),
        ([panel("t", 0, 0, kind="trend")], "t", "needs at least one point"),
        ([panel("t", 0, 0, kind="trend", points=["p", "q"])], "t", "no point 'q'"),
        ([panel("t", 0, 0, points=["p"])], "t", "shows no points"),
    ],
)
def test_a_mistake_names_its_panel(panels: list[Panel], named: str, said: str) -> None:
    [(where, problem)] = wrong(*panels)
    assert where == named
    assert said in problem


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 13)] * 2), min_size=1, max_size=6))
def test_what_passes_covers_no_cell_twice_and_stays_inside(places: list[tuple[int, int, int, int]]) -> None:
    panels = [panel(f"p{row}", *place) for row, place in enumerate(places)]
    cells = [(x, y) for left, top, w, h in places for x in range(left, left + w) for y in range(top, top + h)]
    fits = len(set(cells)) == len(cells) and all(x < 12 and y < 12 for x, y in cells)
    assert (wrong(*panels) == []) == fits


async def test_a_layout_is_saved_as_a_version_and_taken_away_again(
    city: Running, gateway: FieldGateway
) -> None:
    body = STANDARD.model_dump(mode="json")
    body["panels"][0]["points"] = [LEVEL, PM25]
    body["weather"] = [PM25]
    asked = {"name": {"zh": "一号", "en": "One"}, "layout": body, "version": 0}
    path = "/wall-layouts/standard"
    async with city.client(Role.ADMIN) as client:
        saved = await client.put(API + path, json=asked)
        assert (saved.status_code, saved.json()["version"], saved.json()["saved_by"]) == (
            200,
            1,
            "test-admin",
        )
        assert (await client.put(API + path, json=asked)).status_code == 409
        body["panels"][0]["points"] = ["gw-north.well.gone"]
        bad = await client.put(API + path, json={**asked, "version": 1})
        assert bad.status_code == 422
        assert bad.json()["errors"][0]["field"] == "vitals"
        assert "gw-north.well.gone" in bad.json()["detail"]
    async with city.client(Role.OPERATOR) as client:
        assert (await client.put(API + path, json={**asked, "version": 1})).status_code == 403
    assert (await city.get(path))["layout"]["panels"][0]["points"] == [LEVEL, PM25]
    async with city.client(await city.person("of-north", areas=["north"])) as client:
        seen = (await client.get(API + path)).json()["layout"]
        assert (seen["panels"][0]["points"], seen["weather"]) == ([LEVEL], [])
    async with city.client(Role.ADMIN) as client:
        assert (await client.delete(f"{API}{path}?version=1")).status_code == 204
    assert (
        (await city.get(path))["name"]["en"],
        (await city.get(path))["layout"]["panels"][0]["points"],
    ) == (
        "Standard",
        [],
    )
    assert [item["version"] for item in (await city.get(f"{path}/versions", Role.ADMIN))["items"]] == [1]


async def test_a_link_works_once_for_a_screen_that_only_reads_until_it_is_revoked(
    city: Running, gateway: FieldGateway
) -> None:
    made = await city.post(
        "/wall-screens", {"name": "Hall", "layout": "wide", "areas": ["north"]}, Role.ADMIN, 201
    )
    origin = {"Origin": BASE}
    async with city.client(None) as wall:
        taken = await wall.post(f"{API}/wall/session", json={"code": made["code"]}, headers=origin)
        assert taken.status_code == 204
        assert "HttpOnly" in taken.headers["set-cookie"]
        again = await wall.post(f"{API}/wall/session", json={"code": made["code"]}, headers=origin)
        assert (again.status_code, again.json()["type"]) == (401, "/problems/link-spent")
        wall.cookies.set(WALL_COOKIE, taken.cookies[WALL_COOKIE])
        shown = (await wall.get(f"{API}/wall")).json()
        assert (shown["screen"], shown["layout"]["id"]) == ("Hall", "wide")
        sites = (await wall.get(f"{API}/sites")).json()["items"]
        assert {site["district"] for site in sites} == {"north"}
        me = (await wall.get(f"{API}/session")).json()["user"]
        assert set(me["permissions"]) <= {"read", "account.own"}
        for path in ("/wall-screens", "/users", "/audit"):
            assert (await wall.get(API + path)).status_code == 403
        unsafe = await wall.post(f"{API}/alarms/x/acknowledge", json={}, headers=origin)
        assert unsafe.status_code == 401
        async with city.client(Role.ADMIN) as admin:
            gone = await admin.delete(f"{API}/wall-screens/{made['screen']['id']}")
            assert gone.status_code == 204
        assert (await wall.get(f"{API}/wall")).status_code == 401


async def test_a_link_ends_after_a_day(city: Running) -> None:
    made = await city.post("/wall-screens", {"name": "Hall"}, Role.ADMIN, 201)
    city.clock.move(86_400)
    async with city.client(None) as wall:
        late = await wall.post(f"{API}/wall/session", json={"code": made["code"]}, headers={"Origin": BASE})
    assert late.status_code == 401
