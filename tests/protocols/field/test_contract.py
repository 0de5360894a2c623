"""The contract, once per driver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.protocols.field.camera.harness import CameraHarness
from tests.protocols.field.contract import DriverContract, Harness
from tests.protocols.field.modbus.harness import ModbusHarness
from tests.protocols.field.modbus.transports import TRANSPORTS
from tests.protocols.field.mqtt.harness import MqttHarness
from tests.protocols.field.opcua.harness import OpcUaHarness, OpcUaServer
from tests.protocols.field.sparkplug.harness import SparkplugHarness


class TestModbus(DriverContract):
    @pytest.fixture(params=[ModbusHarness, *TRANSPORTS], ids=lambda made: made.__name__)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
        async with request.param().running() as harness:
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


class TestSparkplug(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with SparkplugHarness().running() as harness:
            yield harness


class TestCamera(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with CameraHarness().running() as harness:
            yield harness
