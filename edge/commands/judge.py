"""May this be written? Every rule that needs no answer of the device, in the order in which it is asked.

before its turn   point → time → limits → local manual → selection → precedence
in its turn       time → local manual → precedence → interlock
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.commands.control import Control, Controls
from edge.commands.memory import ALL, Memory
from edge.commands.origin import Origin
from edge.commands.present import Present
from edge.commands.selection import Selections
from edge.config.bind import OWN, Plan
from edge.shaping import unshape
from protocols.errors import Rejected
from protocols.field.base import BoundPoint
from protocols.model.clock import SECOND_US, Clock
from protocols.model.command import Command, Reason
from protocols.model.device import PointProfile


@dataclass(frozen=True, slots=True)
class Admitted:
    """A command that may be written when its turn comes. name is `device.point`, raw what the device gets."""

    name: str
    profile: PointProfile
    raw: float | str
    control: Control


class Judge:
    """Judges commands under one plan. `clock` is UTC, `monotonic` counts microseconds."""

    def __init__(
        self,
        plan: Plan,
        controls: Controls,
        present: Present,
        memory: Memory,
        selections: Selections,
        *,
        clock: Clock,
        monotonic: Callable[[], int],
    ) -> None:
        self._plan = plan
        self._controls = controls
        self._present = present
        self._memory = memory
        self._selections = selections
        self._clock = clock
        self._monotonic = monotonic

    def admit(self, command: Command, origin: Origin, offset_us: int) -> Admitted:
        """Return what is to be written in its turn; an `operate` spends its selection by this.

        Raises Rejected with the reason.
        """
        name = self.name(command.point)
        point = self.point(name)
        self.in_time(command, offset_us)
        raw = unshape(point.profile, command.value)
        if origin.kind != "local":
            self._not_by_hand(point)
        control = self._controls.of(name)
        if origin.kind == "centre" and command.step != "select":
            self._selected(name, command, control)
        if origin.kind == "action":
            self._gives_way(name, origin)
        return Admitted(name, point.profile, raw, control)

    def select(self, admitted: Admitted, command: Command) -> None:
        """Reserve the point for the issuer. Raises Rejected as `turn` does, and `selected-by-other`."""
        self.guarded(admitted.name, command.value)
        self._selections.select(
            admitted.name, command.issued_by, command.value, self._monotonic(), admitted.control.select_us
        )

    def guarded(self, name: str, value: float | str) -> None:
        """Raise Rejected where an interlock forbids the value now."""
        now = self._monotonic()
        timed = self._controls.timed()
        self._memory.saw({point: self._present.number(point) for point in timed}, now)
        guard = self._controls.of(name).guard
        guard.check(value, self._present.number, self._memory.runs.get(name), now)

    def turn(self, command: Command, origin: Origin, offset_us: int) -> None:
        """Judge once more what may have changed while it waited; raise Rejected with the reason."""
        name = self.name(command.point)
        self.in_time(command, offset_us)
        if origin.kind != "local":
            self._not_by_hand(self.point(name))
        if origin.kind == "action":
            self._gives_way(name, origin)
        self.guarded(name, command.value)

    def in_time(self, command: Command, offset_us: int) -> None:
        """Raise Rejected where the command's time is over; `offset_us` is its clock minus ours."""
        late_us = self._clock() + offset_us - command.expires_us
        if late_us >= 0:
            raise Rejected(
                Reason.EXPIRED, f"its time ran out {late_us / SECOND_US:.1f} s ago; nothing was written"
            )

    def name(self, point: str) -> str:
        """Return `device.point`, with or without the gateway before it."""
        return point.removeprefix(f"{self._plan.gateway}.")

    def point(self, name: str) -> BoundPoint:
        """Return a point of the plan in force that a device has. Raises Rejected."""
        index = self._plan.indexes.get(name)
        if index is None:
            raise Rejected(Reason.UNKNOWN_POINT, f"this gateway has no point {name!r}")
        point = self._plan.points[index]
        if point.device == OWN:
            raise Rejected(Reason.NOT_WRITABLE, f"{name!r} is the gateway's own point and cannot be written")
        return point

    def _not_by_hand(self, point: BoundPoint) -> None:
        hold = self._memory.held(point.device)
        if hold is None:
            return
        what = "the gateway" if ALL in self._memory.manual else f"{point.device!r}"
        because = f" ({hold.reason})" if hold.reason else ""
        raise Rejected(
            Reason.LOCAL_MANUAL, f"{what} is in local manual mode, by {hold.actor}{because}; call the site"
        )

    def _selected(self, name: str, command: Command, control: Control) -> None:
        if command.step == "operate":
            self._selections.operate(name, command.issued_by, command.value, self._monotonic())
        elif control.select:
            raise Rejected(
                Reason.SELECT_FIRST, f"{name!r} is selected before it is operated; nothing was written"
            )

    def _gives_way(self, name: str, origin: Origin) -> None:
        above = origin.outranked(name)
        if above is not None:
            raise Rejected(
                Reason.OUTRANKED, f"action {above!r} stands above this one, and its alarm still stands"
            )
        commanded = self._memory.commanded.get(name)
        if commanded is None or origin.force:
            return
        left_us = commanded + origin.hold_us - self._monotonic()
        if left_us > 0:
            raise Rejected(
                Reason.HELD,
                f"a person commanded it; the action may act again in {left_us / SECOND_US:.0f} s",
            )
