"""The contract, once per driver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.protocols.field.contract import DriverContract, Harness
from tests.protocols.field.harnesses import (
    CameraHarness,
    ModbusHarness,
    MqttHarness,
    OpcUaHarness,
    OpcUaServer,
)


class TestModbus(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with ModbusHarness().running() as harness:
            yield harness


class TestOpcUa(DriverContract):
    @pytest.fixture
    async def harness(self, opcua_server: OpcUaServer) -> AsyncIterator[Harness]:
        async with OpcUaHarness(opcua_server).running() as harness:
            yield harness


class TestMqtt(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with MqttHarness().running() as harness:
            yield harness


class TestCamera(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with CameraHarness().running() as harness:
            yield harness
