"""Alarms at the gateway: what a rule watches, and the machine that raises and clears."""
