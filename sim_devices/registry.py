"""Which simulator speaks a protocol; those of other distributions join by an entry point."""

from __future__ import annotations

from typing import Final

from protocols.model.seam import Seam
from sim_devices.servers.base import SimServer

# Imported by need: a Modbus simulator in somebody's CI starts without OPC UA, broker and Pillow.
SIMULATORS: Final[Seam[SimServer]] = Seam(
    "simulator",
    "citynerve.simulators",
    SimServer,
    {
        "camera": "sim_devices.servers.camera:CameraServer",
        "modbus": "sim_devices.servers.modbus:ModbusServer",
        "mqtt": "sim_devices.servers.mqtt:MqttServer",
        "opcua": "sim_devices.servers.opcua:OpcUaServer",
        "snmp": "sim_devices.servers.snmp:SnmpServer",
        "sparkplug": "sim_devices.servers.sparkplug:SparkplugServer",
    },
    "sim",
)
