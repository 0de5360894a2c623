"""The centre: where a city's readings, alarms, cases and commands meet."""
