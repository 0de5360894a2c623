"""A short storm through a real gateway and a real centre: what the devices did is what the centre counts."""

from __future__ import annotations

from tests.bench.storm import REGISTERS, SHORT, pass_over, running


def test_a_storm_of_a_thousand_alarms_loses_none() -> None:
    with running(SHORT) as (centre, field):
        counted = pass_over(centre, field, SHORT)
    assert counted.devices == SHORT.alarms == 1000
    assert (counted.centre, counted.raised, counted.returned) == (1000, 1000, 1000)
    assert counted.points == SHORT.units * REGISTERS
