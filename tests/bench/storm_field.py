"""Devices in a storm, as a process: `python -m tests.bench.storm_field UNITS REGISTERS CYCLES CYCLE_S`.

It prints its port; every register rests at 100. On a line of input the storm begins: each register goes up to
400 and back `CYCLES` times, `CYCLE_S` seconds apart and half of them up, each at a moment of its own, so that
alarms come evenly. However late it is asked, a register moves on only when two answers have shown where it
is: what it prints at the end, how often registers went up, is what its gateway could see.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.edge.field import ModbusField

CALM, HIGH, LIMIT = 10_000, 40_000, 250.0
"""Registers count in hundredths."""
SHOWN = 2


class Storm(ModbusField):
    """Units of registers that answer by the moment. rises: how often one went up, in all."""

    def __init__(self, units: int, registers: int, cycles: int, cycle_s: float) -> None:
        super().__init__(units)
        self.rises = 0
        self.begun_s: float | None = None
        self._registers, self._cycles, self._half_s = registers, cycles, cycle_s / 2
        self._moves = [0] * (units * registers)
        """Of each register: even, it is down."""
        self._shown = [0] * (units * registers)
        for unit in range(1, units + 1):
            for register in range(registers):
                self.set(unit, register, CALM)

    @property
    def over(self) -> bool:
        """Whether every register has come down for the last time, and that was shown."""
        return all(moves == 2 * self._cycles for moves in self._moves) and min(self._shown) >= SHOWN

    def before_answer(self, unit: int, start: int, count: int) -> None:
        """Move what is due in this unit."""
        now = time.monotonic()
        for register in range(start, min(start + count, self._registers)):
            place = (unit - 1) * self._registers + register
            if self.begun_s is not None and self._shown[place] >= SHOWN and now >= self._due(place):
                self._moves[place] += 1
                self._shown[place] = 0
                up = self._moves[place] % 2
                self.rises += up
                self.set(unit, register, HIGH if up else CALM)
            self._shown[place] += 1

    def _due(self, place: int) -> float:
        """Return when a register moves next: s of the monotonic clock."""
        if self.begun_s is None or self._moves[place] >= 2 * self._cycles:
            return float("inf")
        first = self.begun_s + 2 * self._half_s * place / len(self._moves)
        return first + self._moves[place] * self._half_s


async def _serve(units: int, registers: int, cycles: int, cycle_s: float) -> None:
    async with Storm(units, registers, cycles, cycle_s) as field:
        _say(field.port)
        # Whoever started us holds our input: when it is gone, so are we.
        threading.Thread(target=_wait_for_orders, args=(field,), daemon=True).start()
        while not field.over:  # noqa: ASYNC110 - it is the gateways that move it
            await asyncio.sleep(0.1)
        _say(field.rises)
        await asyncio.Event().wait()


def _wait_for_orders(field: Storm) -> None:
    while sys.stdin.readline():
        field.begun_s = time.monotonic()
    os._exit(0)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


class StormProcess:
    """The field's process, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = self._number()

    def begin(self) -> None:
        """Let the storm begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def rises(self) -> int:
        """Wait until it is over; return how often registers went up."""
        return self._number()

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


@contextmanager
def storm_process(units: int, registers: int, cycles: int, cycle_s: float) -> Iterator[StormProcess]:
    """Run the field for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.bench.storm_field", str(units), str(registers)]
    command += [str(cycles), str(cycle_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield StormProcess(process)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
