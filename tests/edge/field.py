"""A real Modbus TCP server with units whose registers a test sets, silences and refuses."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import Any, Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimAction, SimData, SimDevice

REGISTERS = 64


class ModbusField:
    """Units 1 to n behind one port, each with 64 holding registers and 16 coils; `async with` it.

    `silent` units answer as a serial gateway does whose slave is dead; `fixed` ones accept writes and
    change nothing. `requests` counts by unit.
    """

    def __init__(self, units: int = 1) -> None:
        self.units = units
        self.silent: set[int] = set()
        self.fixed: set[int] = set()
        self.requests: Counter[int] = Counter()
        self.writes: list[tuple[int, int, list[int] | list[bool]]] = []
        self.delay_writes: asyncio.Event | None = None
        """Where given, writes are answered only after it is set."""
        self.port = 0
        self._values = {unit: [0] * REGISTERS for unit in range(1, units + 1)}
        self._server: ModbusTcpServer | None = None

    def set(self, unit: int, address: int, value: int) -> None:
        """Change a holding register."""
        self._values[unit][address] = value

    def get(self, unit: int, address: int) -> int:
        """Return a holding register as the device has it."""
        return self._values[unit][address]

    def before_answer(self, unit: int, start: int, count: int) -> None:
        """Called before holding registers are answered; a field that answers by the moment sets them here."""

    async def __aenter__(self) -> Self:
        blank = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        spare = [SimData(0, values=[0], datatype=DataType.REGISTERS)]
        self._server = ModbusTcpServer(
            [
                SimDevice(
                    unit,
                    (
                        blank,
                        blank,
                        [SimData(0, values=[0] * REGISTERS, datatype=DataType.REGISTERS)],
                        spare,
                    ),
                    action=self._action(unit),
                )
                for unit in range(1, self.units + 1)
            ],
            address=("127.0.0.1", self.port),
        )
        await self._server.serve_forever(background=True)
        transport: Any = self._server.transport
        self.port = transport.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server: Any = self._server
        await server.shutdown()
        await asyncio.sleep(0)
        self._server = None

    def _action(self, unit: int) -> SimAction:
        async def act(*arguments: Any) -> ExcCodes | None:
            function, start, address, count, current, written = arguments
            self.requests[unit] += 1
            if unit in self.silent:
                return ExcCodes.GATEWAY_NO_RESPONSE
            values = self._values[unit]
            if written is not None:
                self.writes.append((unit, address, list(written)))
                if self.delay_writes is not None:
                    await self.delay_writes.wait()
                if unit not in self.fixed and function in {6, 16}:
                    values[address : address + len(written)] = [int(value) for value in written]
            if function == 3:
                self.before_answer(unit, address, count)
            if function in {3, 6, 16}:
                for i in range(len(current)):
                    if 0 <= start + i < REGISTERS:
                        current[i] = values[start + i]
            return None

        return act
