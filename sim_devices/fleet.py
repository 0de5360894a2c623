"""A world made of a gateway file: every device that it names, on servers of its lines' protocols.

Read from the YAML itself and not through the gateway's own code: houses never import each other. Whoever
wants every mistake of the file listed asks `citynerve-edge check`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from protocols.errors import Rejected
from protocols.model.clock import SECOND_US
from protocols.model.device import Profile
from sim_devices.paste import line_settings
from sim_devices.plain_yaml import load
from sim_devices.profiles import find_profile, read_profile
from sim_devices.solo import SoloDevice, river_scene
from sim_devices.world import Endpoint, Scene, SimDevice


class FleetWorld:
    """Implements `sim_devices.world.World`: a server for each connection, a device for each device."""

    scenarios = ("steady",)
    scenario = "steady"

    def __init__(self, path: Path, *, seed: int = 1, start_us: int) -> None:
        """Read the gateway file at `path`. Raises Rejected, with the place in words."""
        self.start_us = start_us
        self.path = path
        self.data = _mapping(path)
        self._devices: dict[str, SoloDevice] = {}
        on: dict[str, list[str]] = {}
        for entry in self._entries("devices", ("key", "profile", "connection")):
            key, params = str(entry["key"]), entry.get("params") or {}
            device = SoloDevice(self._profile(str(entry["profile"])), params, seed, key=key)
            device.time_us = start_us
            self._devices[key] = device
            on.setdefault(str(entry["connection"]), []).append(key)
        self._endpoints = tuple(
            self._endpoint(entry, tuple(on[str(entry["key"])]))
            for entry in self._entries("connections", ("key", "protocol"))
            if str(entry["key"]) in on
        )
        if not self._endpoints:
            raise Rejected("no-devices", f"{path} has no devices to simulate; add some under `devices:`")

    def set_scenario(self, name: str) -> None:
        """There is only one; ValueError for another."""
        if name != self.scenario:
            raise ValueError(f"a gateway file's devices know the scenario 'steady' only, not {name!r}")

    def step(self, now_us: int) -> None:
        """Move the signals' clock."""
        for device in self._devices.values():
            device.time_us = max(device.time_us, now_us)

    def devices(self) -> Mapping[str, SimDevice]:
        """Every device of the file."""
        return self._devices

    def listeners(self) -> Sequence[Endpoint]:
        """A server for each connection that has devices."""
        return self._endpoints

    def scene(self, device_key: str) -> Scene:
        """A river by day; KeyError for a device that is no camera."""
        device = self._devices[device_key]
        if device.profile.protocol != "camera":
            raise KeyError(device_key)
        return river_scene(device.time_us / SECOND_US, device.time_us)

    def rewritten(self, out: Path, urls: Mapping[str, str]) -> str:
        """Return the gateway file with its lines at the simulators, to be written to `out`.

        It has a state folder of its own and no centre, so that simulated readings never meet real ones.
        """
        data = copy.deepcopy(self.data)
        for section in ("centre", "page", "updates"):
            data.pop(section, None)
        # A real gateway may run on this machine already, and serve its page where this one would.
        data["page"] = {"enabled": False}
        data["state_dir"] = f"{out.stem}-state"
        if data.get("profiles"):
            data["profiles"] = str((self.path.resolve().parent / str(data["profiles"])).resolve())
        for entry in data["connections"]:
            if entry["key"] in urls:
                entry["settings"] = line_settings(entry, urls[entry["key"]], self._tls_folder)
        body = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
        return f"# Made by `citynerve-sim gateway {self.path.name}`: its devices, simulated here.\n{body}"

    @property
    def _tls_folder(self) -> Path:
        return self.path.resolve().with_name(f"{self.path.stem}.sim-tls")

    def _endpoint(self, entry: Mapping[str, Any], devices: tuple[str, ...]) -> Endpoint:
        """Return the server of a line, by the same transport; a serial port becomes a pseudo-terminal."""
        settings = entry.get("settings") or {}
        line = {key: settings[key] for key in ("transport", "registration", "frames") if key in settings}
        if line.get("transport") == "tls":
            line["tls_folder"] = str(self._tls_folder)
        # A DTU calls the port that its gateway listens on; everything else takes a free one.
        port = int(settings.get("port") or 0) if line.get("transport") == "dial-in" else 0
        return Endpoint(str(entry["key"]), entry["protocol"], port, devices, line)

    def _entries(self, section: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
        found = self.data.get(section) or []
        if not isinstance(found, list) or not all(
            isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in needed)
            for entry in found
        ):
            raise Rejected(
                "gateway-file",
                f"{self.path}: `{section}:` cannot be read; run: citynerve-edge check {self.path}",
            )
        return found

    def _profile(self, name: str) -> Profile:
        own = self.data.get("profiles")
        if isinstance(own, str) and "/" not in name:
            path = self.path.resolve().parent / own / f"{name}.yaml"
            if path.is_file():
                return read_profile(path)
        return find_profile(name)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        data = load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Rejected("gateway-file", f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Rejected("gateway-file", f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise Rejected("gateway-file", f"{path} is no gateway file; run: citynerve-edge check {path}")
    return data
