"""What the profile asks of a server, what the server makes of it, and that docs/opcua.md says it rightly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from pydantic import ValidationError

from protocols.errors import ConfigError
from protocols.field.opcua import OpcUaSettings, subscribing
from protocols.field.opcua.last_values import LastValues
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.subscribing import Subscription
from protocols.field.opcua.table import Table
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.clock import SECOND_US
from protocols.model.device import point_model
from tests.protocols.field.devices import bind, driver, profile, rows

DOCS = Path(__file__).parents[4] / "docs" / "opcua.md"


def table(*addresses: dict[str, Any]) -> Table:
    points = [
        {"key": f"p{n}", "period": "fast", "opcua": {"namespace": "urn:x", "node": f"s=P{n}", **address}}
        for n, address in enumerate(addresses)
    ]
    made = Table([bind(profile("opcua", points), {})])
    made.resolve(["http://opcfoundation.org/UA/", "urn:other", "urn:x"])
    return made


class Asked:
    """A server that refuses deadbands and has room for three items, as far as `watch` sees one."""

    def __init__(self) -> None:
        self.uaclient = SimpleNamespace(session=self)
        self.items: list[ua.MonitoredItemCreateRequest] = []

    async def create_monitored_items(
        self, request: ua.CreateMonitoredItemsParameters
    ) -> Sequence[ua.MonitoredItemCreateResult]:
        return [self._one(item) for item in request.ItemsToCreate]

    def _one(self, item: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        result = ua.MonitoredItemCreateResult()
        wanted = item.RequestedParameters
        if wanted.Filter is not None:
            code = StatusCodes.BadDeadbandFilterInvalid
        elif len(self.items) >= 3:
            code = StatusCodes.BadTooManyMonitoredItems
        else:
            code = StatusCodes.Good
            self.items.append(item)
        result.StatusCode = ua.StatusCode(ua.UInt32(code))
        result.RevisedSamplingInterval = 2000.0
        result.RevisedQueueSize = ua.UInt32(1)
        return result


async def test_a_refused_deadband_is_left_out_and_a_full_server_says_so() -> None:
    made = table({"deadband_percent": 2.0}, {"sampling_ms": 0}, {"sampling_ms": 50, "queue": 7}, {})
    server: Any = Asked()
    held = Subscription(id=1, publishing_ms=500.0, keep_alive=10, lifetime=30)
    codes = await subscribing.watch(server, held, made, [0, 1, 2, 3], Limits())
    # The three without a deadband took the room; the fourth, asked again without its own, found none.
    assert [codes[row] for row in (1, 2, 3)] == [0, 0, 0]
    assert codes[0] in subscribing.FULL
    assert held.unfiltered == {0: StatusCodes.BadDeadbandFilterInvalid}
    assert [item.RequestedParameters.QueueSize for item in server.items] == [2, 7, 3]
    assert server.items[0].ItemToMonitor.NodeId.NamespaceIndex == 2
    assert held.delay_us(1) == 2_500_000, "the revised numbers count"
    assert held.silence_s == 5.0 + subscribing.MARGIN_S


async def test_the_deadband_goes_out_as_the_standard_says() -> None:
    made = table({"deadband": 0.5}, {"deadband_percent": 2.0})
    sent: list[Any] = []

    async def create_monitored_items(request: Any) -> list[ua.MonitoredItemCreateResult]:
        sent.extend(request.ItemsToCreate)
        return [ua.MonitoredItemCreateResult() for _ in request.ItemsToCreate]

    session = SimpleNamespace(create_monitored_items=create_monitored_items)
    server: Any = SimpleNamespace(uaclient=SimpleNamespace(session=session))
    await subscribing.watch(server, Subscription(1, 250.0, 8, 240), made, [0, 1], Limits())
    filters = [item.RequestedParameters.Filter for item in sent]
    assert [(one.DeadbandType, one.DeadbandValue) for one in filters] == [(1, 0.5), (2, 2.0)]
    assert all(one.Trigger == ua.DataChangeTrigger.StatusValue for one in filters)


def test_overflow_bits_are_counted_and_the_value_stays_good() -> None:
    made = table({})
    board = LastValues(made.points, {"fast": 1.0, "normal": 1.0, "slow": 1.0})
    start = 1_800_000_000 * SECOND_US
    value = ua.DataValue(
        ua.Variant(4.0, ua.VariantType.Double), StatusCode=ua.StatusCode(ua.UInt32(0x0000_0480))
    )
    taken = board.take([SimpleNamespace(ClientHandle=0, Value=value)], start, start)
    assert rows(taken)[0][0] == 4.0
    assert int(taken.quality[0]) < 0x4000_0000 or int(taken.quality[0]) == 0x4000_0000
    assert board.overflows == {0: 1}


def test_a_server_clock_that_is_set_back_does_not_silence_confirmations() -> None:
    made = table({})
    board = LastValues(made.points, {"fast": 100.0, "normal": 1.0, "slow": 1.0})
    board.watch([0], [0])
    start = 1_800_000_000 * SECOND_US

    def at(time_us: int) -> Any:
        value = ua.DataValue(
            ua.Variant(1.0, ua.VariantType.Double),
            SourceTimestamp=ua.DateTime.fromtimestamp(time_us / SECOND_US, tz=None),
        )
        return SimpleNamespace(ClientHandle=0, Value=value)

    board.take([at(start)], start, start)
    board.still_valid(start + 5 * SECOND_US)
    back = start - 3600 * SECOND_US
    assert len(board.still_valid(back)) == 0
    assert len(board.still_valid(back + 5 * SECOND_US)) == 1


def test_a_node_id_that_is_none_is_a_mistake_in_the_profile() -> None:
    points = [{"key": "p", "opcua": {"namespace": "urn:x", "node": "i=abc"}}]
    with pytest.raises(ConfigError, match="is no node id"):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/"}, bind(profile("opcua", points), {}))
    with pytest.raises(ValidationError, match="remove one of them"):
        OpcUaAddress(namespace="urn:x", node="s=P", deadband=1, deadband_percent=1)


def test_the_page_names_every_option_and_its_examples_are_whole() -> None:
    page = DOCS.read_text(encoding="utf-8")
    missing = {
        name
        for model in (OpcUaSettings, OpcUaAddress)
        for name in model.model_fields
        if f"`{name}`" not in page
    }
    assert not missing
    examples = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    checked = 0
    for example in examples:
        for connection in example.get("connections", ()):
            OpcUaSettings.model_validate(connection["settings"])
            checked += 1
        for point in example.get("points", ()):
            point_model("opcua").model_validate(point)
            checked += 1
    assert checked >= 2
