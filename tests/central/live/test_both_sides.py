"""The gateway's machine and the centre's board come to the same state, whatever crosses on its way.

The engine of a gateway and a whole centre, with two queues between them that are emptied at random: readings
come, people act on both sides, and in the end every alarm stands as it does at the gateway.
"""

from __future__ import annotations

import random
from contextlib import suppress

import numpy as np
import pytest

from central.live.alarms import AlarmQuery, AlarmView
from edge.alarms.engine import AlarmEngine
from protocols.errors import Rejected
from protocols.model.alarm import AlarmTransition
from protocols.model.clock import SECOND_US
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import AlarmAct, AlarmVerb
from protocols.model.reading import Readings
from tests.central.systems.field import FieldGateway, manifest
from tests.central.systems.running import Running

RULES = manifest().rules
POINTS = {"well.level": 0, "well.flow": 1, "pump1.run": 2, "air.pm25": 3, "air.status": 4}
VALUES = {0: (1.0, 3.4), 2: (0.0, 1.0), 3: (10.0, 90.0)}
VERBS: tuple[AlarmVerb, ...] = ("ack", "ack", "reset", "shelve", "unshelve", "suspend", "return")


class Pair:
    """A gateway's engine and its centre, with what is on its way between them."""

    def __init__(self, city: Running, gateway: FieldGateway, seed: int) -> None:
        self.city = city
        self.gateway = gateway
        self.random = random.Random(seed)  # noqa: S311 - a test that can be repeated
        declared = gateway.declaration
        self.engine = AlarmEngine("gw-north", RULES, POINTS, declared, city.clock.now)
        self.up: list[list[AlarmTransition]] = []
        self.answers: list[CommandOutcome] = []
        self.taken = 0

    async def step(self) -> None:
        """Let one thing happen, anywhere."""
        self.city.clock.move(self.random.choice((1, 1, 7, 40)))
        match self.random.randrange(6):
            case 0 | 1:
                self.sample()
            case 2:
                self.page()
            case 3:
                await self.centre()
            case 4:
                await self.send(1)
            case 5:
                await self.receive()
        self.told(self.engine.tick(self.city.clock.now))

    def told(self, steps: list[AlarmTransition]) -> None:
        if steps:
            self.up.append(steps)

    def sample(self) -> None:
        point = self.random.choice(list(VALUES))
        value = np.array([self.random.choice(VALUES[point])])
        now = self.city.clock.now
        self.told(self.engine.evaluate(Readings.at(np.array([point], np.int32), now, value), now))

    def page(self) -> None:
        rule, verb, now = self.random.choice(RULES), self.random.choice(VERBS), self.city.clock.now
        until = now + 60 * SECOND_US
        act = AlarmAct(
            id=f"page-{now}", verb=verb, rule=rule.id, actor="page", at_us=now, comment="x", until_us=until
        )
        with suppress(Rejected):
            self.told(self.engine.act(act, now))

    async def centre(self) -> None:
        board = self.city.centre.alarms
        alarms = (await board.list(AlarmQuery(state="open"))).items
        if not alarms:
            return
        alarm = self.random.choice(alarms).id
        with suppress(Rejected):
            match self.random.choice(VERBS):
                case "ack":
                    await board.acknowledge(alarm, "operator")
                case "reset":
                    await board.reset(alarm, "operator")
                case "shelve":
                    await board.shelve(alarm, "operator", 1, "x")
                case "unshelve":
                    await board.unshelve(alarm, "operator")
                case "suspend":
                    await board.suspend(alarm, "operator", "x")
                case "return":
                    await board.return_to_service(alarm, "operator")

    async def send(self, batches: int) -> None:
        now = self.city.clock.now
        for _ in range(min(batches, len(self.up))):
            await self.gateway.send("alarms", tuple(self.up.pop(0)), now)
        if not self.up:  # steps go ahead of answers
            for answer in self.answers:
                await self.gateway.outcome(answer)
            self.answers.clear()

    async def receive(self) -> None:
        for item in await self.gateway.inbox(self.taken):
            self.taken = item.number
            assert isinstance(item.order, AlarmAct)
            act, now = item.order, self.city.clock.now
            state, reason = CommandState.VERIFIED, "done"
            try:
                self.told(self.engine.act(act, now))
            except Rejected as error:
                state, reason = CommandState.REJECTED, error.reason
            self.answers.append(
                CommandOutcome(command=act.id, state=state, reason=reason, detail="", finished_us=now)
            )

    async def settle(self) -> None:
        """Let everything arrive, and every shelving end."""
        for _ in range(3):
            await self.receive()
            await self.send(len(self.up))
        self.city.clock.move(200)
        self.told(self.engine.tick(self.city.clock.now))
        await self.send(len(self.up))
        await self.city.centre.alarms.expire_shelves()
        await self.receive()
        await self.send(len(self.up))


@pytest.mark.parametrize("seed", [5, 10, 11, 15, 19, 29])
async def test_both_sides_agree_in_the_end(city: Running, gateway: FieldGateway, seed: int) -> None:
    pair = Pair(city, gateway, seed)
    for _ in range(60):
        await pair.step()
    await pair.settle()
    there = {
        standing.occurrence: (standing.rule, standing.state.value, standing.overlays)
        for standing in pair.engine.standings()
        if standing.open
    }
    shown: list[AlarmView] = (await city.centre.alarms.list(AlarmQuery(state="open"))).items
    here = {alarm.id: (alarm.rule_id, alarm.state, alarm.overlays) for alarm in shown}
    assert here == there
