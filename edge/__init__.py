"""The gateway: polls devices, judges alarms, keeps every reading, and forwards it to the centre."""
