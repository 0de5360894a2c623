"""The planner's promises, over all kinds of maps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ConfigError
from protocols.field.base import BoundDevice
from protocols.field.modbus.planner import Block, capacity, merge, plan_device, span_of, split
from protocols.model.datatypes import REGISTERS
from protocols.model.device import Limits
from tests.protocols.field.devices import bind, profile

TYPES = [*REGISTERS, "ascii"]


def device(points: list[dict[str, Any]], **limits: int) -> BoundDevice:
    return bind(profile("modbus", points, limits=limits), {"unit": 1})


@st.composite
def maps(draw: st.DrawFn, most_points: int = 40, most_address: int = 400) -> list[dict[str, Any]]:
    points = []
    for number in range(draw(st.integers(1, most_points))):
        fc = draw(st.sampled_from([1, 2, 3, 4]))
        kind = "bool" if fc <= 2 else draw(st.sampled_from(TYPES))
        modbus: dict[str, Any] = {"fc": fc, "address": draw(st.integers(0, most_address))}
        if kind == "ascii":
            modbus["length"] = draw(st.integers(1, 8))
        if kind == "bool" and fc > 2:
            modbus["bit"] = draw(st.none() | st.integers(0, 15))
        period = draw(st.sampled_from(["fast", "normal", "slow"]))
        points.append({"key": f"p{number}", "type": kind, "period": period, "modbus": modbus})
    return points


@given(maps(), st.integers(8, 125), st.integers(0, 125))
def test_every_point_lies_whole_in_exactly_one_block(
    points: list[dict[str, Any]], most: int, gap: int
) -> None:
    made = device(points, max_registers=most, max_gap=gap)
    blocks = plan_device(made)
    covered = [span.point.index for _, block in blocks for span in block.spans]
    assert sorted(covered) == list(range(len(points)))
    for period, block in blocks:
        assert 1 <= block.count <= capacity(block.fc, made.profile.limits) <= 2000
        assert block.start + block.count <= 65536
        for span in block.spans:
            assert span.address.fc == block.fc
            assert span.point.profile.period == period
            assert block.start <= span.start
            assert span.end <= block.start + block.count
            assert span.count == span_of(span.point).count
        ends = sorted((span.start, span.end) for span in block.spans)
        reach = ends[0][1]
        for start, end in ends[1:]:
            assert start - reach <= gap * (16 if block.fc <= 2 else 1)
            reach = max(reach, end)


def fewest(spans: list[tuple[int, int]], most: int, gap: int) -> int:
    """Return the fewest requests by trying every way to cut the sorted spans (small maps only)."""
    ordered = sorted(spans)
    best = [0] + [len(ordered)] * len(ordered)
    for stop in range(1, len(ordered) + 1):
        for start in range(stop):
            part = ordered[start:stop]
            reach = part[0][1]
            bearable = True
            for low, high in part[1:]:
                bearable = bearable and low - reach <= gap
                reach = max(reach, high)
            if bearable and reach - part[0][0] <= most:
                best[stop] = min(best[stop], best[start] + 1)
    return best[-1]


@given(maps(most_points=9, most_address=40), st.integers(8, 20), st.integers(0, 8))
def test_no_plan_needs_fewer_requests(points: list[dict[str, Any]], most: int, gap: int) -> None:
    made = device(points, max_registers=most, max_gap=gap)
    spans = [span_of(point) for point in made.points if span_of(point).address.fc == 3]
    limits = Limits(max_registers=most, max_gap=gap)
    got = len(merge(3, spans, limits))
    assert got == (fewest([(span.start, span.end) for span in spans], most, gap) if spans else 0)


@given(maps())
def test_splitting_keeps_every_span_and_ends(points: list[dict[str, Any]]) -> None:
    def leaves(block: Block) -> list[Block]:
        halves = split(block)
        return [block] if halves is None else [leaf for half in halves for leaf in leaves(half)]

    for _, block in plan_device(device(points)):
        parts = leaves(block)
        spans = sorted(span.point.index for part in parts for span in part.spans)
        assert spans == sorted(span.point.index for span in block.spans)
        assert all(split(part) is None for part in parts)


def test_a_refused_block_is_cut_at_its_widest_gap() -> None:
    points = [
        {"key": f"p{at}", "type": "u16", "modbus": {"fc": 3, "address": at}} for at in (0, 1, 2, 9, 10, 12)
    ]
    [(_, block)] = plan_device(device(points))
    halves = split(block)
    assert halves is not None
    assert [(half.start, half.count) for half in halves] == [(0, 3), (9, 4)]


def test_fifty_neighbours_are_one_request() -> None:
    points = [{"key": f"p{at}", "type": "u16", "modbus": {"fc": 3, "address": at}} for at in range(50)]
    [(_, block)] = plan_device(device(points))
    assert (block.start, block.count) == (0, 50)


def test_what_is_not_readable_is_not_asked() -> None:
    points: list[dict[str, Any]] = [
        {"key": "a", "type": "u16", "modbus": {"fc": 3, "address": 0}},
        {"key": "b", "type": "u16", "readable": False, "modbus": {"fc": 3, "address": 1}},
    ]
    [(_, block)] = plan_device(device(points))
    assert (block.start, block.count) == (0, 1)


@pytest.mark.parametrize(
    ("point", "limits", "words"),
    [
        ({"type": "u32", "modbus": {"fc": 3, "address": 65535}}, {}, "end behind 65535"),
        ({"type": "u16", "modbus": {"fc": 1, "address": 0}}, {}, "single bits"),
        ({"type": "u16", "modbus": {"fc": 3, "address": 0, "bit": 1}}, {}, "`bit` on type `u16`"),
        ({"type": "text", "modbus": {"fc": 3, "address": 0}}, {}, "type `text`"),
        ({"type": "u16", "writable": True, "modbus": {"fc": 4, "address": 0}}, {}, "function code 4"),
        (
            {"type": "i64", "modbus": {"fc": 3, "address": 0}},
            {"max_registers": 2},
            "at most max_registers = 2",
        ),
    ],
)
def test_impossible_addresses_are_refused_before_anything_is_sent(
    point: dict[str, Any], limits: dict[str, int], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        plan_device(device([{"key": "p", **point}], **limits))
    assert "device1" in str(caught.value)
    assert "points.p.modbus" in str(caught.value)


def test_every_mistake_is_reported_at_once() -> None:
    points = [
        {"key": "a", "type": "u32", "modbus": {"fc": 3, "address": 65535}},
        {"key": "b", "type": "text", "modbus": {"fc": 3, "address": 0}},
    ]
    with pytest.raises(ConfigError) as caught:
        plan_device(device(points))
    assert len(caught.value.mistakes) == 2
