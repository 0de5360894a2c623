"""`citynerve-sim gateway`: all devices of a gateway file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from protocols.model.clock import now_us
from sim_devices.cli import options
from sim_devices.cli.serve import serve, settings
from sim_devices.fleet import FleetWorld
from sim_devices.runner import Settings, Simulation


def gateway(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The gateway file (YAML).")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the gateway file that points at the simulators is written.", metavar="FILE"),
    ] = None,
    host: options.Host = "127.0.0.1",
    seed: options.Seed = 1,
    tick: options.Tick = 0.5,
    for_s: options.For = None,
    fault: options.Faults = None,
    fault_schedule: options.Schedule = None,
    control_port: options.Control = None,
    as_json: options.AsJson = False,
) -> None:
    """Serve every device of a gateway file on free ports, with believable signals.

    Writes a second gateway file with the real ports, a state folder of its own, and without the centre:
    beside the first one, with `.sim` in its name, where --out does not say otherwise.

    \b
    Example: citynerve-sim gateway gateway.yaml --out simulated.yaml

    \b
    Example: citynerve-sim gateway gateway.yaml --fault dead:pump1
    """
    built: list[FleetWorld] = []

    def build() -> tuple[FleetWorld, Settings]:
        chosen = settings(
            host=host, speed=1.0, tick=tick, control_port=control_port,
            faults=fault, schedule=fault_schedule, camera_auth=None,
        )  # fmt: skip
        built.append(FleetWorld(file, seed=seed, start_us=now_us()))
        return built[0], chosen

    def ready(simulation: Simulation) -> dict[str, Any]:
        target = out or file.with_name(f"{file.stem}.sim.yaml")
        urls = {key: server.url for key, server in simulation.servers.items()}
        target.write_text(built[0].rewritten(target, urls), encoding="utf-8")
        return {"gateways": [str(target)]}

    serve(build, for_s=for_s, as_json=as_json, ready=ready)
