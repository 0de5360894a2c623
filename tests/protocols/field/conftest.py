"""One OPC UA server for all tests here; the other servers start in milliseconds, each test its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.protocols.field.opcua.harness import OpcUaServer

# On a busy machine a property is slow for reasons that are not its own.
settings.register_profile("busy-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy-machine")


@pytest.fixture(scope="session")
def opcua_server() -> Iterator[OpcUaServer]:
    """A running asyncua server."""
    with OpcUaServer() as server:
        yield server
