"""Profiles as YAML files in the layout that people write: what is short on one line, points one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from protocols.model.address.registry import ADDRESSES
from protocols.model.device import Profile

_ORDER: Final = (
    "id", "vendor", "model", "name", "version", "kind", "protocol", "limits", "mqtt_state", "source",
    "identity", "probe", "points", "golden",
)  # fmt: skip
_LAST: Final = ("alarms", "doc_ref", "verified")
_UNCLEAR: Final = re.compile(r"[-+.0-9]|~|(true|false|null|yes|no|on|off)$", re.IGNORECASE)
"""Texts that one YAML takes for a number or a switch, and another does not."""


class _Dumper(yaml.SafeDumper):
    """Quotes what could be read as anything but text; addresses stay hexadecimal."""


class _Hex(int):
    """A wire address."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _UNCLEAR.match(text) else None)


def _hex(dumper: _Dumper, number: _Hex) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:int", f"0x{number:04X}")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Hex, _hex)


def render(profile: Profile) -> str:
    """Return the text of a profile's file."""
    record = profile.model_dump(mode="json", exclude_defaults=True)
    lines: list[str] = []
    for key in _ORDER:
        if key not in record:
            continue
        if key in ("probe", "golden"):
            lines += [f"{key}:", *(f"  - {_flow(entry)}" for entry in record[key])]
        elif key == "points":
            lines.append("points:")
            in_hex = ADDRESSES.find(profile.protocol).in_hex
            for point in record[key]:
                address = point[profile.protocol]
                for name in in_hex & address.keys():
                    address[name] = _Hex(address[name])
                lines += _point(point)
        else:
            lines.append(f"{key}: {_flow(record[key])}")
    return "\n".join(lines) + "\n"


def _point(point: Mapping[str, Any]) -> list[str]:
    lines = []
    # The address comes last in its model, and is read beside the type.
    for key, value in sorted(point.items(), key=lambda part: part[0] in _LAST):
        if key == "alarms":
            lines.append("alarms:")
            for alarm in value:
                parts = [f"{name}: {_flow(part)}" for name, part in alarm.items()]
                lines += [f"  {'- ' if first else '  '}{part}" for first, part in _numbered(parts)]
        elif key == "labels":
            lines += ["labels:", *(f"  {label}: {_flow(words)}" for label, words in value.items())]
        else:
            lines.append(f"{key}: {_flow(value)}")
    return [f"  {'- ' if first else '  '}{line}" for first, line in _numbered(lines)]


def _numbered(lines: list[str]) -> list[tuple[bool, str]]:
    return [(number == 0, line) for number, line in enumerate(lines)]


def _flow(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1_000_000
    )
    return text.removesuffix("\n").removesuffix("\n...")
