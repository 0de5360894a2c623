"""Which profile an unknown Modbus unit is: its registers read where profiles expect them, and judged.

profiles ─→ probes, read plans ─→ each different request asked once ─→ evidence ─→ ranking
                                                              identity (43/14) ─┘
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import numpy as np

from edge.shaping import engineering
from edge.tools.decode import Fit, fits
from protocols.field.base import BoundDevice, BoundPoint
from protocols.field.modbus.decode import BlockDecoder
from protocols.field.modbus.planner import Block, is_bits, plan_device
from protocols.model.device import Profile

Read = Callable[[int, int, int], Awaitable[list[int] | str]]
"""(function code, wire address, count) to registers or bits, or in words why there are none."""

BLOCKS: Final = 4
"""Requests of a profile that are tried: those with the most points."""
_REFUSED_BITS: Final = -6.0
_IDENTITY_BITS: Final = 20.0
_PROBE_BITS: Final = 4.0
_WRONG_BITS: Final = -40.0


async def fit_unit(read: Read, identity: Mapping[str, str], profiles: Iterable[Profile]) -> list[Fit]:
    """Return the profiles that a unit may be, best first; only those that nothing speaks against."""
    answers: dict[tuple[int, int, int], list[int] | str] = {}
    found = []
    for profile in profiles:
        if profile.protocol != "modbus":
            continue
        parts: list[Fit] = []
        probed = await _probed(read, profile, answers)
        for block in _blocks(profile):
            place = (block.fc, block.start, block.count)
            if place not in answers:
                answers[place] = await read(*place)
            parts.append(_judge(profile, block, answers[place]))
        good, tried = sum(part.good for part in parts), sum(part.tried for part in parts)
        # Of two that nothing speaks against, the one that explains more of the device is the better one.
        score = math.sqrt(good) * sum(part.score for part in parts) / len(parts) if parts else 0.0
        score += probed
        if same_model(identity, profile):
            score += _IDENTITY_BITS
        if score > 0 and good:
            found.append(Fit(profile.id, profile.name.en, good, tried, round(score, 1)))
    return sorted(found, key=lambda fit: (-fit.score, -fit.good, fit.profile))


async def _probed(
    read: Read, profile: Profile, answers: dict[tuple[int, int, int], list[int] | str]
) -> float:
    """Return the evidence of the profile's own probes: for it where all are right, else against it."""
    wanted = {probe.point: probe for probe in profile.probe}
    points = tuple(
        BoundPoint(i, profile.id, point) for i, point in enumerate(profile.points) if point.key in wanted
    )
    evidence = 0.0
    for _, block in plan_device(BoundDevice(profile.id, profile, points)) if points else ():
        place = (block.fc, block.start, block.count)
        if place not in answers:
            answers[place] = await read(*place)
        answer = answers[place]
        if isinstance(answer, str):
            return _WRONG_BITS
        decoder = BlockDecoder(block)
        data = (
            np.packbits(answer, bitorder="little")
            if is_bits(block.fc)
            else np.array(answer, ">u2").view("u1")
        )
        readings = decoder.decode(data, 0)
        for row, index in enumerate(readings.point.tolist()):
            point = profile.points[index]
            value = engineering(point, float(readings.value[row]))
            if not wanted[point.key].low <= value <= wanted[point.key].high:
                return _WRONG_BITS
            evidence += _PROBE_BITS
    return evidence


def same_model(identity: Mapping[str, str], profile: Profile) -> bool:
    """Tell whether a device's own words name the vendor and the model of a profile."""
    told = " ".join(identity.values()).casefold()
    if profile.identity is not None:
        return all(
            word.casefold() in told for word in (profile.identity.vendor, profile.identity.product)
        ) and bool(told)
    vendor, *_ = profile.vendor.casefold().split() or [""]
    model, *_ = profile.model.casefold().split() or [""]
    return bool(vendor and model) and vendor in told and model in told


def _blocks(profile: Profile) -> list[Block]:
    points = tuple(BoundPoint(i, profile.id, point) for i, point in enumerate(profile.points))
    blocks = [block for _, block in plan_device(BoundDevice(profile.id, profile, points))]
    return sorted(blocks, key=lambda block: -len(block.spans))[:BLOCKS]


def _judge(profile: Profile, block: Block, answer: list[int] | str) -> Fit:
    n = len(block.spans)
    if isinstance(answer, str):
        return Fit(profile.id, profile.name.en, 0, n, _REFUSED_BITS)
    if is_bits(block.fc):
        # Bits exist or not; any value of them is a good one.
        return Fit(profile.id, profile.name.en, n, n, 1.0)
    here = fits(answer, block.start, block.fc, [profile])
    return here[0] if here else Fit(profile.id, profile.name.en, 0, n, 0.0)
