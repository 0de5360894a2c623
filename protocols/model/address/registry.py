"""Which model reads the address of a protocol's points, built in or of another distribution."""

from __future__ import annotations

from typing import Final

from protocols.model.address.base import Address
from protocols.model.seam import Seam

ADDRESSES: Final[Seam[Address]] = Seam(
    "address",
    "citynerve.addresses",
    Address,
    {
        "camera": "protocols.model.address.camera:CameraAddress",
        "modbus": "protocols.model.address.modbus:ModbusAddress",
        "mqtt": "protocols.model.address.mqtt:MqttAddress",
        "opcua": "protocols.model.address.opcua:OpcUaAddress",
        "snmp": "protocols.model.address.snmp:SnmpAddress",
        "sparkplug": "protocols.model.address.sparkplug:SparkplugAddress",
    },
    "edge",
)
"""By the protocol's name: the key of the section in a point."""
