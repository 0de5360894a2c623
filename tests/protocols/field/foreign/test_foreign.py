"""A protocol of another distribution: found by its entry points, and as good as one of ours.

`site/` is what its package installs: `toy_counter` with driver, address and simulator, and its .dist-info.
Nothing of it is in a registry of this tree.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from edge.config.load import read_profile
from edge.config.schema import schemas
from edge.tools import pointlist
from protocols.errors import Rejected
from protocols.field.base import BoundDevice
from protocols.field.registry import protocols
from protocols.model.device import Profile
from protocols.model.reading import Readings
from protocols.wire.batch import decode
from sim_devices.registry import SIMULATORS
from sim_devices.servers.base import SimServer
from sim_devices.world import Endpoint
from tests.edge.cli.conftest import PROGRAMS
from tests.protocols.field.contract import DriverContract, Harness
from tests.protocols.field.devices import bind, profile
from tests.sim_devices.servers.fake_world import FakeDevice, FakeWorld, board

HERE = Path(__file__).parent
SITE = HERE / "site"
FILE = HERE / "profiles" / "toy.counter.yaml"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(SITE))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_counter"]:
        del sys.modules[name]


class CounterHarness(Harness):
    """The distribution's own simulator."""

    protocol = "counter"
    polled = True
    expected: ClassVar = {"visitors": 41.5, "limit": 60.0}
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (("limit", 42.0),)
    refused: ClassVar[tuple[tuple[str, float | str], ...]] = (
        ("visitors", 1.0), ("limit", 500.0), ("limit", "many"), ("limit", float("nan")), ("ghost", 1.0),
    )  # fmt: skip

    server: SimServer | None = None

    async def start(self) -> int:
        seen = self._profile()
        there = seen.model_copy(update={"points": seen.points[:-1]})
        device = FakeDevice("device1", there, {"name": "gate"}, {"visitors": 41.5, "limit": 30.0})
        world = FakeWorld([device], [Endpoint("station", "counter", 0, ("device1",), {})])
        self.server = SIMULATORS.find("counter")(world.listeners()[0], world, board(world))
        await self.server.start()
        return self.server.port

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()

    def devices(self) -> tuple[BoundDevice, ...]:
        return (bind(self._profile(), {"name": "gate"}),)

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port}

    def _profile(self) -> Profile:
        return profile(
            "counter",
            [
                {"key": "visitors", "counter": {"slot": 3}},
                {"key": "limit", "writable": True, "scale": 0.5, "write_min": 0, "write_max": 100,
                 "counter": {"slot": 4}},
                {"key": "ghost", "writable": True, "counter": {"slot": 99}},
            ],
        )  # fmt: skip


class TestCounter(DriverContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        async with CounterHarness().running() as harness:
            yield harness


def test_what_is_wrong_in_its_profile_is_told_with_its_line() -> None:
    text = FILE.read_text(encoding="utf-8")
    wrong = text.replace("slot: 3", "slott: 3").replace("slot: 4", "slot: 400")
    _, document = read_profile(FILE, wrong)
    told = {(one.line, one.path): one.problem + one.repair for one in document.mistakes}
    assert "did you mean 'slot'" in told[13, "points[0].counter.slott"]
    assert "'slot' is missing" in told[13, "points[0].counter.slot"]
    assert "400" in told[22, "points[1].counter.slot"]
    _, document = read_profile(FILE, text.replace("type: f64", "type: text"))
    first = document.mistakes[0]
    told_of = (first.line, first.problem, first.repair)
    assert told_of == (9, "point 'visitors': a slot holds no text", "use f64")


def test_its_point_list_and_its_schema() -> None:
    made, _ = read_profile(FILE)
    assert made is not None
    assert pointlist.parse(FILE, pointlist.write(made)) == made
    table = "#protocol,counter\n标识,名称,类型,槽位\na,人数,f64,7\n"
    (point,) = pointlist.parse(FILE, table, id="toy.counter").points
    assert point.address is not None
    assert point.address.model_dump() == {"slot": 7}
    whole = schemas()
    assert "counter" in whole["profile.json"]["$defs"]["PointProfile"]["properties"]
    assert "counter" in whole["gateway.json"]["$defs"]["ConnectionEntry"]["properties"]["protocol"]["enum"]


def test_without_it_the_protocol_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(SITE)])
    assert "counter" not in protocols()
    _, document = read_profile(FILE)
    (mistake,) = document.mistakes
    assert (mistake.line, mistake.path) == (7, "protocol")
    assert "'counter' is known" in mistake.problem
    assert "'citynerve.addresses'" in mistake.repair
    with pytest.raises(Rejected, match=r"citynerve\.simulators"):
        SIMULATORS.find("counter")


def program(name: str, *words: object, folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [str(PROGRAMS / name), *(str(word) for word in words)],
        cwd=folder, env={**os.environ, "PYTHONPATH": paths}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait_for_readings(path: Path, wanted: set[float]) -> None:
    """Wait until a gateway's log has good readings of these values."""
    good: set[float] = set()
    ends = time.monotonic() + 120
    while not wanted <= good:
        assert time.monotonic() < ends, good
        time.sleep(0.1)
        if path.exists():
            log = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            with closing(log), suppress(sqlite3.OperationalError):  # its tables are not made yet
                for (data,) in log.execute("SELECT data FROM readings"):
                    readings = decode(data).payload
                    assert isinstance(readings, Readings)
                    good |= set(readings.value[readings.quality == 0].tolist())


def test_from_its_profile_to_readings(tmp_path: Path) -> None:
    check = program("citynerve-edge", "profile", "check", FILE, folder=tmp_path)
    told, _ = check.communicate(timeout=120)
    assert check.returncode == 0, told
    station = program(
        "citynerve-sim", "device", FILE, "--golden", 1, "--out", "bench.yaml", "--json", folder=tmp_path
    )
    try:
        assert station.stdout is not None
        ready = json.loads(station.stdout.readline())
        assert ready["paste"]["devices"][0]["params"] == {"name": "counter1"}
        gateway = program("citynerve-edge", "run", "bench.yaml", folder=tmp_path)
        try:
            wait_for_readings(tmp_path / "bench-state" / "buffer.db", {41.5, 30.0})
        finally:
            gateway.terminate()
            told, _ = gateway.communicate(timeout=60)
        assert gateway.returncode == 0, told
    finally:
        station.terminate()
        station.communicate(timeout=60)
