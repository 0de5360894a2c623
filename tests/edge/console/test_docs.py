"""A route that nobody can read about is a failing test, and so is one that is only read about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.routing import Route

from edge.console.app import LocalApi
from tests.edge.console.page import Doors, doors
from tests.edge.field import ModbusField

PAGE = Path(__file__).parents[3] / "docs" / "page.md"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Doors]:
    async with ModbusField() as field, doors(tmp_path, field.port) as opened:
        yield opened


async def test_the_document_lists_the_local_api_as_it_is(house: Doors) -> None:
    api = LocalApi(house.gateway.house)
    served = {
        (method, route.path)
        for route in api.routed.routes
        if isinstance(route, Route) and route.path.startswith("/api/")
        for method in route.methods or ()
        if method != "HEAD"
    }
    api.worker.close()
    told = set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| ((?:`[A-Z]+` )*`[A-Z]+ /api/[^`]*`)", line)
        if found:
            *methods, path = re.findall(r"[A-Z]+|/api/[a-z/{}]+", found[1].partition("?")[0])
            told |= {(method, path) for method in methods}
    assert told == served
