"""pymodbus's server under the contract."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from protocols.field.base import BoundDevice
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile


class ModbusHarness(Harness):
    """pymodbus's server: units 1 and 2, with a hole in unit 1."""

    protocol = "modbus"
    polled = True
    expected: ClassVar = {
        "level": 2.5, "count": -205.0, "running": 1.0, "bit": 1.0, "energy": 70000.0, "label": "PUMP-1",
        "level2": 7.25,
    }  # fmt: skip
    ghosts: ClassVar = {"ghost"}
    writes: ClassVar = (
        ("level", 1.5), ("count", 17.0), ("running", 0.0), ("bit", 0.0), ("energy", 80001.0), ("label", "P2"),
    )  # fmt: skip
    refused: ClassVar = (
        ("count", 40000.0), ("count", 1.5), ("running", 2.0), ("energy", -1.0), ("label", "x" * 9),
        ("level", "high"), ("level", float("nan")), ("level", 1e39), ("fixed", 1.0),
    )  # fmt: skip

    limits: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        self._server: Any = None

    async def start(self) -> int:
        coils = [SimData(0, values=[True, False, True], datatype=DataType.BITS)]
        unit1 = [
            SimData(0, values=[2.5], datatype=DataType.FLOAT32),
            SimData(2, values=[0xFF33, 0b1000], datatype=DataType.REGISTERS),
            SimData(4, values=[70000 & 0xFFFF, 70000 >> 16], datatype=DataType.REGISTERS),
            SimData(20, values=[0x5055, 0x4D50, 0x2D31, 0], datatype=DataType.REGISTERS),
            SimData(40, values=[5], datatype=DataType.REGISTERS),
        ]
        unit2 = [SimData(0, values=[7.25], datatype=DataType.FLOAT32)]
        inputs = [SimData(0, values=[9], datatype=DataType.REGISTERS)]
        blank = [SimData(0, values=[False] * 8, datatype=DataType.BITS)]
        units = [SimDevice(1, (coils, blank, unit1, inputs)), SimDevice(2, (blank, blank, unit2, inputs))]
        self._server = self.server(units)
        await self._server.serve_forever(background=True)
        transport: Any = self._server.transport
        sock = transport.sockets[0] if hasattr(transport, "sockets") else transport.get_extra_info("socket")
        port: int = sock.getsockname()[1]
        return port

    def server(self, units: list[SimDevice]) -> Any:
        """Return pymodbus's server for the transport, on a free port."""
        return ModbusTcpServer(units, address=("127.0.0.1", 0))

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()
            await asyncio.sleep(0)
        self._server = None

    def devices(self) -> tuple[BoundDevice, ...]:
        pump = profile(
            "modbus",
            [
                {"key": "level", "type": "f32", "scale": 0.1, "writable": True,
                 "modbus": {"fc": 3, "address": 0}},
                {"key": "count", "type": "i16", "writable": True, "modbus": {"fc": 3, "address": 2}},
                {"key": "bit", "type": "bool", "writable": True, "modbus": {"fc": 3, "address": 3, "bit": 3}},
                {"key": "energy", "type": "u32", "writable": True,
                 "modbus": {"fc": 3, "address": 4, "order": "CDAB"}},
                {"key": "ghost", "type": "u16", "modbus": {"fc": 3, "address": 10}},
                {"key": "label", "type": "ascii", "writable": True,
                 "modbus": {"fc": 3, "address": 20, "length": 4}},
                {"key": "running", "type": "bool", "writable": True, "modbus": {"fc": 1, "address": 2}},
                {"key": "fixed", "type": "u16", "modbus": {"fc": 4, "address": 0}},
            ],
            limits=self.limits,
        )  # fmt: skip
        second = profile(
            "modbus",
            [{"key": "level2", "type": "f32", "modbus": {"fc": 3, "address": 0}}],
            limits=self.limits,
        )
        return bind(pump, {"unit": 1}), bind(second, {"unit": 2}, "device2", len(pump.points))

    def settings(self, port: int) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": port}
