"""How the tests are spread over workers: each is run once, also when a worker dies of one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

from tests.conftest import OneCity

TESTS = [f"tests/test_{n}.py::test" for n in range(9)] + [
    "tests/e2e/test_a.py::one",
    "tests/e2e/test_a.py::two",
]


class Worker:
    """Runs what it is sent as xdist's worker does: a test begins when its next is known, or the end is."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.waiting: list[int] = []
        self.ran: list[str] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.waiting += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    def step(self, plan: OneCity) -> bool:
        """Run one test if one may begin."""
        if len(self.waiting) < (1 if self.shutting_down else 2):
            return False
        index = self.waiting.pop(0)
        self.ran.append(TESTS[index])
        plan.mark_test_complete(self, index)
        return True


def joined(plan: OneCity, worker: Worker) -> Worker:
    plan.add_node(worker)
    plan.add_node_collection(worker, TESTS)
    return worker


@pytest.mark.parametrize("before", range(5))
def test_what_a_dead_worker_held_is_run_once_by_the_others(before: int) -> None:
    config: Any = SimpleNamespace(
        getvalue=lambda _: ["2*popen"], option=SimpleNamespace(loadscopereorder=True, maxprocesses=None)
    )
    plan = OneCity(config, Producer("plan", enabled=False))
    dead, other = Worker("gw0"), Worker("gw1")
    joined(plan, dead)
    joined(plan, other)
    plan.schedule()
    for _ in range(before):
        dead.step(plan)
        other.step(plan)
    while other.step(plan):
        pass
    died = TESTS[dead.waiting[0]]
    assert plan.remove_node(dead) == died
    third = joined(plan, Worker("gw2"))
    plan.schedule()
    while any([other.step(plan), third.step(plan)]):
        pass
    assert sorted([*dead.ran, *other.ran, *third.ran, died]) == sorted(TESTS)
    assert other.shutting_down
    assert third.shutting_down
