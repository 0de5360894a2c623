"""Options that `city` and `device` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim_devices.faults import GRAMMAR

Host = Annotated[str, typer.Option(help="Address to listen on. There is no sign-in: keep it on loopback.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same values.")]
Tick = Annotated[
    float, typer.Option("--tick", min=0.05, max=60, help="Seconds between updates of the values.")
]
For = Annotated[
    float | None, typer.Option("--for", min=0, help="Stop after so many seconds.", metavar="SECONDS")
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", help=f"A fault from the start; repeat it for more. {' | '.join(GRAMMAR.values())}"
    ),
]
Schedule = Annotated[
    Path | None,
    typer.Option("--fault-schedule", help='YAML list of {at_s: 30, fault: "dead:DEVICE", for_s: 60}.'),
]
Control = Annotated[
    int | None,
    typer.Option(
        "--control-port", min=0, max=65535, help="Port of the control endpoint; 0 takes a free one."
    ),
]
CameraAuth = Annotated[
    str | None,
    typer.Option(
        "--camera-auth", help="NAME:PASSWORD that cameras ask for.", envvar="CITYNERVE_SIM_CAMERA_AUTH"
    ),
]
OpcUaPki = Annotated[
    Path | None,
    typer.Option(
        "--opcua-pki",
        help="Secure OPC UA servers with all policies; their certificates are kept in this folder.",
        metavar="DIR",
    ),
]
OpcUaAuth = Annotated[
    str | None,
    typer.Option(
        "--opcua-auth",
        help="NAME:PASSWORD that OPC UA servers ask for; with --opcua-pki.",
        envvar="CITYNERVE_SIM_OPCUA_AUTH",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of a table.")]
