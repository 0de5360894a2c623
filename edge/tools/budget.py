"""How long a line is busy with what its devices are asked: the bus-time budget, before anything runs.

    busy = Σ requests · time of one / period       a line that is busy all the time reads late

The time of one request is measured (a running gateway's latency of that device), or estimated: on a serial
line (`../shared/domain/field_protocols.md` 1.4) by its speed, else by an ordinary round trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.config.bind import BoundConnection, Plan
from protocols.field.base import ReadTask
from protocols.model.device import PeriodClass

ROUND_TRIP_S: Final[Mapping[str, float]] = {"modbus": 0.03, "camera": 0.4}
"""Estimates without a serial line: a Modbus TCP device or gateway; a snapshot of a megabyte."""
DEVICE_S: Final = 0.02
"""What a device takes to answer, beside the time on the wire."""
FULL: Final = 0.6
"""A share of the time above which a line is full: retries, commands and scans need the rest."""
_BITS: Final = 11


@dataclass(frozen=True, slots=True)
class Budget:
    """A line's time. busy_s: seconds of reads in one cycle of each period class; share: of all its time.

    measured: devices whose latency was measured; the others are estimated.
    """

    connection: str
    busy_s: Mapping[PeriodClass, float]
    share: float
    measured: int
    warnings: tuple[str, ...]


def budgets(
    plan: Plan,
    tasks: Mapping[str, Sequence[ReadTask]],
    latency_ms: Mapping[str, float] | None = None,
    baud: int | None = None,
) -> list[Budget]:
    """Return the budget of each line that is polled.

    latency_ms: measured time of one read by device. baud: speed of the serial lines behind Modbus gateways.
    """
    known = latency_ms or {}
    return [
        _line(plan, connection, tasks[connection.key], known, baud)
        for connection in plan.connections
        if tasks[connection.key]
    ]


def request_s(registers: int, baud: int) -> float:
    """Return the seconds of one read of `registers` on a serial line: both frames, both gaps, the device.

    An 8-byte question, an answer of 5 bytes and 2 a register, 11 bits a character, gaps of 3.5 characters
    or 1.75 ms above 19,200 baud (Modbus over Serial Line V1.02, 2.5.1.1).
    """
    gap = 3.5 * _BITS / baud if baud <= 19_200 else 0.00175
    return (8 + 5 + 2 * registers) * _BITS / baud + 2 * gap + DEVICE_S


def _line(
    plan: Plan,
    connection: BoundConnection,
    tasks: Sequence[ReadTask],
    latency_ms: Mapping[str, float],
    baud: int | None,
) -> Budget:
    driver = connection.driver(connection.settings, connection.devices)
    pauses = [device.profile.limits.pause_between_requests_ms for device in connection.devices]
    pause_s = max(*pauses, getattr(connection.settings, "pause_between_requests_ms", 0)) / 1000
    busy: dict[PeriodClass, float] = {}
    for task in tasks:
        if task.device in latency_ms:
            once = latency_ms[task.device] / 1000
        elif (speed := _baud(connection, baud)) is not None:
            question = driver.question(task)
            registers = (
                -(-int(question["count"]) // 16) if int(question["fc"]) <= 2 else int(question["count"])
            )
            once = request_s(registers, speed) + pause_s
        else:
            once = ROUND_TRIP_S.get(connection.driver.protocol, 0.05) + pause_s
        busy[task.period] = busy.get(task.period, 0.0) + once * task.requests
    share = sum(seconds / plan.periods[period] for period, seconds in busy.items())
    devices = {task.device for task in tasks}
    return Budget(
        connection.key,
        {period: round(seconds, 3) for period, seconds in busy.items()},
        round(share, 3),
        len(devices & latency_ms.keys()),
        tuple(_warnings(plan, connection.key, busy, share)),
    )


def _baud(connection: BoundConnection, behind: int | None) -> int | None:
    """Return the speed of a Modbus line: its own where it is serial, else of the lines behind gateways."""
    if connection.driver.protocol != "modbus":
        return None
    if getattr(connection.settings, "transport", "") in ("rtu", "ascii"):
        return int(getattr(connection.settings, "baud", 9600))
    return behind


def _warnings(plan: Plan, key: str, busy: Mapping[PeriodClass, float], share: float) -> list[str]:
    told = [
        f"{key}: {seconds:.1f} s of reads in a {plan.periods[period]:g} s cycle ({period}); "
        "lengthen the period, move devices to another line, or read fewer points"
        for period, seconds in busy.items()
        if seconds > plan.periods[period]
    ]
    if not told and share > FULL:
        told = [
            f"{key}: the line is busy {share:.0%} of the time; above {FULL:.0%} retries and commands "
            "come late. Lengthen a period, or move devices to another line"
        ]
    return told
