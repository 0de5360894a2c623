"""The registry over HTTP: search, both layers, life, files, attachments, and who may see and change what."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from central.security.roles import Role
from central.store.registry import Department
from tests.central.systems.field import AIR, DEVICE, LEVEL, SITE, FieldGateway
from tests.central.systems.running import API, Running

ADMIN = Role.ADMIN


async def send(
    city: Running, method: str, path: str, who: Role | str = ADMIN, expect: int = 200, **more: Any
) -> Any:
    async with city.client(who) as client:
        answer = await client.request(method, API + path, **more)
    assert answer.status_code == expect, answer.text
    told = answer.headers.get("content-type", "")
    return answer.json() if answer.content and told.endswith(("/json", "problem+json")) else answer.content


@pytest.fixture
async def north(city: Running, gateway: FieldGateway) -> str:
    """Somebody who may edit the registry in the district `north` only: the token."""
    async with city.centre.database.session() as session:
        session.add(Department(id="water", name_zh="水务局", name_en="Water bureau"))
    return await city.person("north-keeper", Role.ADMIN, areas=["north"])


async def test_search_finds_by_name_code_tag_place_and_department_within_sight(
    city: Running, north: str
) -> None:
    fields = {"department": "water", "tags": ["防汛"], "address": "滨江路 17 号"}
    await send(city, "PATCH", f"/registry/sites/{SITE}", json={"fields": fields})

    async def found(q: str, who: Role | str = Role.VIEWER) -> list[tuple[str, str, str]]:
        result = await send(city, "GET", "/search", who, params={"q": q})
        return [
            (hit["kind"], hit["id"], hit["match"]) for group in result["groups"] for hit in group["items"]
        ]

    assert (await found("滨江泵站"))[0] == ("site", SITE, "prefix")
    assert (await found(LEVEL))[0] == ("point", LEVEL, "code")
    assert ("site", SITE, "word") in await found("STATION")
    for place in ("水务局", "防汛", "17 号", "north"):
        assert "site" in {kind for kind, _, _ in await found(place)}, place
    assert next(hit[1] for hit in await found("滨江 level") if hit[0] == "point") == LEVEL
    assert await found("no such thing") == []
    assert [hit[0] for hit in await found("air", north)] == []
    assert {hit[1] for hit in await found("air")} >= {AIR}
    result = await send(city, "GET", "/search", params={"q": "gw-north", "kind": "gateway"})
    assert [group["kind"] for group in result["groups"]] == ["gateway"]


async def test_a_site_shows_both_layers_and_is_changed_with_its_history(
    city: Running, gateway: FieldGateway
) -> None:
    before = await send(city, "GET", f"/registry/sites/{SITE}")
    assert (before["declared"], before["written"], before["moves"]) == (True, {}, ["maintenance", "retired"])
    contact = {"name": "张伟", "role": "站长", "phone": "+86 138 0000 1234", "email": "zw@city.example"}
    asked = {
        "fields": {"name_zh": "滨江排涝站", "grid_cell": "310101001001001", "contacts": [contact]},
        "revision": before["revision"],
        "reason": "普查",
    }
    after = await send(city, "PATCH", f"/registry/sites/{SITE}", json=asked)
    assert (after["name"]["zh"], after["declaration"]["name_zh"]) == ("滨江排涝站", "滨江泵站")
    assert (after["contacts"], after["grid_cell"]) == ([contact], "310101001001001")
    again = await send(city, "PATCH", f"/registry/sites/{SITE}", expect=409, json=asked)
    assert again["type"] == "/problems/changed-meanwhile"
    asked = {"lifecycle": "maintenance", "since": "2026-01-05T08:00:00+08:00", "reason": "大修"}
    moved = await send(city, "POST", f"/registry/sites/{SITE}/lifecycle", json=asked)
    assert (moved["lifecycle"], moved["lifecycle_at"]) == ("maintenance", "2026-01-05T00:00:00Z")
    refused = await send(
        city, "POST", f"/registry/sites/{SITE}/lifecycle", expect=409,
        json={"lifecycle": "planned", "reason": "x"},
    )  # fmt: skip
    assert "possible now: active, retired" in refused["detail"]
    late = {"lifecycle": "active", "since": "2999-01-01T00:00:00Z", "reason": "x"}
    await send(city, "POST", f"/registry/sites/{SITE}/lifecycle", expect=422, json=late)
    history = await send(city, "GET", f"/registry/sites/{SITE}/history", params={"limit": 1})
    (entry,) = history["items"]
    assert (entry["action"], entry["actor"], entry["reason"]) == ("lifecycle", "test-admin", "大修")
    following = {"limit": 1, "cursor": history["next_cursor"]}
    (entry,) = (await send(city, "GET", f"/registry/sites/{SITE}/history", params=following))["items"]
    assert (entry["before"]["name_zh"], entry["after"]["contacts"][0]["phone"]) == ("滨江泵站", "…34")
    audit = (await send(city, "GET", "/audit", params={"limit": 10}))["items"]
    edited = next(item for item in audit if item["operation"] == "changeThing" and item["status"] == 200)
    (change,) = edited["changes"]
    assert (change["what"], change["before"]["name_zh"]) == (f"site {SITE}", "滨江泵站")
    assert "1234" not in str(change)
    monitored = await city.get(f"/sites/{SITE}")
    assert monitored["name"]["zh"] == "滨江排涝站"


async def test_wrong_fields_are_told_in_both_languages(city: Running, gateway: FieldGateway) -> None:
    fields = {"grid_cell": "12", "lon": 200, "department": "nobody", "contacts": [{"name": "", "phone": "x"}]}
    problem = await send(city, "PATCH", f"/registry/sites/{SITE}", expect=422, json={"fields": fields})
    named = {error["field"].removeprefix("body.fields.") for error in problem["errors"]}
    assert named == {"grid_cell", "lon", "department", "contacts"}
    assert all(error["problem"] and error["problem_zh"] for error in problem["errors"])
    await send(city, "PATCH", "/registry/sites/nowhere", expect=404, json={"fields": {}})
    await send(city, "PATCH", f"/registry/sites/{SITE}", Role.OPERATOR, 403, json={"fields": {}})
    await send(city, "PATCH", f"/registry/points/{LEVEL}", expect=422, json={"fields": {"lon": 1}})


async def test_what_is_planned_is_listed_here_and_not_among_what_runs(
    city: Running, gateway: FieldGateway
) -> None:
    place = {"name_zh": "新泵站", "kind": "pumping_station", "district": "south", "lon": 121.6, "lat": 31.1}
    await send(city, "POST", "/registry/sites", expect=201, json={"id": "ps-new", "fields": place})
    pump = {"name_en": "Pump 9", "kind": "pump", "site": "ps-new"}
    made = await send(
        city, "POST", "/registry/devices", expect=201, json={"id": "gw-north.p9", "fields": pump}
    )
    assert (made["lifecycle"], made["declared"], made["name"], made["lon"]) == (
        "planned", False, {"zh": "Pump 9", "en": "Pump 9"}, 121.6,
    )  # fmt: skip
    listed = await send(city, "GET", "/registry/devices", params={"declared": False})
    assert ([item["id"] for item in listed["items"]], listed["total"]) == (["gw-north.p9"], 1)
    assert "gw-north.p9" not in {item["id"] for item in (await city.get("/devices"))["items"]}
    assert "ps-new" not in {item["id"] for item in (await city.get("/sites"))["items"]}
    facets = await send(city, "GET", "/registry/sites/facets")
    assert (facets["districts"], facets["types"]) == (["north", "south"], ["air_station", "pumping_station"])
    problem = await send(city, "POST", "/registry/sites", expect=409, json={"id": "ps-new", "fields": place})
    assert problem["type"] == "/problems/taken"


async def test_who_sees_a_part_sees_and_changes_nothing_else(city: Running, north: str) -> None:
    listed = await send(city, "GET", "/registry/sites", north)
    assert ([item["id"] for item in listed["items"]], listed["total"]) == ([SITE], 1)
    for path in (
        f"/registry/sites/{AIR}",
        "/registry/devices/gw-north.air",
        "/registry/points/gw-north.air.pm25",
    ):
        hidden = await send(city, "GET", path, north, 404)
        assert hidden["detail"].startswith("There is no")
        await send(city, "PATCH", path, north, 404, json={"fields": {"note": "x"}})
        await send(city, "GET", f"{path}/history", north, 404)
    await send(city, "PATCH", f"/registry/sites/{SITE}", north, json={"fields": {"note": "mine"}})
    for fields in ({"district": "south"}, {"department": "water"}):
        refused = await send(city, "PATCH", f"/registry/sites/{SITE}", north, 403, json={"fields": fields})
        assert refused["type"] == "/problems/whole-city"
    place = {"name_zh": "x", "kind": "x", "lon": 1, "lat": 1}
    await send(city, "POST", "/registry/sites", north, 403, json={"id": "ps-x", "fields": place})
    pump = {"name_zh": "x", "kind": "x", "site": AIR}
    await send(city, "POST", "/registry/devices", north, 409, json={"id": "gw-north.p9", "fields": pump})
    await send(city, "PATCH", "/registry/gateways/gw-north", north, 403, json={"fields": {"note": "x"}})
    exported = (await send(city, "GET", "/registry/export/sites", north)).decode("utf-8-sig")
    assert (SITE in exported, AIR in exported) == (True, False)
    moved = exported.replace(",north,", ",south,").encode()
    report = await send(city, "POST", "/registry/import/sites", north, content=moved)
    assert [item["column"] for item in report["mistakes"]] == ["district"]


@pytest.mark.parametrize("shape", ["csv", "geojson"])
async def test_a_file_is_tried_applied_and_comes_back_unchanged(
    city: Running, gateway: FieldGateway, shape: str
) -> None:
    query = {"format": shape}
    exported = await send(city, "GET", "/registry/export/sites", params=query)
    same = await send(city, "POST", "/registry/import/sites", params=query, content=exported)
    assert (same["unchanged"], same["changed"], same["added"], same["mistakes"]) == (2, 0, 0, [])
    edited = exported.replace("滨江泵站".encode(), "滨江排涝站".encode())
    tried = await send(city, "POST", "/registry/import/sites", params=query, content=edited)
    assert (tried["applied"], tried["changed"], tried["steps"][0]["after"]) == (
        False, 1, {"name_zh": "滨江排涝站"},
    )  # fmt: skip
    assert (await city.get(f"/sites/{SITE}"))["name"]["zh"] == "滨江泵站"
    apply = {**query, "apply": True, "reason": "survey.csv"}
    done = await send(city, "POST", "/registry/import/sites", params=apply, content=edited)
    assert (done["applied"], done["changed"]) == (True, 1)
    assert (await city.get(f"/sites/{SITE}"))["name"]["zh"] == "滨江排涝站"
    for kind in ("devices", "points") if shape == "csv" else ("devices", "gateways"):
        exported = await send(city, "GET", f"/registry/export/{kind}", params=query)
        same = await send(city, "POST", f"/registry/import/{kind}", params=query, content=exported)
        assert (same["changed"], same["added"], same["mistake_count"]) == (0, 0, 0), kind
        assert same["unchanged"] > 0
    few = await send(city, "GET", "/registry/export/sites", params={**query, "fields": "name_en,district"})
    assert SITE.encode() in few
    assert "滨江".encode() not in few
    wrong = await send(city, "GET", "/registry/export/sites", expect=422, params={"fields": "owner"})
    assert wrong["type"] == "/problems/bad-field"


async def test_an_import_with_one_mistake_changes_nothing(city: Running, gateway: FieldGateway) -> None:
    text = f"id,name_zh,grid_cell\n{SITE},新名,\n{AIR},x,12\n".encode("gbk")
    query = {"apply": True}
    report = await send(city, "POST", "/registry/import/sites", params=query, content=text)
    assert (report["applied"], report["encoding"]) == (False, "gb18030")
    assert [(item["line"], item["column"]) for item in report["mistakes"]] == [(3, "grid_cell")]
    assert (await city.get(f"/sites/{SITE}"))["name"]["zh"] == "滨江泵站"


def photo() -> bytes:
    """A JPEG, lying on its side, that tells where it was taken."""
    tags = Image.Exif()
    tags[0x0112] = 6
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8825)[2] = (31.0, 12.0, 30.0)
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "JPEG", exif=tags, comment=b"secret")
    return file.getvalue()


async def test_photos_and_documents_are_kept_without_what_the_camera_told(
    city: Running, gateway: FieldGateway, north: str
) -> None:
    path = f"/registry/devices/{DEVICE}/attachments"
    body = photo()
    assert Image.open(io.BytesIO(body)).getexif().get_ifd(0x8825)
    made = await send(
        city, "POST", path, expect=201, params={"name": "C:\\a\\铭牌.jpg", "note": "n"}, content=body
    )
    assert (made["name"], made["media_type"], made["inline"]) == ("铭牌.jpg", "image/jpeg", True)
    async with city.client(Role.VIEWER) as client:
        answer = await client.get(f"{API}/registry/attachments/{made['id']}")
    kept = Image.open(io.BytesIO(answer.content))
    assert (dict(kept.getexif()), kept.size, b"secret" in answer.content) == ({0x0112: 6}, (40, 30), False)
    assert answer.headers["content-disposition"].startswith("inline; filename*=UTF-8''%E9%93%AD")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    await document_cases(city, path)
    assert len((await send(city, "GET", f"/registry/devices/{DEVICE}"))["attachments"]) == 2
    await send(city, "DELETE", f"/registry/attachments/{made['id']}", expect=204)
    await send(city, "GET", f"/registry/attachments/{made['id']}", expect=404)
    history = await send(city, "GET", f"/registry/devices/{DEVICE}/history")
    assert [entry["action"] for entry in history["items"]] == ["detached", "attached", "attached"]
    hidden = await send(
        city, "POST", "/registry/devices/gw-north.air/attachments", expect=201, params={"name": "a"},
        content=b"note",
    )  # fmt: skip
    await send(city, "GET", f"/registry/attachments/{hidden['id']}", north, 404)
    await send(city, "DELETE", f"/registry/attachments/{hidden['id']}", north, 404)


async def document_cases(city: Running, path: str) -> None:
    """What is no photo is downloaded; what could act is not taken, whatever it is called."""
    made = await send(city, "POST", path, expect=201, params={"name": "a.html"}, content=b"%PDF-1.7 x")
    async with city.client(Role.VIEWER) as client:
        answer = await client.get(f"{API}/registry/attachments/{made['id']}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("attachment;")
    for body in (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b" \n<html>",
        b"MZ\0\1",
        b"PK\3\4nothing",
        b"",
    ):
        await send(city, "POST", path, expect=415, params={"name": "p.jpg"}, content=body)
    await send(city, "POST", path, expect=415, params={"name": "p.jpg"}, content=photo()[:-400])


async def test_a_file_that_is_too_large_is_refused_while_it_comes(
    city: Running, gateway: FieldGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.city.attachments.MOST_BYTES", 1000)
    path = f"/registry/sites/{SITE}/attachments"
    problem = await send(city, "POST", path, expect=413, params={"name": "a"}, content=b"x" * 1001)
    assert "1000 bytes" in problem["detail"]
