"""临江市 Linjiang: the simulated city. `open_city` builds it; `SCENARIOS` are the days it can have."""

from __future__ import annotations

from pathlib import Path

from sim_devices.city.gateways import COMMITTED_CENTRE, COMMITTED_PORT_BASE, STATE_ROOT
from sim_devices.city.spec import MAP_FOLDER, load_city
from sim_devices.city.world import LinjiangCity, open_city

_CITY = load_city()
SCENARIOS: tuple[str, ...] = tuple(_CITY.scenarios)
DEFAULT_SPEED: float = _CITY.city.default_speed
"""World seconds per wall second for which the scenarios are timed."""

__all__ = ["DEFAULT_SPEED", "MAP_FOLDER", "SCENARIOS", "LinjiangCity", "open_city", "write_gateways"]


def write_gateways(
    folder: Path,
    host: str = "127.0.0.1",
    port_base: int = COMMITTED_PORT_BASE,
    centre_url: str | None = COMMITTED_CENTRE,
    state_root: Path = STATE_ROOT,
) -> list[Path]:
    """Write the demo's gateway files for endpoints on `port_base`, `port_base + 1`, …, in their order."""
    city = open_city(port_base=port_base)
    ports = {endpoint.key: endpoint.port for endpoint in city.listeners()}
    return list(city.write_gateways(folder, ports, centre_url, host=host, state_root=state_root))
