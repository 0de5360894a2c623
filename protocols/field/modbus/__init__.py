"""Modbus: planner (which requests), decode (columns), driver (the devices), line (order), frames, wires."""

from protocols.field.modbus.driver import ModbusDriver
from protocols.field.modbus.settings import ModbusParams, ModbusSettings

__all__ = ["ModbusDriver", "ModbusParams", "ModbusSettings"]
