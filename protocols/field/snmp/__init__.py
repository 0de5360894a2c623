"""SNMP v1, v2c and v3: UPSs, switches, traffic cabinets; on pysnmp (RFC 3411–3418, 3826, 7860)."""

from protocols.field.snmp.driver import SnmpDriver
from protocols.field.snmp.settings import SnmpParams, SnmpSettings

__all__ = ["SnmpDriver", "SnmpParams", "SnmpSettings"]
