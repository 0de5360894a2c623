"""Retention classes over HTTP."""

from __future__ import annotations

from central.security.roles import Role
from tests.central.systems.field import LEVEL, FieldGateway
from tests.central.systems.running import API, Running


async def test_classes_are_chosen_for_a_kind_and_for_a_point(city: Running, gateway: FieldGateway) -> None:
    path = f"/points/{LEVEL}/retention"
    async with city.client(Role.ADMIN) as client:
        said = (await client.get(f"{API}/retention")).json()
        assert said["days"] == {"critical": 3652, "standard": 731, "diagnostic": 90}
        assert {share["retention"] for share in said["points"]} == {"standard"}
        said = (await client.put(f"{API}/retention/kinds/level", json={"retention": "critical"})).json()
        assert said["kinds"] == {"level": "critical"}
        one = (await client.get(API + path)).json()
        assert (one["own"], one["retention"]) == (None, "critical")
        one = (await client.put(API + path, json={"retention": "diagnostic"})).json()
        assert (one["own"], one["retention"]) == ("diagnostic", "diagnostic")
        assert (await client.put(API + path, json={"retention": "gold"})).status_code == 422
        one = (await client.put(API + path, json={"retention": None})).json()
        assert (one["own"], one["retention"]) == (None, "critical")
        missing = await client.get(f"{API}/points/gw-north.none/retention")
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
        (entry, *_) = (await client.get(f"{API}/audit", params={"what": "retention level"})).json()["items"]
        assert (entry["operation"], entry["changes"]) == (
            "setKindRetention",
            [{"what": "retention level", "before": {"retention": None}, "after": {"retention": "critical"}}],
        )
    async with city.client(Role.OPERATOR) as client:
        assert (await client.put(API + path, json={"retention": "critical"})).status_code == 403
