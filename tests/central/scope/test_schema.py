"""Whatever the OpenAPI document allows, or does not, is answered as it says: no server error, no surprise.

CITYNERVE_SCHEMA_EXAMPLES says how many requests of each kind an operation gets; the suite's one is for speed
(of what is not allowed `systems/` and `security/` try the cases that matter):

    CITYNERVE_SCHEMA_EXAMPLES=50 pytest tests/central/scope/test_schema.py
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

import pytest

from central.security.roles import Role
from tests.central.scope.areas import two_areas
from tests.central.scope.calls import STREAMS
from tests.central.systems.test_live import served

EXAMPLES: Final = int(os.environ.get("CITYNERVE_SCHEMA_EXAMPLES", "1"))
LEFT_OUT: Final = STREAMS | {"signOut", "beginOidc"}
"""What never ends, ends the caller's session, or leads to another server."""


async def test_every_answer_is_one_that_the_document_tells(
    areas_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.central.scope.made_up import tried  # noqa: PLC0415 - a second, for this test only

    folder = tmp_path_factory.mktemp("schema")
    async with two_areas(areas_url, folder, rate_account=0, rate_address=0) as both, served(both.city) as at:
        document, token = both.city.app.openapi(), both.city.tokens[Role.ADMIN]
        found = await asyncio.to_thread(tried, document, at, token, examples=EXAMPLES, but=LEFT_OUT)
    assert found.failures == []
    assert found.statuses.keys() >= {200, 201, 204, 404, 422}, "requests that get no further than the door"
