"""What a technician writes (gateway file, profiles), read into frozen settings or a full list of mistakes.

`load(path)` → `Loaded`; `bind(loaded, own)` → `Plan`: devices, points by index, manifest.
"""
