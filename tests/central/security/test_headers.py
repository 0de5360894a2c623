"""Headers of every answer: behind TLS browsers are told to stay there, without it they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from central.security.roles import Role
from tests.central.systems.running import API, BASE, running_centre


@pytest.mark.parametrize("secure", [False, True])
async def test_tls_for_good_where_the_operator_says_so(
    secure: bool, database_url: str, tmp_path: Path
) -> None:
    async with running_centre(database_url, tmp_path, secure=secure) as city:
        async with city.client(Role.VIEWER) as client:
            for path in (
                f"{API}/overview",
                f"{API}/none",
                f"{API}/users",
                "/",
                "/assets/none.js",
                "/healthz",
            ):
                headers = (await client.get(path)).headers
                assert headers.get("strict-transport-security") == ("max-age=31536000" if secure else None)
                assert headers["x-content-type-options"] == "nosniff"
        code = (await city.post("/wall-screens", {"name": "x"}, Role.ADMIN, 201))["code"]
        async with city.client(None) as client:
            taken = await client.post(f"{API}/wall/session", json={"code": code}, headers={"Origin": BASE})
            kept = taken.headers["set-cookie"].lower()
            assert ("secure" in kept) is secure
            assert "httponly" in kept
            assert "samesite=strict" in kept
