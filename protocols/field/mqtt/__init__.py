"""MQTT: payload (what a message says), routes (which points a topic feeds), driver (the connection)."""

from protocols.field.mqtt.driver import MqttDriver, MqttParams, MqttSettings

__all__ = ["MqttDriver", "MqttParams", "MqttSettings"]
