"""The lowest floor: problems, bus, rooms, logs, leashes. It knows no table and no route."""
