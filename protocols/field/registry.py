"""Which driver speaks a protocol; drivers of other distributions join by an entry point."""

from __future__ import annotations

from typing import Final

from protocols.field.base import Driver
from protocols.model.seam import Seam

DRIVERS: Final[Seam[Driver]] = Seam(
    "driver",
    "citynerve.drivers",
    Driver,
    {
        "camera": "protocols.field.camera:CameraDriver",
        "modbus": "protocols.field.modbus:ModbusDriver",
        "mqtt": "protocols.field.mqtt:MqttDriver",
        "opcua": "protocols.field.opcua:OpcUaDriver",
        "snmp": "protocols.field.snmp:SnmpDriver",
        "sparkplug": "protocols.field.sparkplug:SparkplugDriver",
    },
    "edge",
)


def protocols() -> tuple[str, ...]:
    """Return the names that `driver_class` knows here, sorted; nothing is imported."""
    return DRIVERS.protocols()


def driver_class(protocol: str) -> type[Driver]:
    """Return the driver of a protocol, importing it now. Raises Rejected as `Seam.find` does."""
    return DRIVERS.find(protocol)
