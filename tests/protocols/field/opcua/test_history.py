"""A gap that is filled from the server's history: nothing missing, nothing twice, the present stays last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua

from protocols.field.base import Driver, Forgetful
from protocols.field.opcua import history
from protocols.field.opcua.history import noted
from protocols.model.clock import from_datetime, now_us
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, driver, listening, profile
from tests.protocols.field.opcua.harness import OpcUaServer

PATIENCE_S = 60.0


class Notes(Forgetful):
    """Keeps what drivers note, as a gateway does."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, device: str) -> dict[str, Any]:
        found: dict[str, Any] = self.kept.get(device, {})
        return found

    def put(self, device: str, learnt: dict[str, Any]) -> None:
        self.kept[device] = learnt


def made(server: OpcUaServer, notes: Notes, prefix: str, **settings: Any) -> Driver:
    points = [
        {
            "key": key,
            "period": "fast",
            "opcua": {"namespace": server.NAMESPACE, "node": f"s={prefix}.{key.title()}"},
        }
        for key in ("kept", "plain")
    ]
    url = f"opc.tcp://127.0.0.1:{server.port}/"
    one = driver("opcua", {"url": url, "publishing_ms": 50, **settings}, bind(profile("opcua", points), {}))
    one.notes = notes
    return one


async def put(server: OpcUaServer, prefix: str, value: float, when: datetime) -> None:
    """Let both points change at a time of the source."""
    at = ua.DateTime.fromisoformat(when.isoformat())
    for name in ("Kept", "Plain"):
        data = ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=at, ServerTimestamp=at)
        await server.write(f"{prefix}.{name}", data)


@pytest.fixture(autouse=True)
def forgotten(opcua_server: OpcUaServer) -> Iterator[None]:
    """Let the server keep no history for other tests: it watches its own nodes for that."""
    yield
    manager: Any = opcua_server.server.iserver.history_manager
    if manager._sub is not None:
        opcua_server.run(manager._sub.delete())
        manager._sub = None
        manager._handlers.clear()


@pytest.mark.parametrize("points_on", [True, False], ids=["continuation points", "full pages without"])
async def test_what_happened_meanwhile_is_taken_once_with_its_own_times(
    opcua_server: OpcUaServer, monkeypatch: pytest.MonkeyPatch, *, points_on: bool
) -> None:
    async def on(work: Any) -> Any:
        return await asyncio.to_thread(opcua_server.run, work)

    async def build() -> None:
        for name in ("Kept", "Plain"):
            await opcua_server.variable(f"{prefix}.{name}", 0.0, ua.VariantType.Double)
        node = opcua_server.server.get_node(opcua_server.node_id(f"{prefix}.Kept"))
        await opcua_server.server.historize_node_data_change(node)

    prefix = f"H{points_on:d}"
    storage: Any = opcua_server.server.iserver.history_manager.storage

    async def saved() -> int:
        return len(storage._datachanges[opcua_server.node_id(f"{prefix}.Kept")])

    async def until_saved(count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await on(saved()) < count:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)

    if points_on:
        monkeypatch.setattr(storage, "max_history_data_response_size", 2)
    else:
        monkeypatch.setattr(history, "PAGE", 2)
    monkeypatch.setattr(history, "SETTLE_S", 0.2)
    await on(build())
    notes = Notes()
    async with listening(made(opcua_server, notes, prefix)) as heard:
        await on(put(opcua_server, prefix, 1.0, datetime.now(UTC)))
        await heard.until(lambda h: h.last().get(0) == (1.0, Quality.GOOD), PATIENCE_S)
    assert noted(notes.kept["device1"], ["kept", "plain"]).all()
    before = await on(saved())
    away = datetime.now(UTC) + timedelta(seconds=1)
    times = [away + timedelta(milliseconds=100 * n) for n in range(5)]
    for n, at in enumerate(times):
        await on(put(opcua_server, prefix, 10.0 + n, at))
        await until_saved(before + n + 1)
    one = made(opcua_server, notes, prefix)
    async with listening(one) as heard:
        await heard.until(lambda h: 13.0 in h.all().value, PATIENCE_S)
        seen = heard.all()
        rows = [
            (value, time)
            for point, value, time in zip(
                seen.point.tolist(), seen.value.tolist(), seen.time_us.tolist(), strict=True
            )
            if point == 0
        ]
        for n, at in enumerate(times[:-1]):
            assert [time for value, time in rows if value == 10.0 + n] == [from_datetime(at)]
        assert not [value for value, _ in rows if value < 10.0], "what was known before is not taken again"
        assert heard.last()[0] == (14.0, Quality.GOOD), "the present value stands at the end"
        assert 13.0 not in seen.value[seen.point == 1], "this one has no history"
        assert one.remarks() == ()
    async with listening(made(opcua_server, notes, prefix, history_h=0)) as heard:
        await heard.until(lambda h: set(h.last()) == {0, 1}, PATIENCE_S)


def test_notes_that_somebody_edited_are_no_times() -> None:
    assert noted({"heard_us": {"a": now_us(), "b": "soon", "c": -5}}, ["a", "b", "c", "d"]).tolist()[1:] == [
        0,
        0,
        0,
    ]
    assert noted({"heard_us": [1]}, ["a"]).tolist() == [0]
