"""Sparkplug B 3.0: a host application that reads edge nodes and their devices over a broker.

topics      group, verb, node, device of a topic          values   a metric's content, both ways
order       sequence numbers: gaps, reordering            node     one edge node's births, deaths, aliases
latest      what every point last said, as columns        driver   the broker connection, STATE, commands
scan        edge nodes and metrics that a broker carries
"""

from protocols.field.sparkplug.driver import SparkplugDriver, SparkplugParams, SparkplugSettings

__all__ = ["SparkplugDriver", "SparkplugParams", "SparkplugSettings"]
