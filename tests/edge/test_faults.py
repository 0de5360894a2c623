"""kill -9 of a real gateway process: nothing buffered is lost or doubled, alarms are remembered."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from edge.buffer.glance import glance
from edge.link.credentials import save
from protocols.model.alarm import AlarmEvent
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import gateway_file, until

pytestmark = pytest.mark.faults


@asynccontextmanager
async def process(path: Path, end: signal.Signals) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m edge run` until the end of the block, and end it by a signal."""
    log = (path.parent / "gateway.log").open("ab")
    with log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge", "run", str(path), stdout=log, stderr=log
        )
    try:
        yield child
    finally:
        child.send_signal(end)
        code = await child.wait()
    if end is signal.SIGTERM:
        assert code == 0, (path.parent / "gateway.log").read_text(encoding="utf-8")[-3000:]


def _holds(centre: FakeCentre, batches: int) -> bool:
    return len(centre.batches) >= batches


async def test_kill_9_loses_and_doubles_nothing_that_was_buffered(tmp_path: Path) -> None:
    async with ModbusField(units=2) as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url, units=2)
        save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
        for round_ in range(3):
            wanted = len(centre.batches) + 8
            # Receipts are lost on purpose, so that batches are under way when the process dies.
            centre.swallow_receipts = 2 * round_
            async with process(path, signal.SIGKILL):
                await until(partial(_holds, centre, wanted))
                if round_ == 1:
                    field.set(1, 0, 3500)
                    await until(lambda: len(centre.alarms()) == 1)
        field.set(1, 0, 1000)
        async with process(path, signal.SIGTERM):
            await until(lambda: len(centre.alarms()) == 2)
            await until(
                lambda: all(depth.batches < 3 for depth in glance(tmp_path / "state").depth.values()), 30
            )
        left = glance(tmp_path / "state")
    for stream in ("readings", "alarms"):
        seqs = sorted(seq for kind, seq in centre.order if kind == stream)
        assert seqs == list(range(1, len(seqs) + 1)), f"{stream}: a number is missing or came twice"
    waiting = left.depth["readings"].batches
    assert waiting < 3
    names = [(point, time_us) for point, time_us, _, _ in centre.readings()]
    assert len(names) == len(set(names)), "a reading came twice"
    assert {batch.boot for batch in centre.batches.values()} == {left.boot}
    raised, cleared = centre.alarms()
    assert (raised.event, cleared.event) == (AlarmEvent.ACT, AlarmEvent.CLR)
    assert raised.occurrence == cleared.occurrence, "the restart neither forgot it nor raised it again"


async def test_a_command_cut_short_is_unknown_and_never_repeated(tmp_path: Path) -> None:
    async with ModbusField() as field, FakeCentre() as centre:
        path = gateway_file(tmp_path, field.port, centre.url)
        save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
        field.delay_writes = asyncio.Event()
        async with process(path, signal.SIGKILL):
            await until(lambda: len(centre.readings()) > 3)
            centre.command("gw-test.pump1.speed", 12.5)
            await until(lambda: field.writes)
        field.delay_writes.set()
        async with process(path, signal.SIGTERM):
            await until(centre.outcomes)
            seen = len(centre.batches)
            await until(lambda: len(centre.batches) > seen + 3)
    assert [(o.state.value, o.reason) for o in centre.outcomes()] == [("unknown", "interrupted")]
    assert len(field.writes) == 1


async def test_a_cut_link_loses_nothing(tmp_path: Path) -> None:
    async with ModbusField() as field:
        centre = FakeCentre()
        async with centre:
            port = centre.port
            path = gateway_file(tmp_path, field.port, centre.url)
            save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
            first = process(path, signal.SIGTERM)
            await first.__aenter__()
            await until(lambda: len(centre.batches) > 5)
        await until(lambda: glance(tmp_path / "state").depth["readings"].batches > 15)
        again = FakeCentre(port)
        async with again:
            await until(lambda: len(again.batches) > 15)
            await first.__aexit__(None, None, None)
        waiting = glance(tmp_path / "state").depth["readings"].batches
    seqs = {seq for kind, seq in centre.order if kind == "readings"}
    seqs |= {seq for kind, seq in again.order if kind == "readings"}
    assert len(set(range(1, max(seqs) + 1)) - seqs) <= waiting
