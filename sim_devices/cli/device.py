"""`citynerve-sim device`: one device of any profile."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import yaml

from protocols.model.clock import now_us
from sim_devices.cli import options
from sim_devices.cli.serve import serve, settings
from sim_devices.profiles import find_profile
from sim_devices.runner import Settings
from sim_devices.solo import SoloWorld


def device(
    profile: Annotated[str, typer.Argument(help="Id of a shipped profile, or the path of a profile file.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    param: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE as under `params:` of a gateway file: unit=3, device=p1, path=/x.jpg."),
    ] = None,
    transport: Annotated[
        str,
        typer.Option(help="How a Modbus device is reached: tcp, rtu, rtu-over-tcp, tls, udp or dial-in."),
    ] = "tcp",
    tty: Annotated[
        str, typer.Option(help="With rtu: path of the pseudo-terminal; one in a temporary folder without it.")
    ] = "",
    registration: Annotated[
        str, typer.Option(help="With dial-in: what it says first, text or hex:01 02.")
    ] = "",
    tls_folder: Annotated[
        str,
        typer.Option(help="With tls: folder for ca.pem, gateway.pem and gateway.key, made where missing."),
    ] = "",
    rtsp_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of a camera's stream; 0 takes a free one.")
    ] = 0,
    codec: Annotated[
        str, typer.Option(help="Coding of a camera's stream: jpeg, or with citynerve[video] h264, h265.")
    ] = "jpeg",
    host: options.Host = "127.0.0.1",
    seed: options.Seed = 1,
    tick: options.Tick = 0.5,
    for_s: options.For = None,
    fault: options.Faults = None,
    fault_schedule: options.Schedule = None,
    control_port: options.Control = None,
    camera_auth: options.CameraAuth = None,
    opcua_pki: options.OpcUaPki = None,
    opcua_auth: options.OpcUaAuth = None,
    as_json: options.AsJson = False,
) -> None:
    """Serve one device of any profile, with believable signals. Faults call it `device`.

    \b
    Example: citynerve-sim device eastron.sdm630 --port 5020

    \b
    Example: citynerve-sim device ./my-meter.yaml --port 5020 --param unit=7

    \b
    Example: citynerve-sim device eastron.sdm120 --transport rtu --tty /tmp/meter

    \b
    Example: citynerve-sim device xy_md02 --transport dial-in --port 8502 --registration DTU-7

    \b
    Example: citynerve-sim device city.camera --fault frozen:device

    \b
    Example: citynerve-sim device rtsp.camera --rtsp-port 8554 --codec h264 --fault blurred:device

    \b
    Example: citynerve-sim device city.sluice_gate --port 4840 --opcua-pki ./pki
    """

    def build() -> tuple[SoloWorld, Settings]:
        chosen = settings(
            host=host, speed=1.0, tick=tick, control_port=control_port,
            faults=fault, schedule=fault_schedule, camera_auth=camera_auth,
            opcua_pki=opcua_pki, opcua_auth=opcua_auth,
        )  # fmt: skip
        params = dict(_pair(text) for text in param or ())
        line: dict[str, Any] = {
            "transport": transport,
            "device": tty,
            "registration": registration,
            "tls_folder": tls_folder,
        }
        chosen_profile = find_profile(profile)
        if chosen_profile.protocol == "camera":
            line = {"rtsp_port": rtsp_port, "codec": codec}
        world = SoloWorld(
            chosen_profile, port=port, params=params, settings=line, seed=seed, start_us=now_us()
        )
        return world, chosen

    serve(build, for_s=for_s, as_json=as_json)


def _pair(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise typer.BadParameter(f"{text!r}: write it as KEY=VALUE", param_hint="--param")
    return key, yaml.safe_load(value)
