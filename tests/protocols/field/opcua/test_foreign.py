"""The driver against node-opcua, an implementation of the standard that shares no line with our library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import ConnectionLost, DeviceRefused
from protocols.field.base import Answer, Driver
from protocols.field.opcua import OpcUaSettings
from protocols.field.opcua.scan import browse
from protocols.field.opcua.trust import TrustList
from protocols.field.scanning import Found
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, listening, profile
from tests.protocols.field.opcua.foreign_server import URI, Foreign

NAMES = ("level", "flow", "steady", "text", "bad", "list", "ghost", "second")
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with Foreign(tmp_path_factory.mktemp("foreign")) as server:
        yield server


def made(server: Foreign, folder: Path, **settings: Any) -> Driver:
    def point(name: str) -> dict[str, Any]:
        address: dict[str, Any] = {
            "namespace": URI,
            "node": f"s=P1.{'List' if name == 'second' else name.title()}",
        }
        if name in ("flow", "level"):
            address["deadband_percent"] = 10
        if name == "second":
            address["part"] = "[1]"
        kind = "text" if name == "text" else "f64"
        return {
            "key": name, "type": kind, "period": "fast", "opcua": address,
            "writable": name != "text",
        }  # fmt: skip

    device = bind(profile("opcua", [point(name) for name in NAMES]), {})
    return driver("opcua", {"url": server.url, "pki_dir": str(folder), **settings}, device)


async def test_values_limits_deadbands_and_writes(foreign: Foreign, tmp_path: Path) -> None:
    one = made(foreign, tmp_path)
    index = {name: at for at, name in enumerate(NAMES)}
    async with listening(one) as heard:
        await heard.until(lambda h: set(h.last()) == set(index.values()), PATIENCE_S)
        last = heard.last()
        assert last[index["steady"]] == (1.0, Quality.GOOD)
        assert last[index["text"]] == ("ok", Quality.GOOD)
        assert last[index["bad"]][1] == Quality.BAD_DEVICE_FAILURE
        assert last[index["list"]][1] == Quality.BAD_TYPE_MISMATCH
        assert last[index["second"]] == (2.0, Quality.GOOD)
        assert last[index["ghost"]][1] == Quality.BAD_NODE_ID_UNKNOWN
        # It keeps a percent deadband where the node has a range, and refuses one where it has none.
        assert any("without the profile's deadband" in said for said in one.remarks()), one.remarks()
        foreign.put("Flow", 12.0)
        foreign.put("Level", 2.6)
        await heard.until(lambda h: h.last()[index["level"]] == (2.6, Quality.GOOD), PATIENCE_S)
        foreign.put("Flow", 30.0)
        await heard.until(lambda h: h.last()[index["flow"]] == (30.0, Quality.GOOD), PATIENCE_S)
        seen = heard.all()
        assert 12.0 not in seen.value[seen.point == index["flow"]].tolist(), "5 of 100 is below 10 per cent"
        points = one.devices[0].points
        assert await one.write(points[index["steady"]], 4.0) == 4.0
        # It keeps index ranges: one element is written, the others stay.
        assert await one.write(points[index["second"]], 6.5) == 6.5
        await heard.until(lambda h: h.last()[index["second"]] == (6.5, Quality.GOOD), PATIENCE_S)
        with pytest.raises(DeviceRefused):
            await one.write(points[index["ghost"]], 4.0)


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
async def test_security_and_users(
    foreign: Foreign, tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "Riverside-4411")
    user = {"security_policy": policy, "username": "operator", "password_env": "GATE_PASSWORD"}
    with pytest.raises(ConnectionLost, match="nobody has trusted"):
        await made(foreign, tmp_path, **user).open()
    known = TrustList(tmp_path)
    known.trust(known.entries()[0].certificate.fingerprint)
    async with listening(made(foreign, tmp_path, **user)) as heard:
        await heard.until(lambda h: h.last().get(2, (0.0, 1))[1] == Quality.GOOD, PATIENCE_S)
    monkeypatch.setenv("GATE_PASSWORD", "wrong")
    with pytest.raises(ConnectionLost, match=r"BadUserAccessDenied|BadIdentityToken"):
        await made(foreign, tmp_path, **user).open()


async def test_browsing(foreign: Foreign) -> None:
    found = [event async for event in browse(OpcUaSettings(url=foreign.url)) if isinstance(event, Found)]
    level = next(one for one in found if one.detail["node"] == "s=P1.Level")
    assert (level.detail["writable"], level.detail["type"]) == (True, "Double")
    few = [event async for event in browse(OpcUaSettings(url=foreign.url), find="p1.FLOW")]
    paths = [event.detail["path"] for event in few if isinstance(event, Found)]
    assert paths
    assert all("Flow" in path or "EU" in path for path in paths), paths
    assert level.suggestion["points"]["opcua"] == {"namespace": URI, "node": "s=P1.Level"}


async def test_a_subscription_that_it_deleted_is_made_anew(foreign: Foreign, tmp_path: Path) -> None:
    one = made(foreign, tmp_path)
    async with listening(one) as heard:
        await heard.until(lambda h: h.last().get(2, (0.0, 1))[1] == Quality.GOOD, PATIENCE_S)
        line: Any = one
        held = line.watch.subscription.id
        await line.line.client.uaclient.session.delete_subscriptions([held])
        foreign.put("Steady", 9.0)
        await heard.until(lambda h: h.last()[2] == (9.0, Quality.GOOD), PATIENCE_S)


def alarm_points(*keys: str) -> list[dict[str, Any]]:
    address = {"namespace": URI, "node": "s=P1", "condition": "LevelLimits"}
    kinds: dict[str, dict[str, Any]] = {
        "severity": {"opcua": address},
        "message": {"type": "text", "opcua": address},
        "any": {"opcua": address | {"condition": "*"}},
        "other": {"opcua": address | {"condition": "Elsewhere"}},
        "ack": {"writable": True, "readable": False, "opcua": address},
    }
    return [{"key": key, "period": "fast", **kinds[key]} for key in keys]


async def test_its_alarms_are_points_that_rules_judge(foreign: Foreign, tmp_path: Path) -> None:
    names = ("severity", "message", "any", "other", "ack")
    index = {name: at for at, name in enumerate(names)}
    settings = {"url": foreign.url, "pki_dir": str(tmp_path), "publishing_ms": 50}

    def line() -> Driver:
        return driver("opcua", settings, bind(profile("opcua", alarm_points(*names)), {}))

    def shows(heard: Listening, value: float) -> bool:
        last = heard.last()
        return all(last.get(index[name]) == (value, Quality.GOOD) for name in ("severity", "any"))

    foreign.put("Level", 2.5)
    async with listening(line()) as heard:
        # A refresh tells that nothing stands; that is known, and good.
        await heard.until(lambda h: shows(h, 0.0), PATIENCE_S)
        assert heard.last()[index["message"]] == ("", Quality.GOOD)
        foreign.put("Level", 25.0)
        await heard.until(lambda h: h.last()[index["severity"]][0] > 0, PATIENCE_S)
        severity = float(heard.last()[index["severity"]][0])
        await heard.until(lambda h: shows(h, severity), PATIENCE_S)
        assert "state is High" in str(heard.last()[index["message"]][0])
        assert heard.last()[index["other"]] == (0.0, Quality.GOOD)
    # Another connection comes later: the refresh tells it of what stands.
    one = line()
    async with listening(one) as heard:
        await heard.until(lambda h: shows(h, severity), PATIENCE_S)
        ack = one.devices[0].points[index["ack"]]
        with pytest.raises(DeviceRefused, match="1 acknowledges"):
            await one.write(ack, 2.0)
        answer = await one.write(ack, 1.0)
        assert answer == Answer("acknowledged: LevelLimits")
        foreign.put("Level", 2.5)
        await heard.until(lambda h: shows(h, 0.0), PATIENCE_S)
        assert one.remarks() == ()
