"""The contract, for each kind of server in a protocol's folder: whoever adds a Harness is found here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Iterator

import pytest

import tests.protocols.field
from protocols.field.registry import protocols
from tests.protocols.field.contract import DriverContract, Harness


def harnesses(protocol: str) -> Iterator[type[Harness]]:
    """Yield what a protocol's folder puts under the contract, in the order of its modules."""
    package = importlib.import_module(f"{tests.protocols.field.__name__}.{protocol}")
    seen: set[type[Harness]] = set()
    for module in sorted(one.name for one in pkgutil.iter_modules(package.__path__)):
        if module.startswith("test_"):
            continue
        for _, found in inspect.getmembers(
            importlib.import_module(f"{package.__name__}.{module}"), inspect.isclass
        ):
            if not issubclass(found, Harness) or inspect.isabstract(found) or found in seen:
                continue
            if found.protocol == protocol:
                seen.add(found)
                yield found


FOUND = [(protocol, made) for protocol in protocols() for made in harnesses(protocol)]


@pytest.mark.parametrize("protocol", protocols())
def test_every_driver_is_under_the_contract(protocol: str) -> None:
    assert any(name == protocol for name, _ in FOUND), (
        f"no driver without a server that proves it: write tests/protocols/field/{protocol}/harness.py"
    )


class TestDriver(DriverContract):
    @pytest.fixture(
        params=[made for _, made in FOUND], ids=[f"{name}-{made.__name__}" for name, made in FOUND]
    )
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
        made: type[Harness] = request.param
        if made.needs:
            pytest.skip(made.needs)
        shared = [request.getfixturevalue(made.shares)] if made.shares else []
        async with made(*shared).running() as harness:
            yield harness
