"""kill -9 at random instants, life after life; then every number, reading and alarm step is counted."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from edge.buffer.glance import glance
from edge.link.credentials import save
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import until
from tests.faults.lives import Ancestor, ended
from tests.faults.witness import (
    CountingField,
    check_alarms,
    check_numbers,
    counting_gateway,
)

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("CITYNERVE_TEST_KILLS", "60"))
"""`.ci/run` asks for 200."""
SEED = int(os.environ.get("CITYNERVE_TEST_SEED", "20261122"))
LONGEST_LIFE_S = 0.3
LIVED_S = 0.25
WORKS_EVERY = 4
"""So many lives that may end before they have begun, as on a busy machine, to one that has read the field."""
ALARM_EVERY = 3


async def test_kill_9_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311
    with Ancestor() as ancestor:
        async with CountingField(units=2) as field, FakeCentre() as centre:
            path = counting_gateway(tmp_path, field.port, centre.url, units=2)
            save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
            for kill in range(KILLS):
                level = 3500 if kill // ALARM_EVERY % 2 else 1000
                field.set(1, 0, level)
                field.set(2, 0, 4500 - level)
                # Some receipts are lost too, so that batches are under way when the process dies.
                centre.swallow_receipts = chance.choice((0, 0, 1, 3))
                with ended(ancestor.live(path)) as life:
                    if kill % WORKS_EVERY == 0:
                        read = field.answered(1)
                        await until(lambda read=read: field.answered(1) > read)  # type: ignore[misc]
                        await asyncio.sleep(chance.uniform(0.0, LIVED_S))
                    else:
                        await asyncio.sleep(chance.uniform(0.0, LONGEST_LIFE_S))
                    await asyncio.to_thread(life.kill)
            before = {unit: field.answered(unit) for unit in (1, 2)}
            with ended(ancestor.live(path)) as life:
                await until(lambda: all(field.answered(unit) > before[unit] + 20 for unit in (1, 2)))
                await until(lambda: glance(tmp_path / "state").depth["readings"].batches < 3)
                await asyncio.to_thread(life.stop)
            # One more life, to carry over what the last one had in hand as it ended.
            known = len(centre.batches)
            with ended(ancestor.live(path)) as life:
                await until(lambda: len(centre.batches) > known + 5)
                await until(lambda: glance(tmp_path / "state").depth["readings"].batches < 3)
                await asyncio.to_thread(life.stop)
        left = glance(tmp_path / "state")
        assert left.asides == []
        assert {batch.boot for batch in centre.batches.values()} == {left.boot}
        check_numbers(centre)
        assert check_alarms(centre) >= 2
        heard = len(centre.readings())
        # Between two kills what was read and not yet durable is gone; the order of what arrived is not.
        assert heard > KILLS
