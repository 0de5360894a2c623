"""A field of Modbus units, as a process of its own: `python -m tests.bench.field 100 50 0.5`.

It prints its port, then serves until its input closes. Every register changes at every tick, so that
no reading is thrown away as unchanged; each unit's register 0 says when that was (milliseconds of the
wall clock modulo 60,000), which tells a reader of the last page how old a value is; register 1 climbs
from 0 to 600 every six seconds.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protocols.model.address.modbus import ModbusAddress
from protocols.model.clock import now_us
from protocols.model.device import Profile, Text, point_model, profile_model
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.modbus import ModbusServer
from sim_devices.world import Endpoint, Scene, SimDevice

PROFILE = "bench.block"
TICK_S = 0.5
SAWTOOTH_MS = 6_000


def profile(
    registers: int, alarms: int = 0, limit: float = 650.0, priorities: Sequence[str] = ("P3",)
) -> Profile:
    """Return a unit of `registers` unsigned words with two decimals in one block, all polled `fast`.

    The first `alarms` registers have a high alarm at `limit`, which 650.0 never reaches; their priorities
    are these in turn.
    """
    points = tuple(
        point_model("modbus").model_validate(
            {
                "key": f"r{number}",
                "name": Text(zh=f"寄存器 {number}", en=f"Register {number}"),
                "type": "u16",
                "scale": 0.01,
                "decimals": 2,
                "unit": "V",
                "period": "fast",
                "writable": number == registers - 1,
                "modbus": ModbusAddress(fc=3, address=number),
                "alarms": [
                    {
                        "key": f"high-{number}", "kind": "hi", "limit": limit, "deadband": 1.0,
                        "priority": priorities[number % len(priorities)],
                        "name": {"zh": "过高", "en": "High"},
                    }
                ] if number < alarms else [],
            }
        )
        for number in range(registers)
    )  # fmt: skip
    return profile_model("modbus")(
        id=PROFILE, vendor="CityNerve", model="bench", name=Text(zh="测量", en="Bench"), version=1,
        kind="meter", protocol="modbus", points=points,
    )  # fmt: skip


class Unit:
    """A device whose registers are functions of the time."""

    def __init__(self, number: int, device_profile: Profile, tick: Callable[[], int]) -> None:
        self._tick = tick
        self.key = f"unit{number}"
        self.profile = device_profile
        self.params: Mapping[str, Any] = {"unit": number}
        self._number = number
        self._written: dict[str, float] = {}

    def read(self, point_key: str) -> float | str | None:
        """Return hundredths of the millisecond clock for r0, a different sawtooth for each other register."""
        if point_key in self._written:
            return self._written[point_key]
        register = int(point_key[1:])
        tick_ms = self._tick() // 1000
        if register == 0:
            return tick_ms % 60_000 / 100
        if register == 1:
            return tick_ms % SAWTOOTH_MS / 10
        return (self._number * 977 + register * 131 + tick_ms // 500 * 7) % 60_000 / 100

    def write(self, point_key: str, value: float | str) -> None:
        """Hold what was written."""
        self._written[point_key] = float(value)


class Field:
    """The world of these units; nothing in it happens but time."""

    start_us = 0
    scenario = "bench"
    scenarios = ("bench",)

    def __init__(self, units: int, registers: int) -> None:
        shape = profile(registers)
        self._now_us = 0
        self._units: dict[str, SimDevice] = {
            f"unit{n}": Unit(n, shape, lambda: self._now_us) for n in range(1, units + 1)
        }

    def set_scenario(self, name: str) -> None:
        """There is one."""

    def step(self, now_us: int) -> None:
        """Every register takes a new value."""
        self._now_us = now_us

    def devices(self) -> Mapping[str, SimDevice]:
        """All units."""
        return self._units

    def listeners(self) -> Sequence[Endpoint]:
        """One line."""
        return (Endpoint("bench", "modbus", 0, tuple(self._units)),)

    def scene(self, device_key: str) -> Scene:
        """No cameras here."""
        raise KeyError(device_key)


async def _serve(units: int, registers: int, tick_s: float) -> None:
    world = Field(units, registers)
    server = ModbusServer(world.listeners()[0], world, FaultBoard({}, []))
    await server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    while True:
        world.step(now_us())
        await server.tick()
        await asyncio.sleep(tick_s)


@contextmanager
def field_process(units: int, registers: int, tick_s: float = TICK_S) -> Iterator[int]:
    """Run the field in its own process; yield its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.field", str(units), str(registers), str(tick_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def write_gateway(
    folder: Path,
    port: int,
    units: int,
    registers: int,
    *,
    period_s: float,
    alarms: int = 0,
    limit: float = 650.0,
    centre_url: str | None = None,
    batch_s: float = 0.25,
    gateway: str = "gw-bench",
    first: int = 1,
    priorities: Sequence[str] = ("P3",),
) -> Path:
    """Write a gateway file and its profile for this field into `folder`; return the file.

    Its units are numbered from `first`. JSON is YAML, and this much of it is read by nobody.
    """
    profiles = folder / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    (profiles / f"{PROFILE}.yaml").write_text(
        profile(registers, alarms, limit, priorities).model_dump_json(exclude_defaults=True), encoding="utf-8"
    )
    lines = [
        f"gateway: {{id: {gateway}, name: {{zh: 测量, en: Bench}}}}",
        f"state_dir: {folder / 'state'}",
        f"profiles: {profiles}",
        f"periods: {{fast: {period_s}, normal: {period_s}, slow: {period_s}}}",
        f"batch: {{seconds: {batch_s}}}",
        f"sites: [{{key: {gateway}, name: {{zh: 测量, en: Bench}}, kind: bench, lon: 0.0, lat: 0.0}}]",
        f"connections: [{{key: line, protocol: modbus, settings: {{host: 127.0.0.1, port: {port}}}}}]",
        "devices:",
    ]
    if centre_url:
        lines.append("")
        lines.insert(1, f'centre: {{url: "{centre_url}"}}')
    lines += [
        f"  - {{key: unit{n}, site: {gateway}, name: {{zh: 单元, en: Unit}}, connection: line,"
        f" profile: {PROFILE}, params: {{unit: {n}}}}}"
        for n in range(first, first + units)
    ]
    path = folder / "gateway.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    # Whoever started us holds our input: when it is gone, so are we.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
