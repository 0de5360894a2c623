"""The table of metrics, the alert rules and /metrics say the same names; and strangers are told nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client import REGISTRY

from central.config import Config
from central.kernel.problem import Problem
from central.status.door import Door
from central.store.keeping import keeper  # noqa: F401 - its counters are in the table
from protocols.errors import ConfigError
from tests.architecture.reference import ROOT
from tests.central.systems.field import PUMP
from tests.central.systems.running import Running, running_centre

RULES: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/citynerve.rules.yml").read_text())
KINDS = {"counter": "_total", "gauge": "", "histogram": "_bucket"}


def documented() -> dict[str, tuple[str, set[str]]]:
    """Kind and labels by name, as the table says."""
    rows = re.findall(
        r"^\| (`citynerve_.*?) \| (\w+) \| (.*?) \|", (ROOT / "docs/metrics.md").read_text(), re.M
    )
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for names, kind, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }


def test_the_table_is_what_the_centre_counts() -> None:
    counted = {
        metric.name: metric.type for metric in REGISTRY.collect() if metric.name.startswith("citynerve_")
    }
    assert {name: kind for name, (kind, _) in documented().items()} == counted


def test_every_alert_asks_for_a_name_that_is_there() -> None:
    series = {
        name + end
        for name, (kind, _) in documented().items()
        for end in {KINDS[kind], *(("_sum", "_count") if kind == "histogram" else ())}
    }
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len(rules) > 15
    for rule in rules:
        asked = set(re.findall(r"citynerve_\w+", rule["expr"]))
        assert asked <= series, rule["alert"]
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys()
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            known = set().union(*(documented()[re.sub(r"_(total|bucket)$", "", name)][1] for name in asked))
            assert label in known | {"instance"}


async def test_what_can_fill_or_lag_is_counted(database_url: str, tmp_path: Path) -> None:
    async with running_centre(database_url, tmp_path) as city, city.gateway() as gateway:
        await gateway.readings(0, [city.clock() - 5_000_000], [1.0])
        await city.centre.outbox.send(PUMP, 1.0, issued_by="x")
        said = await scrape(city)
    assert said['citynerve_ingest_readings_total{gateway="gw-north"}'] >= 1
    assert said['citynerve_outbox_commands{state="pending"}'] == 1
    # It sent with a clock that is five seconds behind.
    assert said['citynerve_gateways{state="degraded"}'] == 1
    assert said['citynerve_gateway_clock_offset_seconds{gateway="gw-north"}'] == pytest.approx(5.0)
    assert said['citynerve_gateway_lag_seconds{gateway="gw-north"}'] == pytest.approx(5.0)
    assert said["citynerve_rollup_backlog_minutes"] == 1
    assert said["citynerve_database_up"] == 1
    assert said["citynerve_backup_taken_timestamp_seconds"] == 0
    assert 0 < said["citynerve_disk_free_bytes"] < said["citynerve_disk_size_bytes"]
    assert said['citynerve_database_connections{pool="copy",state="used"}'] >= 0
    assert said["citynerve_ingest_group_batches_count"] >= 1


async def scrape(city: Running) -> dict[str, float]:
    async with city.client(None) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def test_a_stranger_is_refused(database_url: str, tmp_path: Path) -> None:
    async with running_centre(database_url, tmp_path) as city:
        transport = httpx2.ASGITransport(city.app, client=("203.0.113.9", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://centre.test") as client:
            for path in ("/metrics", "/healthz"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["type"]) == (403, "/problems/status-closed")


def test_the_door_opens_for_the_networks_that_are_named() -> None:
    config = Config.from_env({"CITYNERVE_STATUS_FROM": "10.1.0.0/16, 2001:db8::/32"})
    door = Door(config.status_from)
    for address in ("127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7", "", "unix-peer"):
        door.admit((address, 1))
    door.admit(None)
    for address in ("10.2.0.1", "2001:db9::1"):
        with pytest.raises(Problem, match="CITYNERVE_STATUS_FROM"):
            door.admit((address, 1))
    Door(Config.from_env({"CITYNERVE_STATUS_FROM": "*"}).status_from).admit(("198.51.100.1", 1))
    with pytest.raises(ConfigError, match="CITYNERVE_STATUS_FROM"):
        Config.from_env({"CITYNERVE_STATUS_FROM": "everywhere"})
    assert "172.18.0.1/32" in Config.from_env({"CITYNERVE_PROXIES": "172.18.0.1"}).proxies
    for wrong in ("*", "nginx"):
        with pytest.raises(ConfigError, match="CITYNERVE_PROXIES"):
            Config.from_env({"CITYNERVE_PROXIES": wrong})
