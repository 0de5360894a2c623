"""The steps of alarms as they go up the link: each names what stands after it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple

from edge.alarms.standing import Standing
from protocols.model.alarm import AlarmEvent, AlarmTransition, Rule

_NAMES: Final = uuid.UUID("6f4b6c1e-52a4-5a53-9f0e-0d2c6a1f7b10")


class By(NamedTuple):
    """Who did it, with what words, by which `AlarmAct`. Empty: the gateway's own judgement."""

    actor: str = ""
    comment: str = ""
    act: str = ""


NOBODY: Final = By()


class Teller:
    """Collects the steps of one gateway in `steps`, until somebody takes them."""

    def __init__(self, gateway: str, rules: Sequence[Rule], declaration: str) -> None:
        self.steps: list[AlarmTransition] = []
        self._gateway = gateway
        self._rules = rules
        self._declaration = declaration

    def name(self, rule: str, at_us: int) -> str:
        """Return the name of an occurrence: it follows from what happened, so a replay names it the same."""
        return str(uuid.uuid5(_NAMES, f"{self._gateway}/{rule}/{at_us}"))

    def tell(
        self,
        i: int | None,
        standing: Standing,
        event: AlarmEvent,
        at_us: int,
        by: By = NOBODY,
        until_us: int | None = None,
    ) -> None:
        """Tell a step of the alarm of rule `i`; None for a rule that the configuration no longer has."""
        if standing.occurrence:
            standing.number += 1
        self.steps.append(
            AlarmTransition(
                occurrence=standing.occurrence,
                rule=standing.rule,
                point=standing.point,
                number=standing.number or 1,
                event=event,
                event_us=at_us,
                sample_us=standing.sample_us,
                value=standing.value,
                quality=standing.quality,
                declaration=self._declaration,
                state=standing.state,
                overlays=standing.overlays,
                actor=by.actor,
                comment=by.comment,
                act=by.act,
                until_us=until_us,
                group="" if i is None else self._rules[i].group,
                first_out=standing.first_out,
            )
        )
