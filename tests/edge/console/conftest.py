"""Two pumps on a real Modbus line, and a gateway with its doors before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.edge.console.page import Doors, doors
from tests.edge.field import ModbusField
from tests.edge.house import until


@pytest.fixture
async def field() -> AsyncIterator[ModbusField]:
    async with ModbusField(units=2) as opened:
        opened.set(1, 0, 1234)
        yield opened


@pytest.fixture
async def house(tmp_path: Path, field: ModbusField) -> AsyncIterator[Doors]:
    async with doors(tmp_path, field.port, units=2) as opened:
        await until(lambda: opened.gateway.house.pipeline.received > 12)
        yield opened
