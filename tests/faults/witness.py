"""What a device said and a centre took, compared: the device counts every answer it gives.

Register 40 of every unit is the number of the read that asks for it. So what the device sent is known
exactly, and a number that is missing at the centre is a reading that was lost on the way.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from edge.buffer.glance import glance
from protocols.model.alarm import AlarmEvent
from protocols.model.quality import Quality
from tests.edge.centre import FakeCentre
from tests.edge.field import ModbusField
from tests.edge.house import PROFILE, gateway_file, until
from tests.faults.lives import Ancestor, ended

COUNT = "count"
PATIENCE_MS = 30_000


def said(folder: Path, event: str) -> list[dict[str, Any]]:
    """Return the lines of this event in the log of the gateway in `folder`."""
    lines = (folder / "gateway.log").read_text(encoding="utf-8").splitlines()
    logged = (json.loads(line) for line in lines if line.startswith("{"))
    return [line for line in logged if line["event"] == event]


async def carried_over(
    ancestor: Ancestor, path: Path, centre: FakeCentre, field: CountingField, **world: Any
) -> None:
    """Live once more beside a silent field, to send what the last life had in hand."""
    field.silent.update(range(1, field.units + 1))
    known = len(centre.batches)
    with ended(ancestor.live(path, **world)) as life:
        await until(lambda: len(centre.batches) > known)
        await drained(path, at_most=0)
        await asyncio.to_thread(life.stop)


async def drained(path: Path, at_most: int = 2) -> None:
    """Wait until nothing but the newest batch or two waits in the log of a running gateway."""
    await until(lambda: glance(path.parent / "state").depth["readings"].batches <= at_most, 120)


class CountingField(ModbusField):
    """A Modbus field whose register 40 counts the answers of its unit."""

    def answered(self, unit: int) -> int:
        """Return how often the unit was read."""
        return self.get(unit, 41)

    def before_answer(self, unit: int, start: int, count: int) -> None:
        """Count a read that asks for the counter; it is a u32 in registers 40 and 41."""
        if start <= 40 < start + count:
            number = (self.get(unit, 40) << 16 | self.get(unit, 41)) + 1
            self.set(unit, 40, number >> 16)
            self.set(unit, 41, number & 0xFFFF)


def counting_gateway(
    folder: Path, port: int, centre: str | dict[str, Any] | None, units: int = 1, **changes: Any
) -> Path:
    """Write a gateway whose counters are polled at every cycle, and that waits for every answer.

    A busy machine may keep the field from answering for a while. An answer that comes after its time is
    counted by the field and taken by nobody, as it should be, but none of it was lost.
    """
    periods = changes.pop("periods", {"fast": 0.05, "normal": 0.05, "slow": 0.05})
    path = gateway_file(folder, port, centre, units, periods=periods, **changes)
    patient = {**PROFILE, "limits": {"timeout_ms": PATIENCE_MS, "retries": 0}}
    profile = folder / "profiles" / f"{PROFILE['id']}.yaml"
    profile.write_text(yaml.safe_dump(patient, allow_unicode=True), encoding="utf-8")
    return path


def check_numbers(centre: FakeCentre) -> None:
    """Fail where a batch is missing, came in two versions, or a reading came twice."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for boot, stream, seq in centre.batches:
        numbers[boot, stream].append(seq)
    for (boot, stream), seqs in numbers.items():
        missing = set(range(1, max(seqs) + 1)) - set(seqs)
        assert not missing, f"{stream} of {boot}: batches {sorted(missing)[:10]} were lost"
    readings = Counter((point, time_us) for point, time_us, _, _ in centre.readings())
    doubled = [name for name, n in readings.items() if n > 1]
    assert not doubled, f"{len(doubled)} readings were doubled, such as {doubled[:3]}"


def check_alarms(centre: FakeCentre) -> int:
    """Fail where an occurrence misses or repeats a step, or a rule is raised twice at once; count them."""
    steps: dict[str, list[Any]] = defaultdict(list)
    raised: dict[str, str] = {}
    for step in sorted(centre.alarms(), key=lambda step: (step.event_us, step.number)):
        steps[step.occurrence].append(step)
        if step.event is AlarmEvent.ACT:
            assert step.rule not in raised, f"{step.rule} was raised twice"
            raised[step.rule] = step.occurrence
        elif step.event is AlarmEvent.CLR:
            assert raised.pop(step.rule) == step.occurrence
    for occurrence, own in steps.items():
        numbers = [step.number for step in own]
        assert numbers == list(range(1, len(numbers) + 1)), f"{occurrence}: steps {numbers}"
    return len(steps)


def counts(centre: FakeCentre, unit: int) -> list[int]:
    """Return the counter's good values in order of their times."""
    name = f"pump{unit}.{COUNT}"
    return [int(value) for point, _, value, quality in centre.readings() if point == name and good(quality)]


def good(quality: int) -> bool:
    """Return whether a status code is good."""
    return quality < Quality.UNCERTAIN


def check_every_answer(centre: FakeCentre, field: CountingField, *, ends: Collection[int] = ()) -> int:
    """Fail where an answer of a device is not at the centre, exactly once, in order; return how many were.

    ends: how many a unit had answered as a gateway was told to stop: one answer more may have been under way.
    """
    compared = 0
    for unit in range(1, field.units + 1):
        found = counts(centre, unit)
        last = field.answered(unit)
        under_way = {number + more for number in (*ends, last - 1) for more in (0, 1)} - set(found)
        expected = [number for number in range(1, last + 1) if number not in under_way]
        assert found == expected, _difference(unit, expected, found)
        compared += len(found)
    return compared


def _difference(unit: int, expected: list[int], found: list[int]) -> str:
    lost, doubled = set(expected) - set(found), [n for n, times in Counter(found).items() if times > 1]
    swapped = [pair for pair in pairwise(found) if pair[0] > pair[1]]
    return (
        f"unit {unit}: lost {sorted(lost)[:20]} ({len(lost)}), doubled {doubled[:20]}, "
        f"out of order {swapped[:20]} of {len(expected)}"
    )


assert any(point["key"] == COUNT and point["modbus"]["address"] == 40 for point in PROFILE["points"])
