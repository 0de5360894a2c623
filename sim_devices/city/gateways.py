"""The gateway files that read the city, generated from the city file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from protocols.model.device import Text
from sim_devices.city.spec import CitySpec, DeviceSpec, EndpointSpec, GatewaySpec

STATE_ROOT = Path("/var/lib/citynerve-edge")
COMMITTED_PORT_BASE = 15_000
COMMITTED_CENTRE = "http://127.0.0.1:8600"
FIRST_PAGE = 8620
"""Port of the first gateway's page: all of them run on one machine in the demo."""
PICTURES = {"every_s": 60}
PERIODS = {"fast": 1, "normal": 5, "slow": 20}
_HEAD = """\
# {zh} {en}: generated from sim_devices/city/linjiang.yaml by `python -m sim_devices.city`; edit that file.
"""


def write_gateway_files(
    spec: CitySpec,
    params: Mapping[str, Mapping[str, Any]],
    folder: Path,
    ports: Mapping[str, int],
    *,
    centre_url: str | None,
    host: str,
    state_root: Path,
) -> list[Path]:
    """Write one file per gateway into `folder` and return their paths, in the city file's order.

    `params` holds each device's parameters by its key, `ports` each endpoint's port by its key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, gateway in enumerate(spec.gateways):
        path = folder / f"{gateway.key}.yaml"
        text = render(
            spec, gateway, params, ports,
            centre_url=centre_url, host=host, state_dir=state_root / gateway.key, page=FIRST_PAGE + number,
        )  # fmt: skip
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def render(
    spec: CitySpec,
    gateway: GatewaySpec,
    params: Mapping[str, Mapping[str, Any]],
    ports: Mapping[str, int],
    *,
    centre_url: str | None,
    host: str,
    state_dir: Path,
    page: int,
) -> str:
    """Return one gateway file as text: short things on one line, as a technician would write it."""
    mine = [site for site in spec.sites if site.gateway == gateway.key]
    used = {device.endpoint for site in mine for device in site.devices}
    lines = [_HEAD.format(zh=gateway.name.zh, en=gateway.name.en)]
    lines.append(f"gateway: {_flow({'id': gateway.key, 'name': _text(gateway.name)})}")
    if centre_url is not None:
        lines.append(f"centre: {_flow({'url': centre_url})}")
    lines.append(f"state_dir: {_flow(str(PurePosixPath(state_dir)))}")
    lines.append(f"page: {_flow({'port': page})}")
    lines.append(f"periods: {_flow(PERIODS)}")
    if any(endpoint.protocol == "camera" and endpoint.key in used for endpoint in spec.endpoints):
        lines.append(f"pictures: {_flow(PICTURES)}")
    lines.append("sites:")
    for site in mine:
        record = {
            "key": site.key,
            "name": _text(site.name),
            "kind": site.kind,
            "district": site.district,
            "lon": site.at[0],
            "lat": site.at[1],
        }
        lines.append(f"  - {_flow(record)}")
    lines.append("connections:")
    for endpoint in spec.endpoints:
        if endpoint.key in used:
            settings = connection_settings(endpoint, host, ports[endpoint.key], gateway.key)
            lines.append(
                f"  - {_flow({'key': endpoint.key, 'protocol': endpoint.protocol, 'settings': settings})}"
            )
    lines.append("devices:")
    for key, site, device in spec.devices():
        if site.gateway == gateway.key:
            lines.extend(_device(key, site.key, device, params[key]))
    return "\n".join(lines) + "\n"


def connection_settings(endpoint: EndpointSpec, host: str, port: int, gateway: str) -> dict[str, Any]:
    """Return what the gateway file says under `settings:` to reach a server of the city."""
    if endpoint.protocol == "opcua":
        return {"url": f"opc.tcp://{host}:{port}/citynerve/{endpoint.key}"}
    if endpoint.protocol == "camera":
        return {"base_url": f"http://{host}:{port}"}
    if endpoint.protocol == "mqtt":
        return {"host": host, "port": port, "client_id": gateway}
    return {"host": host, "port": port}


def _device(key: str, site: str, device: DeviceSpec, params: Mapping[str, Any]) -> Iterator[str]:
    yield f"  - key: {key}"
    yield f"    site: {site}"
    yield f"    name: {_flow(_text(device.name))}"
    yield f"    connection: {device.endpoint}"
    yield f"    profile: {device.profile}"
    yield f"    params: {_flow(dict(params))}"
    if device.alarms:
        yield "    alarms:"
        for alarm in device.alarms:
            yield f"      - {_flow(alarm)}"


def _text(name: Text) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}


def _flow(value: Any) -> str:
    """Return YAML in flow style on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        plain = value.isascii() and value.replace("-", "").replace("_", "").replace(".", "").isalnum()
        safe = plain or (not value.isascii() and value.isalnum())
        return value if safe and yaml.safe_load(value) == value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
