"""The live feed: newest value per point, however fast they come and however slow the reader is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np

from central.kernel.bus import Bus, Message
from central.live.alarm_rows import AlarmRow
from central.live.alarm_views import view
from central.live.feed import AlarmsChanged, Feed, FeedItem, Lagged, ReadingsChanged, Told
from central.live.latest import LatestBoard
from central.store.readings import SeriesReadings

T0 = 1_795_262_400_000_000


def board() -> LatestBoard:
    """A board of three points with a period of 5 s, whose clock stands at T0."""
    made = LatestBoard(lambda: T0)
    made.register((series, 5.0) for series in (1, 2, 3))
    return made


def readings(*rows: tuple[int, int, float]) -> SeriesReadings:
    """Columns from rows of (series, time, value)."""
    series, times, values = (np.array(column) for column in zip(*rows, strict=True))
    return SeriesReadings.sort(
        series.astype(np.int32), times, values.astype(float), np.zeros(len(rows), np.uint32), {}
    )


async def following(stream: AsyncIterator[FeedItem]) -> FeedItem:
    """Return the next item that says something, which must come soon."""
    while isinstance(item := await asyncio.wait_for(anext(stream), 5), Told):
        continue
    return item


async def test_a_slow_reader_gets_the_newest_value_of_each_point_once() -> None:
    latest = board()
    feed = Feed(latest, Bus())
    with feed.open([1, 2], []) as client:
        for i in range(1000):
            feed.publish(
                latest.apply(readings((1, T0 - 1000 + i, i), (2, T0 - 1000 + i, -i), (3, T0, 0)), T0)
            )
        item = await following(aiter(client))
        assert isinstance(item, ReadingsChanged)
        assert {value.series: value.value for value in item.items} == {1: 999.0, 2: -999.0}
    assert feed.clients == 0


async def test_a_client_that_never_reads_slows_nobody_and_keeps_nothing_but_the_newest() -> None:
    latest, bus = board(), Bus()
    feed = Feed(latest, bus)
    with feed.open([1, 2], ["case"]) as asleep, feed.open([1], ["case"]) as awake:
        stream = aiter(awake)
        for i in range(20):
            for number in range(100):
                bus.publish("case", 100 * i + number)
            feed.publish(latest.apply(readings((1, T0 + i, float(i)), (2, T0 + i, float(i))), T0))
            heard = [await following(stream) for _ in range(101)]
            assert heard[:-1] == [Message("case", 100 * i + number) for number in range(100)]
            assert isinstance(heard[-1], ReadingsChanged)
            assert heard[-1].items[0].value == float(i)
        late = aiter(asleep)
        assert await following(late) == Lagged(1500)
        kept = [await following(late) for _ in range(501)]
        assert kept[0] == Message("case", 1500)
        assert isinstance(kept[-1], ReadingsChanged)
        assert [value.value for value in kept[-1].items] == [19.0, 19.0]


async def test_who_comes_back_too_late_is_told_to_load_again() -> None:
    bus = Bus()
    feed = Feed(board(), bus)
    bus.publish("case", "before")
    place = feed.place
    for i in range(10):
        bus.publish("case", i)
    with feed.open([], ["case"], after=place) as client:
        assert await following(aiter(client)) == Message("case", 0)
    for i in range(10_000):
        bus.publish("gateway", i)
    for gone in (place, "other-1", "nonsense", f"{place}{'0' * 30}"):
        with feed.open([], ["case"], after=gone) as client:
            assert await following(aiter(client)) == Lagged(1), gone


async def test_readings_come_at_most_four_times_a_second() -> None:
    latest = board()
    feed = Feed(latest, Bus())
    loop = asyncio.get_running_loop()
    with feed.open([1], []) as client:
        stream = aiter(client)
        feed.publish(latest.apply(readings((1, T0, 0.0)), T0))
        await following(stream)
        first = loop.time()
        feed.publish(latest.apply(readings((1, T0 + 1, 1.0)), T0))
        item = await following(stream)
        assert loop.time() - first > 0.2
        assert isinstance(item, ReadingsChanged)
        assert item.items[0].value == 1.0


async def test_messages_are_filtered_by_kind_and_lagging_is_told() -> None:
    bus = Bus()
    feed = Feed(board(), bus)
    with feed.open([], ["alarm"]) as client:
        stream = aiter(client)
        bus.publish("gateway", "not asked for")
        bus.publish("alarm", 1)
        item = await following(stream)
        assert item == Message("alarm", 1)
        for i in range(700):
            bus.publish("alarm", i)
        item = await following(stream)
        assert item == Lagged(200)
        assert await following(stream) == Message("alarm", 200)


async def test_of_an_alarm_the_latest_state_goes_at_most_four_times_a_second() -> None:
    bus = Bus()
    feed = Feed(board(), bus)
    loop = asyncio.get_running_loop()
    calm = view(AlarmRow(id="a", overlays=[], covers=[], cover_codes=[], rule_id="d.r", state="UNACK"))
    with feed.open([], ["alarm"]) as client:
        stream = aiter(client)
        for number in range(400):
            bus.publish("alarm", replace(calm, id=f"a{number % 50}", realarms=number))
        item = await following(stream)
        assert isinstance(item, AlarmsChanged)
        assert [alarm.realarms for alarm in item.items] == list(range(350, 400))
        first = loop.time()
        bus.publish("alarm", replace(calm, id="b"))
        assert isinstance(await following(stream), AlarmsChanged)
        assert loop.time() - first > 0.2
        # Who lags loads the page again, and hears only what changed since.
        for number in range(700):
            bus.publish("alarm", replace(calm, id=f"c{number}"))
        assert await following(stream) == Lagged(200)
        bus.publish("alarm", replace(calm, id="d"))
        item = await following(stream)
        assert isinstance(item, AlarmsChanged)
        assert [alarm.id for alarm in item.items] == ["d"]


async def test_closing_ends_every_stream() -> None:
    feed = Feed(board(), Bus())
    with feed.open([1], ["alarm"]) as client:
        reader = asyncio.create_task(anext(aiter(client), None))
        await asyncio.sleep(0)
        feed.close()
        assert await asyncio.wait_for(reader, 5) is None


def test_older_readings_never_replace_newer_ones_and_age_makes_stale() -> None:
    latest = board()
    assert latest.apply(readings((1, T0 - 10, 1.0), (2, T0 - 16_000_000, 2.0)), T0).tolist() == [1, 2]
    assert latest.apply(readings((1, T0 - 20, 9.0)), T0).tolist() == []
    found = latest.get_many([1, 2, 3])
    assert (found[1].value, found[1].stale, found[2].stale, 3 in found) == (1.0, False, True, False)
    summary = latest.summary()
    assert (summary.total, summary.good, summary.stale, summary.unread) == (3, 2, 1, 1)
    latest.retire([2])
    assert latest.summary().total == 2
    latest.register([(5000, 1.0)])
    assert latest.apply(readings((5000, T0, 7.0)), T0).tolist() == [5000]
