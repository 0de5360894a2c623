"""What a person says to an alarm fits into a batch, or is refused before anything happens."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.alarms.engine import AlarmEngine
from protocols.errors import Rejected
from protocols.model.alarm import AlarmState, Rule
from protocols.model.order import AlarmAct
from protocols.model.reading import Readings
from protocols.wire.batch import Batch, decode, encode

NOW = 1_795_262_400_000_000
RULE = Rule(
    id="well.high", point="well.level", kind="hi", limit=1, priority="P1", name_zh="高", name_en="High"
)


@pytest.mark.parametrize("words", ["x" * 1001, "a\0b", "\ud800", "检修" * 500, ""])
@pytest.mark.parametrize("place", ["comment", "actor", "id"])
def test_words_travel_or_are_refused(words: str, place: str) -> None:
    engine = AlarmEngine("gw", [RULE], {"well.level": 0}, "d", NOW)
    engine.evaluate(Readings.at(np.array([0], np.int32), NOW, np.array([5.0])), NOW)
    act = AlarmAct(id="act", verb="ack", rule=RULE.id, actor="page:x", at_us=NOW)
    act = msgspec.structs.replace(act, **{place: words})
    try:
        steps = engine.act(act, NOW)
    except Rejected as error:
        assert error.reason == "not-storable"
        assert [standing.state for standing in engine.standings()] == [AlarmState.UNACK]
        assert len(words) > 1000 or "\0" in words or "\ud800" in words
    else:
        batch = Batch("alarms", "boot", 1, "d", NOW, tuple(steps))
        assert decode(encode(batch)).payload == batch.payload
