"""The compose files: well-formed, closed to the outside, unprivileged, secrets by file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
FILES = ("compose.yaml", "postgres.yaml")
SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "logging",
    "networks", "ports", "profiles", "read_only", "restart", "secrets", "security_opt", "shm_size",
    "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip


def load(name: str) -> dict[str, Any]:
    document = yaml.safe_load((FOLDER / name).read_text())
    assert isinstance(document, dict)
    return document


def services() -> list[tuple[str, str, dict[str, Any]]]:
    return [(file, name, body) for file in FILES for name, body in load(file)["services"].items()]


def merged(section: str) -> set[str]:
    return {name for file in FILES for name in load(file).get(section) or {}}


@pytest.mark.parametrize(("file", "name", "body"), services())
class TestService:
    def test_has_known_keys_only(self, file: str, name: str, body: dict[str, Any]) -> None:
        assert set(body) <= SERVICE_KEYS

    def test_names_what_is_declared(self, file: str, name: str, body: dict[str, Any]) -> None:
        assert set(body.get("networks", [])) <= merged("networks")
        assert set(body.get("secrets", [])) <= merged("secrets")
        assert set(body.get("depends_on", {})) <= merged("services")
        named = {volume.split(":")[0] for volume in body.get("volumes", []) if not volume.startswith(".")}
        assert named <= merged("volumes")

    def test_publishes_on_loopback_only(self, file: str, name: str, body: dict[str, Any]) -> None:
        assert all(port.startswith("127.0.0.1:") for port in body.get("ports", []))

    def test_image_is_pinned(self, file: str, name: str, body: dict[str, Any]) -> None:
        if image := body.get("image"):
            assert re.fullmatch(r"[a-z-]+:\d[\w.-]*", image)

    def test_environment_holds_no_secret(self, file: str, name: str, body: dict[str, Any]) -> None:
        for key in body.get("environment", {}):
            assert key.endswith("_FILE") or not re.search("PASSWORD|TOKEN|URL|SECRET", key)


@pytest.mark.parametrize("name", ["central", "edge", "sim"])
def test_our_own_containers_are_sealed(name: str) -> None:
    body = load("compose.yaml")["services"][name]
    assert body["read_only"] is True
    assert body["cap_drop"] == ["ALL"]
    assert body["security_opt"] == ["no-new-privileges:true"]
    dockerfile = FOLDER / body["build"]["context"] / body["build"]["dockerfile"]
    assert dockerfile.resolve().is_file()


def test_the_field_reaches_nothing_outside() -> None:
    networks = load("compose.yaml")["networks"]
    assert networks["field"]["internal"]
    assert networks["store"]["internal"]
    bodies = load("compose.yaml")["services"]
    assert set(bodies["sim"]["networks"]) == {"field"}
    assert set(bodies["central"]["networks"]).isdisjoint(bodies["sim"]["networks"])
