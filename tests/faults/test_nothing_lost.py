"""Nothing lost, nothing doubled: real processes, killed; then both sides are counted to the last reading."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.store.embedded import Postmaster
from tests.faults.house import REGISTERS, UNITS, House
from tests.faults.link import Weather

pytestmark = pytest.mark.faults

OUTAGE_S = float(os.environ.get("CITYNERVE_TEST_OUTAGE_S", "15"))
"""How long the link is cut; the alarms of the field rise and clear every six seconds."""


async def _settle(house: House) -> int:
    await house.until_drained()
    await house.stop_gateway()
    return await house.check_nothing_lost_nothing_doubled()


async def test_kill_9_of_the_gateway_while_it_polls_and_sends(tmp_path: Path, database_url: str) -> None:
    async with House(tmp_path, database_url) as house:
        for batches in (3, 7, 4):
            await house.until_passed(batches)
            await house.kill_gateway()
            await house.start_gateway()
        await house.until_passed(5)
        assert await _settle(house) > UNITS * REGISTERS * 10


async def test_kill_9_of_the_centre_while_it_commits(tmp_path: Path, database_url: str) -> None:
    async with House(tmp_path, database_url, period_s=0.05) as house:
        for batches in (5, 2, 6):
            await house.until_passed(batches)
            await house.kill_centre()
            await asyncio.sleep(0.5)
            await house.start_centre()
        await house.until_passed(5)
        assert await _settle(house) > UNITS * REGISTERS * 10


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="citynerve-faults-") as folder:
        yield Path(folder)


async def test_postgresql_is_killed_and_stopped_under_the_centre(open_folder: Path) -> None:
    async with House(open_folder, None) as house:
        for number in (signal.SIGKILL, signal.SIGINT):
            await house.until_passed(4)
            server = Postmaster.read(open_folder / "centre" / "postgres")
            assert server is not None
            os.kill(server.pid, number)
            await asyncio.sleep(1)
            await house.until_well()
        await house.until_passed(5)
        assert await _settle(house) > UNITS * REGISTERS * 10


async def test_the_link_is_cut_and_alarms_rise_and_clear_meanwhile(tmp_path: Path, database_url: str) -> None:
    async with House(tmp_path, database_url) as house:
        await house.until_passed(3)
        _, before = await house.centre_holds()
        house.road.weather = Weather.CUT
        await asyncio.sleep(OUTAGE_S)
        house.road.weather = Weather.FAIR
        await _settle(house)
        _, after = await house.centre_holds()
        during = after[len(before) :]
        events = [step[2] for step in during]
        assert events.count("ACT") >= UNITS
        assert events.count("CLR") >= UNITS


TRICKS = (Weather.TWICE, Weather.DEAF, Weather.HANG, Weather.GARBAGE, Weather.ERROR, Weather.TORN)


async def test_the_road_plays_tricks(tmp_path: Path, database_url: str) -> None:
    """One after the other on the same road; after each of them all is counted, from the beginning."""
    async with House(tmp_path, database_url) as house:
        counted = 0
        for weather in TRICKS:
            await house.until_passed(3)
            again = house.road.deliveries - len(house.road.seen)
            house.road.weather = weather
            await asyncio.sleep(4)
            house.road.weather = Weather.FAIR
            await house.until_passed(5)
            compared = await _settle(house)
            assert compared - counted > UNITS * REGISTERS * 10, weather
            counted = compared
            if weather is Weather.TWICE:
                assert house.road.deliveries - len(house.road.seen) > again
            await house.start_gateway()
