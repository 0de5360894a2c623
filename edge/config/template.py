"""A first gateway file, as text with comments: what a technician goes on writing in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from protocols.field.registry import driver_class


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked. Without a profile there is no device yet; address and identity are its line's words."""

    gateway: str
    name_zh: str
    name_en: str
    site: str
    site_zh: str
    site_en: str
    site_kind: str
    lon: float
    lat: float
    centre: str = ""
    state_dir: str = "state"
    profile: str = ""
    protocol: str = ""
    device: str = ""
    device_zh: str = ""
    device_en: str = ""
    address: str = ""
    identity: str = ""


def render(answers: Answers) -> str:
    """Return the YAML text. Raises Rejected for an address or identity that cannot be one."""
    centre = f"centre: {{url: {_q(answers.centre)}}}" if answers.centre else _NO_CENTRE
    return _FILE.format(
        gateway=_q(answers.gateway),
        name=_names(answers.name_zh, answers.name_en),
        centre=centre,
        state_dir=_q(answers.state_dir),
        site=_q(answers.site),
        site_name=_names(answers.site_zh, answers.site_en),
        site_kind=_q(answers.site_kind),
        lon=answers.lon,
        lat=answers.lat,
        lines=_lines(answers) if answers.profile else _NO_LINES,
    )


def _lines(answers: Answers) -> str:
    driver = driver_class(answers.protocol)
    return _LINES.format(
        protocol=answers.protocol,
        settings=_flow(driver.settings_at(answers.address)),
        device=_q(answers.device),
        site=_q(answers.site),
        name=_names(answers.device_zh, answers.device_en),
        profile=_q(answers.profile),
        params=_flow(driver.params_named(answers.identity)),
    )


def _names(zh: str, en: str) -> str:
    return f"{{zh: {_q(zh)}, en: {_q(en)}}}"


def _q(text: str) -> str:
    """Return text as a YAML double-quoted scalar, of which JSON's strings are a part."""
    return json.dumps(text, ensure_ascii=False)


def _flow(entry: dict[str, Any]) -> str:
    return (
        "{"
        + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items())
        + "}"
    )


_NO_CENTRE: Final = '# centre: {url: "https://centre.example.city"}   # without it the gateway works alone'
_NO_LINES: Final = """\
# Lines and their devices; `citynerve-edge scan modbus HOST` proposes both:
# connections:
#   - {key: line1, protocol: modbus, settings: {host: 192.0.2.10, port: 502}}
# devices:
#   - key: meter1
#     site: SITE
#     name: {zh: 电表, en: Meter}
#     connection: line1
#     profile: eastron.sdm630
#     params: {unit: 1}
"""
_LINES: Final = """\
# One entry for each line: a Modbus TCP host, an OPC UA server, a broker, a camera, an agent.
connections:
  - {{key: line1, protocol: {protocol}, settings: {settings}}}

# One entry for each device behind a line; `profile` is its model.
devices:
  - key: {device}
    site: {site}
    name: {name}
    connection: line1
    profile: {profile}
    params: {params}
"""
_FILE: Final = """\
# Written by `citynerve-edge init`. Every setting: docs/configuration.md.
# `citynerve-edge check` lists every mistake with its line and repair.

# Who this gateway is. The id is the one that the centre enrols.
gateway: {{id: {gateway}, name: {name}}}

# Where readings go.
{centre}

# Folder for the buffer and the credentials; relative to this file.
state_dir: {state_dir}

# Seconds between two readings of a point, by the class that its profile gives it.
periods: {{fast: 1, normal: 5, slow: 60}}

# Places on the map. Degrees, WGS 84.
sites:
  - {{key: {site}, name: {site_name}, kind: {site_kind}, lon: {lon}, lat: {lat}}}

{lines}"""
