"""Import: what a file would change, line by line, before anything is changed; then all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from central.city.book import Edit
from central.city.fields import Fault, Kind, Known
from central.city.layers import Faults, State, amend, difference, register
from central.city.lifecycle import MOVES, Lifecycle
from central.city.tablefile import Mistake, Read, Row

Outcome = Literal["added", "changed"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one line would do."""

    line: int
    id: str
    outcome: Outcome
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(slots=True)
class Plan:
    """What a file would do. With mistakes nothing of it is possible."""

    steps: list[Step] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    unchanged: int = 0
    encoding: str = "utf-8"

    def count(self, outcome: Outcome) -> int:
        """Return how many lines would do that."""
        return sum(step.outcome == outcome for step in self.steps)


def plan(kind: Kind, found: Read, states: Mapping[str, State], known: Known) -> Plan:
    """Compare a file with what there is. states: the things within the asker's reach."""
    made = Plan(mistakes=list(found.mistakes), encoding=found.encoding)
    lines: dict[str, int] = {}
    wrong = {mistake.line for mistake in found.mistakes}
    for row in found.rows:
        if row.id in lines:
            fault = Fault(
                f"{row.id!r} 已在第 {lines[row.id]} 行", f"{row.id!r} stands in line {lines[row.id]} already"
            )
            made.mistakes.append(Mistake(row.line, "id", fault.zh, fault.en))
            continue
        lines[row.id] = row.line
        if row.line in wrong:
            continue
        try:
            _step(kind, row, states.get(row.id), known, made)
        except Faults as error:
            made.mistakes += [Mistake(row.line, name, fault.zh, fault.en) for name, fault in error.faults]
    made.mistakes.sort(key=lambda mistake: mistake.line)
    return made


def _step(kind: Kind, row: Row, before: State | None, known: Known, made: Plan) -> None:
    state, late = _lifecycle(row.lifecycle, before)
    try:
        after = (
            register(kind, row.id, row.cells, known)
            if before is None
            else amend(kind, before, row.cells, known)
        )
    except Faults as error:
        raise Faults([*error.faults, *late]) from None
    if late:
        raise Faults(late)
    if before is None:
        after["lifecycle"] = (state or Lifecycle.PLANNED).value
        told = {name: value for name, value in row.cells.items() if value is not None}
        made.steps.append(Step(row.line, row.id, "added", {}, {**told, "lifecycle": after["lifecycle"]}))
        made.edits.append(Edit(kind, row.id, row.cells, new=True, lifecycle=state))
        return
    if state is not None:
        after["lifecycle"] = state.value
    was, becomes = difference(kind, before, after)
    if not becomes:
        made.unchanged += 1
        return
    made.steps.append(Step(row.line, row.id, "changed", was, becomes))
    made.edits.append(Edit(kind, row.id, row.cells, lifecycle=state))


def _lifecycle(text: str | None, before: State | None) -> tuple[Lifecycle | None, list[tuple[str, Fault]]]:
    """Return the state that a line asks for, and what is wrong with it."""
    if text is None:
        return None, []
    try:
        state = Lifecycle(text)
    except ValueError:
        names = ", ".join(Lifecycle)
        fault = Fault(f"{text!r} 不是生命周期状态；可用：{names}", f"{text!r} is no state; possible: {names}")
        return None, [("lifecycle", fault)]
    if before is not None and before["lifecycle"] != state:
        possible = MOVES[Lifecycle(before["lifecycle"])]
        if state not in possible:
            names = ", ".join(possible)
            fault = Fault(
                f"{before['lifecycle']} 不能变为 {state}；可变为：{names}",
                f"{before['lifecycle']} cannot become {state}; possible now: {names}",
            )
            return None, [("lifecycle", fault)]
    return state, []
