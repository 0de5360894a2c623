"""Fixtures of the rooms: a centre on a fresh database, with and without a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running, running_centre


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A running centre."""
    async with running_centre(database_url, tmp_path) as running:
        yield running


@pytest.fixture
async def gateway(city: Running) -> AsyncIterator[FieldGateway]:
    """A gateway of that centre, enrolled and declared."""
    async with city.gateway() as gateway:
        yield gateway
