"""JSON Schema of the files that people write, so that an editor completes and checks them while typing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from edge.config.models import GatewayFile
from protocols.field.registry import driver_class, protocols
from protocols.model.address.registry import ADDRESSES
from protocols.model.device import Profile

FILES: Final = ("gateway.json", "profile.json")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each file by its file name, with the settings and addresses of each protocol."""
    gateway, profile = _gateway(), _profile()
    for name, schema in (("gateway", gateway), ("profile", profile)):
        schema["$schema"] = _DIALECT
        schema["title"] = f"CityNerve {name} file"
    return {"gateway.json": gateway, "profile.json": profile}


def _gateway() -> dict[str, Any]:
    gateway = GatewayFile.model_json_schema()
    connection = gateway["$defs"]["ConnectionEntry"]
    connection["allOf"] = []
    connection["properties"]["protocol"]["enum"] = list(protocols())
    for protocol in protocols():
        settings = driver_class(protocol).Settings.model_json_schema(
            ref_template=f"#/$defs/{protocol}.{{model}}", mode="validation"
        )
        _define(gateway, protocol, settings)
        connection["allOf"].append(
            {
                "if": {"properties": {"protocol": {"const": protocol}}},
                "then": {"properties": {"settings": settings}},
            }
        )
    return gateway


def _profile() -> dict[str, Any]:
    profile = Profile.model_json_schema()
    known = ADDRESSES.protocols()
    profile["properties"]["protocol"]["enum"] = list(known)
    profile["allOf"] = []
    for protocol in known:
        address = ADDRESSES.find(protocol).model_json_schema(ref_template=f"#/$defs/{protocol}.{{model}}")
        _define(profile, protocol, address)
        profile["$defs"]["PointProfile"]["properties"][protocol] = address
        profile["allOf"].append(
            {
                "if": {"properties": {"protocol": {"const": protocol}}},
                "then": {"properties": {"points": {"items": {"required": [protocol]}}}},
            }
        )
    return profile


def _define(whole: dict[str, Any], protocol: str, part: dict[str, Any]) -> None:
    """Move the definitions of a part to the whole, under the protocol's name."""
    for name, definition in part.pop("$defs", {}).items():
        whole["$defs"][f"{protocol}.{name}"] = definition


def write_schemas(folder: Path) -> list[Path]:
    """Write the schemas into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        path = folder / name
        path.write_text(render(schema), encoding="utf-8")
        written.append(path)
    return written


def render(schema: dict[str, Any]) -> str:
    """Return the text of a schema file; the same schema always gives the same bytes."""
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
