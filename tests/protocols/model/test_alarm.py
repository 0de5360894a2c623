"""The table of alarms.md section 2, row by row, and that nothing else is possible."""

import itertools

import pytest

from protocols.errors import Rejected
from protocols.model.alarm import AlarmEvent as E
from protocols.model.alarm import AlarmState as S
from protocols.model.alarm import Policy, step

PLAIN, LATCHING = Policy(), Policy(latching=True)

TABLE = [
    (S.NORM, E.ACT, PLAIN, S.UNACK),
    (S.NORM, E.ACT, Policy(ack_required=False), S.ACKED),
    (S.UNACK, E.ACK, PLAIN, S.ACKED),
    (S.UNACK, E.CLR, PLAIN, S.RTNUN),
    (S.UNACK, E.CLR, Policy(rtn_ack=False), S.NORM),
    (S.UNACK, E.CLR, LATCHING, S.LTUNK),
    (S.ACKED, E.CLR, PLAIN, S.NORM),
    (S.ACKED, E.CLR, LATCHING, S.LTACK),
    (S.ACKED, E.REALARM, PLAIN, S.UNACK),
    (S.RTNUN, E.ACK, PLAIN, S.NORM),
    (S.RTNUN, E.ACT, PLAIN, S.UNACK),
    (S.LTUNK, E.ACK, LATCHING, S.LTACK),
    (S.LTUNK, E.ACT, LATCHING, S.UNACK),
    (S.LTACK, E.ACT, LATCHING, S.UNACK),
    (S.LTACK, E.RESET, LATCHING, S.NORM),
    (S.ACKED, E.ACK, PLAIN, S.ACKED),
    (S.LTACK, E.ACK, LATCHING, S.LTACK),
    (S.NORM, E.ACK, PLAIN, S.NORM),
]


@pytest.mark.parametrize(("state", "event", "policy", "after"), TABLE)
def test_a_row_of_the_table(state: S, event: E, policy: Policy, after: S) -> None:
    assert step(state, event, policy) is after


def test_every_other_pair_is_rejected_with_a_reason() -> None:
    known = {(state, event) for state, event, _, _ in TABLE}
    for state, event in itertools.product(S, E):
        if (state, event) not in known:
            with pytest.raises(Rejected) as error:
                step(state, event)
            assert error.value.reason in {"not-allowed", "acknowledge-first", "still-active"}


def test_no_way_leads_from_unacknowledged_to_normal_without_acknowledgement() -> None:
    for policy in (PLAIN, LATCHING):
        reached, todo = {S.UNACK}, [S.UNACK]
        while todo:
            state = todo.pop()
            for event in set(E) - {E.ACK}:
                try:
                    after = step(state, event, policy)
                except Rejected:
                    continue
                if after not in reached:
                    reached.add(after)
                    todo.append(after)
        assert S.NORM not in reached
        assert S.ACKED not in reached
