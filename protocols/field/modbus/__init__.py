"""Modbus TCP: planner (which requests), decode (columns from an answer), driver (the connection)."""

from protocols.field.modbus.driver import ModbusDriver, ModbusParams, ModbusSettings

__all__ = ["ModbusDriver", "ModbusParams", "ModbusSettings"]
