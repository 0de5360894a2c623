"""`citynerve-sim device`: one device of any profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from protocols.model.clock import now_us
from protocols.model.device import Profile
from sim_devices.cli import options
from sim_devices.cli.serve import serve, settings
from sim_devices.paste import paste, whole
from sim_devices.profiles import find_profile
from sim_devices.runner import Settings, Simulation
from sim_devices.servers.base import SimServer
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
        typer.Option(
            help="How a Modbus device is reached: tcp, rtu, ascii, rtu-over-tcp, tls, udp or dial-in."
        ),
    ] = "tcp",
    tty: Annotated[
        str,
        typer.Option(
            help="With rtu or ascii: path of the pseudo-terminal; one in a temporary folder without it."
        ),
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
    opcua_history: Annotated[
        bool, typer.Option("--opcua-history", help="An OPC UA server that keeps what its points were.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write a whole gateway file that reads this device.", metavar="FILE"),
    ] = None,
    golden: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Show the N-th golden vector of each point instead of signals: known values for a bench.",
        ),
    ] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Serve one device of any profile over its protocol: believable signals, faults, known values.

    Prints where it is reached, and what to paste into a gateway file. Faults call the device and its line
    `device`; a device of a Modbus line has unit 1, others are called `device`, unless --param says otherwise.

    \b
    Example: citynerve-sim device eastron.sdm630 --port 5020

    \b
    Example: citynerve-sim device eastron.sdm630 --out bench.yaml

    \b
    Example: citynerve-sim device ./my-meter.yaml --port 5020 --param unit=7 --golden 1

    \b
    Example: citynerve-sim device eastron.sdm120 --transport rtu --tty /tmp/meter

    \b
    Example: citynerve-sim device xy_md02 --transport rtu-over-tcp --fault sentinel:device.humidity

    \b
    Example: citynerve-sim device xy_md02 --transport tls --port 8802 --tls-folder ./tls

    \b
    Example: citynerve-sim device xy_md02 --transport udp --port 5020 --fault slow:device:3

    \b
    Example: citynerve-sim device xy_md02 --transport dial-in --port 8502 --registration DTU-7

    \b
    Example: citynerve-sim device chint.dtsu666 --port 5020 --fault spike:device.power:15

    \b
    Example: citynerve-sim device rtsp.camera --rtsp-port 8554 --codec h264 --fault blurred:device

    \b
    Example: citynerve-sim device city.sluice_gate --port 4840 --opcua-pki ./pki --opcua-history

    \b
    Example: citynerve-sim device generic.single_lamp --port 1883 --param device=lamp7

    \b
    Example: citynerve-sim device city.booster_station --port 1883 --param node=n1

    \b
    Example: citynerve-sim device city.camera --port 8080 --fault frozen:device
    """
    found: list[Profile] = []

    def build() -> tuple[SoloWorld, Settings]:
        chosen = settings(
            host=host, speed=1.0, tick=tick, control_port=control_port,
            faults=fault, schedule=fault_schedule, camera_auth=camera_auth,
            opcua_pki=opcua_pki, opcua_auth=opcua_auth, opcua_history=opcua_history,
        )  # fmt: skip
        params = dict(_pair(text) for text in param or ())
        line: dict[str, Any] = {
            "transport": transport,
            "device": tty,
            "registration": registration,
            "tls_folder": tls_folder,
        }
        found.append(find_profile(profile))
        if found[0].protocol == "camera":
            line = {"rtsp_port": rtsp_port, "codec": codec}
        world = SoloWorld(
            found[0], port=port, params=params, settings=line, seed=seed, golden=golden, start_us=now_us()
        )
        return world, chosen

    def ready(simulation: Simulation) -> dict[str, Any]:
        (server,) = simulation.servers.values()
        entries = paste(
            server, simulation.world.devices()["device"], profile, _extra(server, opcua_auth, camera_auth)
        )
        if out is not None:
            out.write_text(whole(entries, out), encoding="utf-8")
        files = {} if out is None else {"gateways": [str(out)]}
        return {"paste": entries, "golden": _shown(found[0], golden), **files}

    serve(build, for_s=for_s, as_json=as_json, ready=ready)


def _extra(server: SimServer, opcua_auth: str | None, camera_auth: str | None) -> dict[str, Any]:
    """Return settings of the line beside its address."""
    auth = {"opcua": opcua_auth, "camera": camera_auth}.get(server.endpoint.protocol)
    more: dict[str, Any] = {}
    if server.also:
        more = {"rtsp_port": int(server.also.rpartition(":")[2]), "onvif": True}
    if auth is not None:
        more |= {"username": auth.partition(":")[0], "password_file": "password.txt"}
    return more


def _shown(profile: Profile, round_: int) -> list[dict[str, Any]]:
    """Return the vectors that are shown, with what a gateway must make of them."""
    if not round_:
        return []
    vectors = {point.key: [v for v in profile.golden if v.point == point.key] for point in profile.points}
    return [found[(round_ - 1) % len(found)].model_dump(mode="json") for found in vectors.values() if found]


def _pair(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise typer.BadParameter(f"{text!r}: write it as KEY=VALUE", param_hint="--param")
    return key, yaml.safe_load(value)
