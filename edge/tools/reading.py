"""Registers of one place, read now, with their neighbours where the device has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.tools.scan import own_line
from protocols.errors import DeviceRefused
from protocols.field.modbus import scan
from protocols.model.quality import Quality

_TIMEOUT_S = 2.0


async def read_registers(
    line: Mapping[str, Any], unit: int, fc: int, address: int, count: int, neighbours: int
) -> tuple[list[int], int]:
    """Return the registers and how many of them lie before `address` (the wire address asked for).

    `line` are a Modbus connection's settings. Neighbours that the device refuses are left out. Raises
    Rejected (`address`), ConnectionLost, and DeviceRefused where the registers asked for cannot be read.
    """
    count = min(count, 65_536 - address)
    low = max(0, address - neighbours)
    high = min(65_536, address + count + neighbours)
    async with own_line(line, _TIMEOUT_S, 0.0) as ask:
        for start, end in ((low, high), (low, address + count), (address, high), (address, address + count)):
            answer = await scan.read(ask, unit, fc, start, end - start)
            if isinstance(answer, list):
                return answer, address - start
    where = line.get("device") or f"{line['host']}:{line['port']}"
    raise DeviceRefused(
        f"unit {unit} at {where} does not give registers {address} to {address + count - 1} by "
        f"function code {fc}: {answer}; check unit, function code (3 or 4) and wire address (from 0)",
        Quality.BAD_NO_COMMUNICATION,
    )
