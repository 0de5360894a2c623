"""`python -m sim_devices.city`: write again what is generated from the city file and committed."""

from __future__ import annotations

import sys

from sim_devices.city import write_gateways
from sim_devices.city.spec import FIRMWARE

for path in write_gateways(FIRMWARE / "gateways"):
    sys.stdout.write(f"{path}\n")
