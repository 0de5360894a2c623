"""What judging alarms costs: 10,000 points at 1 Hz with 100 rules on each 1,000, beside the same without.

Readings go by the road that the gateway's own take (shape, judge, encode for the log), in the steps of a
tenth of a second in which the pipeline takes them; the CPU of this process is measured. The rules are what a
city has: mostly limits, some with delays, a tenth that need a memory (rate, flat line, condition).
"""

from __future__ import annotations

import gc
import time
from typing import Any

import msgspec
import numpy as np

from edge.alarms.engine import AlarmEngine
from edge.shaping import Shaper
from protocols.field.base import BoundPoint
from protocols.model.alarm import Rule
from protocols.model.clock import SECOND_US
from protocols.model.device import PointProfile, Text
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, encode
from tests.bench.figure import Figure

POINTS, PER_THOUSAND, SECONDS, TURNS = 10_000, 100, 60, 10
GATEWAY_CORES = 0.8 / 100_000 * POINTS
"""What a gateway may take from the device to the acknowledgement, at this rate."""
_START_US = 1_780_000_000 * SECOND_US


def measure() -> list[Figure]:
    """CPU of judging, beside that of a whole gateway at this rate, and of shaping and encoding alone."""
    plain = min(_run([]) for _ in range(3))
    judged = min(_run(_rules()) for _ in range(3))
    cost = max(judged - plain, 0.0)
    return [
        Figure("alarms: CPU of 1,000 rules, 10,000 points at 1 Hz", 1e3 * cost / SECONDS, "ms/s"),
        Figure(
            "alarms: that, beside a whole gateway",
            cost / SECONDS,
            "cores",
            GATEWAY_CORES,
            "the issue's 0.8 s/100k",
            "< 0.10",
        ),
        Figure(
            "alarms: shaping, judging, encoding", judged / SECONDS, "cores", plain / SECONDS, "without rules"
        ),
    ]


def _run(rules: list[Rule]) -> float:
    shaper = Shaper([BoundPoint(i, f"d{i // 50}", _profile(i)) for i in range(POINTS)])
    indexes = {f"d{i // 50}.p{i % 50}": i for i in range(POINTS)}
    engine = AlarmEngine("bench", rules, indexes, "bench", _START_US)
    random = np.random.default_rng(7)
    steps = POINTS // TURNS
    gc.collect()
    began = time.process_time()
    for second in range(SECONDS):
        for turn in range(TURNS):
            now = _START_US + second * SECOND_US + turn * SECOND_US // TURNS
            point = np.arange(turn * steps, (turn + 1) * steps, dtype=np.int32)
            level = 50 + 30 * np.sin(second / 9 + point / 100) + random.normal(0, 1, steps)
            readings, _ = shaper.shape(Readings.at(point, now, level), now)
            told = engine.evaluate(readings, now)
            told += engine.tick(now)
            encode(Batch("readings", "bench", second * TURNS + turn + 1, "bench", now, readings))
            del told
    return time.process_time() - began


def _profile(i: int) -> PointProfile:
    return PointProfile(
        key=f"p{i % 50}", name=Text(zh="点", en="Point"), type="f32", decimals=2, scale=0.1, min=-100, max=200
    )


def _rules() -> list[Rule]:
    return [_rule(i, point) for i, point in enumerate(range(0, POINTS, 1000 // PER_THOUSAND))]


def _rule(i: int, point: int) -> Rule:
    name, other = f"d{point // 50}.p{point % 50}", f"d{point // 50}.p{(point + 1) % 50}"
    with_memory: list[dict[str, Any]] = [
        {"kind": "rate", "limit": 2.0, "window_s": 30.0},
        {"kind": "flatline", "limit": 600.0},
        {"kind": "condition", "limit": 0.0, "expression": f"avg({name}, 30 s) > 7 and {other} < 2"},
    ]
    kinds: list[dict[str, Any]] = [
        {"kind": "hi", "limit": 7.9, "deadband": 0.2, "on_delay_s": 3.0},
        {"kind": "lo", "limit": 2.1, "deadband": 0.2, "on_delay_s": 3.0, "off_delay_s": 5.0},
        {"kind": "hihi", "limit": 9.5, "deadband": 0.2},
        {"kind": "hi", "limit": 9.0, "deadband": 0.2},
        {"kind": "deviation", "setpoint": 5.0, "limit": 3.5, "deadband": 0.3},
        {"kind": "no_data", "limit": 30.0},
        {"kind": "bad_quality", "limit": 0.0},
        {"kind": "off_normal", "limit": 5.0, "deadband": 6.0},
        {"kind": "lolo", "limit": 1.0, "deadband": 0.2},
        with_memory[i // 10 % 3],
    ]
    words = {"priority": "P3", "name_zh": "报警", "name_en": "Alarm"}
    return msgspec.convert({"id": f"{name}-{i}", "point": name, **words, **kinds[i % 10]}, Rule)
