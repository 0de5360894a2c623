"""OPC UA client.

settings (what a person writes) · certificates, own, trust, answers, client, connecting, words, line (from
there to a session) · structures, table, limits, reading, subscribing, publishing, conditions (from nodes to
answers and messages) · items, polling, hearing, history, watch (who gets which row how, and what is done in
trouble) · values, last_values (from there to columns) · writing, methods (commands) · driver · scan
"""

from protocols.field.opcua.driver import OpcUaDriver
from protocols.field.opcua.settings import OpcUaParams, OpcUaSettings

__all__ = ["OpcUaDriver", "OpcUaParams", "OpcUaSettings"]
