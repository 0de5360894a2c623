"""Which driver speaks a protocol. A driver is imported when it is first asked for, never before.

A gateway that polls Modbus only must not pay the memory of an OPC UA stack, so this module knows
places, not classes. Drivers of other distributions join by the entry point group `citynerve.drivers`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from protocols.errors import Rejected
from protocols.field.base import Driver

ENTRY_POINTS = "citynerve.drivers"

_BUILT_IN = {
    "camera": "protocols.field.camera:CameraDriver",
    "modbus": "protocols.field.modbus:ModbusDriver",
    "mqtt": "protocols.field.mqtt:MqttDriver",
    "opcua": "protocols.field.opcua:OpcUaDriver",
    "snmp": "protocols.field.snmp:SnmpDriver",
    "sparkplug": "protocols.field.sparkplug:SparkplugDriver",
}


def protocols() -> tuple[str, ...]:
    """Return the names that `driver_class` knows here, sorted; nothing is imported."""
    return tuple(sorted(_BUILT_IN.keys() | {entry.name for entry in entry_points(group=ENTRY_POINTS)}))


def driver_class(protocol: str) -> type[Driver]:
    """Return the driver of a protocol, importing it now.

    A built-in name cannot be taken over by an entry point. Raises Rejected: `unknown-protocol`, or
    `driver-broken` where what is registered cannot be imported or is no Driver of that protocol.
    """
    place = _BUILT_IN.get(protocol)
    if place is None:
        for entry in entry_points(group=ENTRY_POINTS, name=protocol):
            place = entry.value
            break
    if place is None:
        raise Rejected(
            "unknown-protocol",
            f"no driver speaks {protocol!r}; use one of {', '.join(protocols())}, "
            f"or install a package with an entry point {protocol!r} in the group {ENTRY_POINTS!r}",
        )
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Rejected(
            "driver-broken",
            f"the driver of {protocol!r} at {place!r} cannot be imported ({error}); "
            "install the packages it needs (for the built-in ones: the extra `citynerve[edge]`)",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Driver) and found.protocol == protocol):
        raise Rejected(
            "driver-broken",
            f"{place!r} is no Driver whose `protocol` is {protocol!r}; correct its entry point",
        )
    return found
