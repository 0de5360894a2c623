"""The seam between the simulated world and the servers that show it on the wire.

The world knows physics and engineering values; the servers know protocols. They meet here, and
neither imports the other. `sim_devices.city` exports

    open_city(*, seed: int = 1, scenario: str = "calm", port_base: int = 0) -> City
    SCENARIOS: tuple[str, ...]

`port_base` 0 leaves every endpoint's port 0: the server then takes a free one. Ports from a base are
`port_base + n`, n counting the endpoints in their order in city.yaml.

Two clocks: the world's (`step`, compressed, starts at `World.start_us`, drives physics and the
cameras' on-screen time) and the wall's (source times of OPC UA and MQTT: the gateway compares them
with its own). All calls come from one thread, the event loop; nothing here may block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from protocols.model.device import Profile
from protocols.model.golden import Golden


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One listening server and the devices that it serves, by city-wide device key.

    `key` names the server in listings, faults and gateway files (`modbus-north`, `cams-river`); `settings`
    are a Modbus line's own, as in a gateway file: its transport, serial path, registration packet.
    """

    key: str
    protocol: str
    port: int
    devices: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a camera looks at now. Ratios lie in [0, 1]; `time_us` is the world's time.

    `water_level_ratio`: 0 is a dry street or the river's low water, 1 a drowned underpass or the
    embankment's crest. `rain` 1 is a cloudburst, `darkness` 1 the middle of the night, `traffic` 1 a
    jam. `title` is drawn into the picture; `barrier` and `sign` show what actuators in view do.
    """

    kind: Literal["street", "river"]
    title: str
    time_us: int
    rain: float = 0.0
    darkness: float = 0.0
    water_level_ratio: float = 0.0
    traffic: float = 0.3
    water_level_m: float | None = None
    sign: str = ""
    barrier_closed: bool = False


class SimDevice(Protocol):
    """One device of the world, in engineering units."""

    @property
    def key(self) -> str:
        """City-wide key, such as `ps-riverside-pump2`; faults are addressed to it."""

    @property
    def profile(self) -> Profile:
        """The model: which points, how they are encoded."""

    @property
    def params(self) -> Mapping[str, Any]:
        """What the gateway file says under `params:` (`unit`, `device`, `path`)."""

    def read(self, point_key: str) -> float | str | None:
        """Return the engineering value now; None where the sensor failed (a sentinel is served)."""

    def write(self, point_key: str, value: float | str) -> None:
        """Let an actuator act; ValueError says in words why the device refuses."""


@runtime_checkable
class Proving(Protocol):
    """A device that shows the golden vectors of its profile, raw as they stand there."""

    def golden(self, point_key: str) -> Golden | None:
        """Return the vector that the point shows now; None where it shows its value."""


@runtime_checkable
class World(Protocol):
    """Everything that the servers show."""

    @property
    def start_us(self) -> int:
        """World time at which the simulation begins; the runner steps on from there."""

    @property
    def scenario(self) -> str:
        """Name of the scenario that runs."""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names that `set_scenario` takes."""

    def set_scenario(self, name: str) -> None:
        """Start another scenario at the present world time; ValueError names the known ones."""

    def step(self, now_us: int) -> None:
        """Advance physics to this world time; never backwards, any step from 1 ms to minutes."""

    def devices(self) -> Mapping[str, SimDevice]:
        """All devices by key; the same mapping for the world's whole life."""

    def listeners(self) -> Sequence[Endpoint]:
        """All servers to be started, in a stable order."""

    def scene(self, device_key: str) -> Scene:
        """What this camera sees now; KeyError for a device that is no camera."""


class City(World, Protocol):
    """A world that also knows the gateways that should read it."""

    def write_gateways(
        self,
        folder: Path,
        ports: Mapping[str, int],
        centre_url: str | None = None,
        *,
        state_root: Path = Path("/var/lib/citynerve-edge"),
    ) -> Sequence[Path]:
        """Write one gateway file per gateway, with the real port of each endpoint key.

        Each gateway keeps its state in a folder of its own below `state_root`.
        """
