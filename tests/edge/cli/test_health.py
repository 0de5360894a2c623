"""What counts as ill, and how it is said."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from edge.cli.health import complaints, described, forecast

WELL: dict[str, Any] = {
    "gateway": "gw-a",
    "name": {"zh": "网关", "en": "Gateway"},
    "software": "citynerve 0.1.0",
    "now_us": 1_790_000_000_000_000,
    "uptime_s": 90_061.0,
    "cpu_pct": 3.21,
    "rss_mb": 71.4,
    "config": {"running": 3, "state": "same", "why": ""},
    "uplink": {"state": "up", "url": "https://centre.example.city", "reason": "", "enrolled": True},
    "storage": {"used_bytes": 5_000_000, "limit_bytes": 10**9, "free_bytes": 10**10, "left_s": 792_000.0},
    "backlog": {
        "batches": 2,
        "readings": 12,
        "bytes": 4_000,
        "oldest_us": 1_789_999_997_000_000,
        "eta_s": 4.0,
    },
    "clock": {"synced": True, "offset_us": 12_000},
    "local_manual": ["pump1"],
    "devices": {"total": 1, "offline": 0},
    "alarms": {"open": 1, "unacked": 1},
}
DEVICE: dict[str, Any] = {
    "key": "pump1", "state": "online", "reason": {"code": "ok", "zh": "正常", "en": "Well", "detail": ""},
    "latency_ms": 12.3, "last_us": 1_789_999_999_000_000,
}  # fmt: skip


def changed(section: str, **fields: Any) -> dict[str, Any]:
    overview = copy.deepcopy(WELL)
    overview[section] |= fields
    return overview


def test_a_well_gateway_has_no_complaint_and_open_alarms_are_none() -> None:
    assert list(complaints(WELL, [DEVICE])) == []
    told = "\n".join(described(WELL, [DEVICE]))
    assert "up 1 d 1 h" in told
    assert "1 open, 1 not acknowledged" in told
    assert "pump1: remote commands are locked out" in told
    assert "9 d 4 h left at this rate" in told
    assert "sent in 4.0 s" in told
    assert "of 1.0 GB" in told


@pytest.mark.parametrize(
    ("overview", "says"),
    [
        (changed("uplink", state="down", reason="certificate expired"), "certificate expired"),
        (changed("uplink", enrolled=False), "citynerve-edge enrol"),
        (changed("storage", left_s=3600.0), "full in 1 h"),
        (changed("storage", dropped=7), "7 readings were dropped"),
        (changed("clock", synced=False), "neither with NTP nor with the centre"),
        (changed("config", state="rolled-back", why="the uplink died"), "the uplink died"),
    ],
)
def test_each_illness_is_named(overview: dict[str, Any], says: str) -> None:
    (told,) = complaints(overview, [DEVICE])
    assert says in told


def test_a_gateway_alone_is_not_ill_for_what_it_cannot_have() -> None:
    alone = changed("uplink", url=None, state="down", enrolled=False)
    alone["clock"] = {"synced": False, "offset_us": None}
    assert list(complaints(alone, [DEVICE])) == []
    assert any("not confirmed" in line for line in described(alone, [DEVICE]))


@pytest.mark.parametrize("state", ["offline", "resting"])
def test_a_silent_device_is_ill_with_its_reason(state: str) -> None:
    silent = DEVICE | {
        "state": state,
        "reason": {"code": "BadTimeout", "en": "It stays silent.", "detail": ""},
    }
    assert list(complaints(WELL, [silent])) == [f"pump1 is {state}: It stays silent."]
    assert list(complaints(WELL, [DEVICE | {"state": "waiting"}])) == []


def test_an_empty_buffer_in_words() -> None:
    backlog = {"readings": 0, "bytes": 0, "oldest_us": None}
    storage = {"used_bytes": 100, "limit_bytes": None, "free_bytes": 2_000, "left_s": None}
    assert forecast(backlog, storage, 0) == "0 readings wait (0 B); 100 B used, 2.0 kB free on the disk"
