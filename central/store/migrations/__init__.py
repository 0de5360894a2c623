"""Alembic revisions. 0001 is the floor (registry, readings, alarms, commands); rooms add theirs after it."""
