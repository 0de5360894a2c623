"""JSON Schema of the files that people write, so that an editor completes and checks them while typing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, get_args

from edge.config.models import GatewayFile
from protocols.field.registry import driver_class
from protocols.model.device import Profile, Protocol

FILES: Final = ("gateway.json", "profile.json")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each file by its file name; connection settings depend on the protocol."""
    gateway = GatewayFile.model_json_schema()
    connection = gateway["$defs"]["ConnectionEntry"]
    connection["allOf"] = []
    for protocol in get_args(Protocol):
        settings = driver_class(protocol).Settings.model_json_schema(
            ref_template=f"#/$defs/{protocol}.{{model}}", mode="validation"
        )
        for name, definition in settings.pop("$defs", {}).items():
            gateway["$defs"][f"{protocol}.{name}"] = definition
        connection["allOf"].append(
            {
                "if": {"properties": {"protocol": {"const": protocol}}},
                "then": {"properties": {"settings": settings}},
            }
        )
    profile = Profile.model_json_schema()
    for name, schema in (("gateway", gateway), ("profile", profile)):
        schema["$schema"] = _DIALECT
        schema["title"] = f"CityNerve {name} file"
    return {"gateway.json": gateway, "profile.json": profile}


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
