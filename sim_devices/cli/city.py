"""`citynerve-sim city`: the whole city of Linjiang."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sim_devices.cli import options
from sim_devices.cli.serve import serve, settings
from sim_devices.runner import Settings, Simulation
from sim_devices.world import City


def city(
    *,
    scenario: Annotated[
        str, typer.Option(help="What the day brings; `citynerve-sim list` names them.")
    ] = "calm",
    seed: options.Seed = 1,
    speed: Annotated[float, typer.Option(min=0.1, max=3600, help="World seconds per real second.")] = 60.0,
    port_base: Annotated[
        int,
        typer.Option(
            min=0, max=65000, help="First port; the servers take it and the next ones. 0: free ports."
        ),
    ] = 15000,
    host: options.Host = "127.0.0.1",
    gateways_out: Annotated[
        Path | None,
        typer.Option(
            help="Write a gateway file per gateway here, with the real ports, and then a file `ready`. "
            "The gateways keep their state in its folder `state`.",
            metavar="DIR",
        ),
    ] = None,
    centre: Annotated[
        str | None, typer.Option(help="Address of the centre, for the gateway files.", metavar="URL")
    ] = None,
    tick: options.Tick = 0.5,
    for_s: options.For = None,
    fault: options.Faults = None,
    fault_schedule: options.Schedule = None,
    control_port: options.Control = None,
    camera_auth: options.CameraAuth = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the city: pumping stations, river, underpass, lamps, meters, air, signs and cameras.

    \b
    Example: citynerve-sim city --scenario rainstorm

    \b
    Example: citynerve-sim city --port-base 0 --json --for 60

    \b
    Example: citynerve-sim city --gateways-out ./gateways

    \b
    Example: citynerve-sim city --fault drop:modbus-north:10
    """
    built: list[City] = []

    def build() -> tuple[City, Settings]:
        from sim_devices.city import open_city  # noqa: PLC0415 - reads the city file; `--help` need not wait

        chosen = settings(
            host=host, speed=speed, tick=tick, control_port=control_port,
            faults=fault, schedule=fault_schedule, camera_auth=camera_auth,
        )  # fmt: skip
        built.append(open_city(seed=seed, scenario=scenario, port_base=port_base))
        return built[0], chosen

    def ready(simulation: Simulation) -> dict[str, Any]:
        if gateways_out is None:
            return {}
        gateways_out.mkdir(parents=True, exist_ok=True)
        state = gateways_out.resolve() / "state"
        written = built[0].write_gateways(gateways_out, simulation.ports, centre, state_root=state)
        (gateways_out / "ready").touch()
        return {"gateways": [str(path) for path in written]}

    serve(build, for_s=for_s, as_json=as_json, ready=ready)
