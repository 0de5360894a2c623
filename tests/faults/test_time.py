"""The clock is stepped by a day, is not set at all, and a day without the centre on a compressed clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.link.credentials import save
from protocols.model.clock import SECOND_US, now_us
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import until
from tests.faults.lives import Ancestor, BentTime, ended
from tests.faults.witness import (
    CountingField,
    carried_over,
    check_alarms,
    check_every_answer,
    check_numbers,
    counting_gateway,
    counts,
    drained,
    said,
)
from tests.ports import free_port

pytestmark = pytest.mark.faults

DAY_S = 86_400
READS = 30
NEAR_US = 5 * SECOND_US
"""How far a time may be from the truth: a step between two readings of the clock, on a busy machine."""
FAST = 2_880.0
"""A compressed clock: 24 hours in half a minute."""


@pytest.mark.parametrize("seconds", [DAY_S, -DAY_S], ids=["a-day-ahead", "a-day-back"])
async def test_the_clock_is_stepped(tmp_path: Path, seconds: int) -> None:
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    bent = BentTime(tmp_path / "time")
    began = now_us()
    with Ancestor() as ancestor:
        async with CountingField() as field, FakeCentre() as centre:
            path = counting_gateway(tmp_path, field.port, centre.url)
            with ended(ancestor.live(path, bent=bent)) as life:
                await until(lambda: len(counts(centre, 1)) > READS)
                bent.step(seconds)
                await until(lambda: len(counts(centre, 1)) > 3 * READS)
                bent.step(-seconds)
                await until(lambda: len(counts(centre, 1)) > 5 * READS)
                await asyncio.to_thread(life.stop)
            await carried_over(ancestor, path, centre, field, bent=bent)
            check_numbers(centre)
            assert check_every_answer(centre, field) > 5 * READS
            _all_within(centre, began)
    assert [round(line["by_s"]) for line in said(tmp_path, "somebody set the system's clock")] == [
        seconds,
        -seconds,
    ]


async def test_a_gateway_without_true_time_corrects_what_it_recorded(tmp_path: Path) -> None:
    """A board without a battery wakes up in 2001; the centre is reached only later, after a restart."""
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    bent = BentTime(tmp_path / "time", start_us=1_000_000_000 * SECOND_US)
    began, port = now_us(), free_port()
    with Ancestor() as ancestor:
        async with CountingField() as field:
            path = counting_gateway(tmp_path, field.port, f"http://127.0.0.1:{port}")
            for life_number in (1, 2):
                with ended(ancestor.live(path, bent=bent)) as life:
                    goal = life_number * READS
                    await until(lambda: field.answered(1) > goal)  # noqa: B023 - awaited in this turn
                    if life_number == 1:
                        end = field.answered(1)
                        await asyncio.to_thread(life.stop)
                        continue
                    async with FakeCentre(port) as centre:
                        await until(lambda: len(counts(centre, 1)) > 2 * READS)
                        await drained(path)
                        await asyncio.to_thread(life.stop)
                        await carried_over(ancestor, path, centre, field, bent=bent)
                        check_numbers(centre)
                        assert check_every_answer(centre, field, ends={end}) > 2 * READS
                        _all_within(centre, began)
    assert said(tmp_path, "time is confirmed")


async def test_a_day_without_the_centre(tmp_path: Path) -> None:
    """24 hours on a compressed clock: batches, alarms and their delays live by that clock too."""
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    bent = BentTime(tmp_path / "time", rate=FAST)
    port = free_port()
    with Ancestor() as ancestor:
        async with CountingField() as field:
            path = counting_gateway(tmp_path, field.port, f"http://127.0.0.1:{port}")
            with ended(ancestor.live(path, bent=bent)) as life:
                async with FakeCentre(port, clock=bent.wall) as before:
                    await until(lambda: len(before.batches) > 5)
                left = bent.wall()
                for hour in range(24):
                    field.set(1, 0, 3500 if hour % 2 else 1000)
                    await asyncio.sleep(3600 / FAST)
                assert bent.wall() - left >= 24 * 3600 * SECOND_US
                async with FakeCentre(port, clock=bent.wall) as centre:
                    centre.batches.update(before.batches)
                    centre.manifests.update(before.manifests)
                    await until(lambda: len(centre.alarms()) >= 23)
                    await drained(path)
                    await asyncio.to_thread(life.stop)
                    await carried_over(ancestor, path, centre, field, bent=bent)
                    check_numbers(centre)
                    assert check_alarms(centre) >= 12
                    assert check_every_answer(centre, field) > 100
    assert said(tmp_path, "centre does not take this")


def _all_within(centre: FakeCentre, began: int) -> None:
    """Fail where a reading tells a time at which this test did not run."""
    times = [time_us for _, time_us, _, _ in centre.readings()]
    assert min(times) > began - NEAR_US, f"{(began - min(times)) / SECOND_US:.1f} s too early"
    assert max(times) < now_us() + NEAR_US, f"{(max(times) - now_us()) / SECOND_US:.1f} s too late"
