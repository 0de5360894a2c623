"""OPC UA client: values (variants and times to columns and back), driver (session and subscription)."""

from protocols.field.opcua.driver import OpcUaDriver, OpcUaParams, OpcUaSettings

__all__ = ["OpcUaDriver", "OpcUaParams", "OpcUaSettings"]
