"""Select before operate: whatever people do, at whatever time, one operate needs its own select."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.commands.selection import Selections
from protocols.errors import Rejected
from protocols.model.command import Reason

LASTS = 30


def test_an_operate_needs_a_selection_and_spends_it() -> None:
    selections = Selections()
    with pytest.raises(Rejected) as caught:
        selections.operate("gate", "anna", 1.0, 0)
    assert caught.value.reason == Reason.SELECT_FIRST
    selections.select("gate", "anna", 1.0, 0, LASTS)
    selections.operate("gate", "anna", 1.0, LASTS - 1)
    with pytest.raises(Rejected) as caught:
        selections.operate("gate", "anna", 1.0, LASTS - 1)
    assert caught.value.reason == Reason.SELECT_FIRST


def test_a_selection_is_for_its_issuer_its_value_and_its_time() -> None:
    selections = Selections()
    selections.select("gate", "anna", 1.0, 0, LASTS)
    with pytest.raises(Rejected) as caught:
        selections.operate("gate", "boris", 1.0, 5)
    assert caught.value.reason == Reason.SELECTED_BY_OTHER
    with pytest.raises(Rejected) as caught:
        selections.select("gate", "boris", 1.0, 5, LASTS)
    assert caught.value.reason == Reason.SELECTED_BY_OTHER
    with pytest.raises(Rejected) as caught:
        selections.operate("gate", "anna", 2.0, 5)
    assert caught.value.reason == Reason.NOT_AS_SELECTED
    selections.select("gate", "anna", 1.0, 6, LASTS)
    with pytest.raises(Rejected) as caught:
        selections.operate("gate", "anna", 1.0, 6 + LASTS)
    assert caught.value.reason == Reason.SELECT_FIRST


def test_a_selection_of_another_point_is_none() -> None:
    selections = Selections()
    selections.select("gate", "anna", 1.0, 0, LASTS)
    with pytest.raises(Rejected) as caught:
        selections.operate("pump", "anna", 1.0, 0)
    assert caught.value.reason == Reason.SELECT_FIRST


@given(st.text(min_size=1), st.text(min_size=1))
def test_text_is_selected_like_numbers(wanted: str, got: str) -> None:
    selections = Selections()
    selections.select("sign", "anna", wanted, 0, LASTS)
    if wanted == got:
        selections.operate("sign", "anna", got, 0)
    else:
        with pytest.raises(Rejected):
            selections.operate("sign", "anna", got, 0)


@dataclass
class _Model:
    issuer: str
    value: float
    until: int


class SelectBeforeOperate(RuleBasedStateMachine):
    """Beside the real one runs the plainest model: who holds the point, for which value, until when."""

    issuers = st.sampled_from(["anna", "boris"])
    values = st.sampled_from([0.0, 1.0])

    def __init__(self) -> None:
        super().__init__()
        self.selections = Selections()
        self.now = 0
        self.model: _Model | None = None
        self.selects = self.operates = 0

    def _holder(self) -> _Model | None:
        return self.model if self.model is not None and self.now < self.model.until else None

    @rule(seconds=st.integers(0, LASTS))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(issuer=issuers, value=values)
    def select(self, issuer: str, value: float) -> None:
        holder = self._holder()
        try:
            self.selections.select("gate", issuer, value, self.now, LASTS)
        except Rejected as error:
            assert error.reason == Reason.SELECTED_BY_OTHER
            assert holder is not None
            assert holder.issuer != issuer
        else:
            assert holder is None or holder.issuer == issuer
            self.model = _Model(issuer, value, self.now + LASTS)
            self.selects += 1

    @rule(issuer=issuers, value=values)
    def operate(self, issuer: str, value: float) -> None:
        holder = self._holder()
        try:
            self.selections.operate("gate", issuer, value, self.now)
        except Rejected as error:
            wanted = Reason.SELECT_FIRST
            if holder is not None:
                wanted = Reason.SELECTED_BY_OTHER if holder.issuer != issuer else Reason.NOT_AS_SELECTED
            assert error.reason == wanted
            if wanted == Reason.NOT_AS_SELECTED:
                self.model = None
        else:
            assert holder is not None
            assert (holder.issuer, holder.value) == (issuer, value)
            self.model = None
            self.operates += 1

    @rule()
    def written_by_another_way(self) -> None:
        self.selections.drop("gate")
        self.model = None

    @invariant()
    def never_more_operates_than_selects(self) -> None:
        assert self.operates <= self.selects


TestSelectBeforeOperate = SelectBeforeOperate.TestCase
TestSelectBeforeOperate.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
