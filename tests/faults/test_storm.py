"""A short storm through a real gateway and a real centre: what the devices did is what the centre counts."""

from __future__ import annotations

from typing import Final

from tests.bench.storm import REGISTERS, Size, pass_over, running

SHORT: Final = Size(gateways=1, units=4, cycles=2, cycle_s=2.0)


def test_a_storm_of_hundreds_of_alarms_loses_none() -> None:
    with running(SHORT) as (centre, field):
        counted = pass_over(centre, field, SHORT)
    assert counted.devices == SHORT.alarms >= 400
    assert (counted.centre, counted.raised, counted.returned) == (SHORT.alarms,) * 3
    assert counted.points == SHORT.units * REGISTERS
