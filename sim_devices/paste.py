"""What a person writes into a gateway file to reach a simulated line: its settings, a piece to paste."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sim_devices.registry import SIMULATORS
from sim_devices.servers.base import SimServer
from sim_devices.world import SimDevice

_SITE = {"key": "here", "name": {"zh": "试验台", "en": "Bench"}, "kind": "bench", "lon": 0.0, "lat": 0.0}


def paste(server: SimServer, device: SimDevice, profile: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a gateway file for a lone device; `profile` as the person named it.

    A profile of his own is found in a folder that `profiles` names. `settings`: what the line needs beside
    its address, such as a user name.
    """
    endpoint = server.endpoint
    before = {key: value for key, value in endpoint.settings.items() if value and key != "tls_folder"}
    entry = {"protocol": endpoint.protocol, "settings": before}
    folder = Path(str(endpoint.settings.get("tls_folder") or "."))
    line = {**line_settings(entry, server.url, folder), **settings}
    path = Path(profile)
    own = path.suffix in (".yaml", ".yml")
    return {
        **({"profiles": str(path.parent)} if own else {}),
        "sites": [_SITE],
        "connections": [{"key": "line1", "protocol": endpoint.protocol, "settings": line}],
        "devices": [
            {
                "key": "device1", "site": "here", "name": device.profile.name.model_dump(),
                "connection": "line1", "profile": device.profile.id, "params": dict(device.params),
            }
        ],
    }  # fmt: skip


def whole(entries: Mapping[str, Any], out: Path) -> str:
    """Return a gateway file that reads the lone device, to be written to `out`; it has no centre."""
    own = {
        "gateway": {"id": "gw-bench", "site": "here", "name": {"zh": "试验台", "en": "Test bench"}},
        "state_dir": f"{out.stem}-state",
        "page": {"enabled": False},
    }
    if "profiles" in entries:
        own["profiles"] = str(Path(str(entries["profiles"])).resolve())
    head = "# Made by `citynerve-sim device`: one simulated device, read by one gateway.\n"
    return (
        head + as_yaml({**own, **{key: value for key, value in entries.items() if key != "profiles"}}) + "\n"
    )


def as_yaml(entries: Mapping[str, Any]) -> str:
    """Return the entries as people write them, one to a line."""
    lines = []
    for section, value in entries.items():
        if isinstance(value, list):
            lines += [f"{section}:", *(f"  - {_flow(each)}" for each in value)]
        else:
            lines.append(f"{section}: {_flow(value) if isinstance(value, dict) else value}")
    return "\n".join(lines)


def _flow(entry: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(
        entry, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text.strip()


def line_settings(entry: Mapping[str, Any], url: str, tls_folder: Path) -> dict[str, Any]:
    """Return a line's settings for a simulator's address; simulators ask for no password."""
    before = entry.get("settings") or {}
    transport = before.get("transport", "tcp") if entry["protocol"] == "modbus" else "tcp"
    if transport in ("rtu", "ascii"):
        # A pseudo-terminal has no speed; what the file says of it stays true.
        return {**before, "device": url.removeprefix("serial:")}
    place = SIMULATORS.find(entry["protocol"]).settings_at(url)
    if transport == "tls":
        files = {"ca_file": "ca.pem", "certificate": "gateway.pem", "key": "gateway.key"}
        return {"transport": "tls", **place, **{key: str(tls_folder / name) for key, name in files.items()}}
    if transport == "dial-in":
        return {**before, **place}
    return place | ({"transport": transport} if transport != "tcp" else {})
