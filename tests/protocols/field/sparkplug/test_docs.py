"""The examples of docs/sparkplug.md and docs/mqtt.md are configurations that a gateway takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from protocols.field.registry import driver_class
from protocols.model.device import point_model

DOCS = Path(__file__).parents[4] / "docs"
PAGES = ("mqtt.md", "sparkplug.md")


def examples(page: str) -> list[dict[str, Any]]:
    """Return every YAML example of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("page", PAGES)
def test_every_example_is_valid(page: str) -> None:
    found = examples(page)
    assert found
    for example in found:
        protocols = {}
        for connection in example.get("connections", []):
            chosen = driver_class(connection["protocol"])
            chosen.Settings.model_validate(connection["settings"])
            protocols[connection["key"]] = chosen
        for device in example.get("devices", []):
            protocols[device["connection"]].Params.model_validate(device["params"])
        for point in example.get("points", []):
            point_model(page.removesuffix(".md")).model_validate(point)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_and_address_field_is_explained(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    if page == "sparkplug.md":
        text += (DOCS / "mqtt.md").read_text(encoding="utf-8")
    protocol = page.removesuffix(".md")
    fields = [*driver_class(protocol).Settings.model_fields, *driver_class(protocol).Params.model_fields]
    missing = [name for name in fields if f"`{name}`" not in text and f"{name}:" not in text]
    assert not missing
