"""The application as a whole: status, metrics, problems for whatever goes wrong, numbers for requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from central.config import Config
from protocols.errors import ConfigError
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running, running_centre


@pytest.fixture
async def city(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A running centre."""
    async with running_centre(database_url, tmp_path) as running:
        yield running


async def test_status_metrics_and_problems(city: Running) -> None:
    async with city.gateway() as gateway, city.client(None) as client:
        assert isinstance(gateway, FieldGateway)
        await gateway.readings(0, [city.clock.now], [1.5])
        health = await client.get("/healthz")
        assert (health.status_code, health.json()["database"]) == (200, "up")
        metrics = (await client.get("/metrics")).text
        assert 'citynerve_ingest_readings_total{gateway="gw-north"}' in metrics
        assert 'citynerve_gateways{state="online"} 1.0' in metrics
        assert "citynerve_database_up 1.0" in metrics

        missing = await client.get("/api/v1/nothing", headers={"X-Request-Id": "from-a-proxy"})
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.headers["x-request-id"] == "from-a-proxy"
        forged = await client.get("/api/v1/nothing", headers={"X-Request-Id": 'x" injected: "'})
        assert len(forged.headers["x-request-id"]) == 16
        wrong = await client.post("/api/v1/session", json={"username": 5})
        assert wrong.status_code == 422
        assert {item["field"] for item in wrong.json()["errors"]} == {"body.username", "body.password"}
        assert (await client.get("/gateway/v1/batches")).status_code == 405


def test_the_contract_is_printed_without_a_database() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "central", "openapi"], check=True, capture_output=True, text=True
    ).stdout
    paths = json.loads(printed)["paths"]
    assert "/api/v1/latest" in paths
    assert not [path for path in paths if path.startswith("/gateway/")]


def test_every_wrong_setting_is_named_at_once_and_no_password_shown(tmp_path: Path) -> None:
    wrong = {
        "CITYNERVE_PORT": "80000",
        "CITYNERVE_DATABASE_URL": "mysql://me:secret@db/x",
        "CITYNERVE_LOG_LEVEL": "loud",
        "CITYNERVE_MAP_DIR": str(tmp_path / "none"),
    }
    with pytest.raises(ConfigError) as refused:
        Config.from_env(wrong)
    assert {mistake.path for mistake in refused.value.mistakes} == set(wrong)
    assert "secret" not in str(refused.value)


def test_the_url_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://me@db/x\n")
    config = Config.from_env({"CITYNERVE_DATABASE_URL_FILE": str(file)})
    assert config.database_url == "postgresql://me@db/x"
    with pytest.raises(ConfigError, match="CITYNERVE_DATABASE_URL_FILE"):
        Config.from_env({"CITYNERVE_DATABASE_URL_FILE": str(tmp_path / "none")})
