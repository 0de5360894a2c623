"""OPC UA client.

settings (what a person writes) · certificates, own, trust, client, connecting, words, line (from there to a
session) · table, limits, subscribing, publishing, watch (from nodes to messages) · values, last_values (from
there to columns) · writing, methods (commands) · driver · scan
"""

from protocols.field.opcua.driver import OpcUaDriver
from protocols.field.opcua.settings import OpcUaParams, OpcUaSettings

__all__ = ["OpcUaDriver", "OpcUaParams", "OpcUaSettings"]
