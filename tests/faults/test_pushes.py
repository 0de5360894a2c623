"""Configurations that mean no good, and kill -9 at any instant of a change: real processes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge.link.credentials import save
from edge.versions.store import Versions
from protocols.model.clock import now_us
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import ConfigPush
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import until
from tests.edge.test_config_change import changed
from tests.faults.lives import Ancestor, ended
from tests.faults.witness import (
    CountingField,
    carried_over,
    check_numbers,
    counting_gateway,
    counts,
)

pytestmark = pytest.mark.faults

ROUNDS = 12


def push(centre: FakeCentre, name: str, text: str, **fields: Any) -> None:
    """Put a configuration into the inbox."""
    now = now_us()
    known = {"expires_us": now + 600_000_000, "probation_s": 4.0, **fields}
    centre.put(ConfigPush(id=name, text=text, issued_us=now, issued_by="op", **known))


def answers(centre: FakeCentre, name: str) -> list[CommandOutcome]:
    return [outcome for outcome in centre.outcomes() if outcome.command == name]


async def answered(centre: FakeCentre, name: str, seconds: float = 40) -> CommandOutcome:
    await until(lambda: answers(centre, name), seconds)
    (outcome,) = answers(centre, name)
    return outcome


async def test_pushes_that_mean_no_good(tmp_path: Path) -> None:
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    with Ancestor() as ancestor:
        async with CountingField() as field, FakeCentre() as centre:
            path = counting_gateway(tmp_path, field.port, centre.url)
            good = path.read_text(encoding="utf-8")
            refused = {
                "nothing": "",
                "null": "null",
                "other-gateway": good.replace("id: gw-test", "id: gw-other"),
                "other-state": good.replace("state_dir: state", "state_dir: elsewhere"),
                "deep": "devices: " + "[" * 200_000,
                "deep-map": "a:\n" + "".join(" " * n + "a:\n" for n in range(1, 3_000)),
                "bomb": "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
                    f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n"
                    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
                ),
                "zeros": good + "\0\0\0",
                "updates": good + "updates: {public_key: AAAA}\n",
                "long-key": good.replace("key: pump1", "key: " + "p" * 100_000),
                "self": "a: &a [*a]\n",
                "merge": "<<: &x {<<: *x}\n",
                "far-folder": changed(path, profiles="/etc"),
            }  # fmt: skip
            with ended(ancestor.live(path)) as life:
                await until(lambda: len(counts(centre, 1)) > 20)
                for name, text in refused.items():
                    push(centre, name, text)
                    outcome = await answered(centre, name)
                    assert outcome.state is CommandState.REJECTED, (name, outcome)
                push(centre, "late", good + "# late\n", expires_us=now_us() - 1)
                assert (await answered(centre, "late")).state is CommandState.EXPIRED
                # All is gone; the centre is another one, or none; the page cannot listen there.
                for name, text in {
                    "empty": changed(path, devices=[], connections=[], sites=[]),
                    "no-devices": changed(path, devices=[], connections=[]),
                    "elsewhere": changed(path, centre={"url": "http://127.0.0.1:9"}),
                    "alone": changed(path, centre=None),
                    "page": changed(path, page={"enabled": True, "host": "192.0.2.1", "port": 1}),
                }.items():
                    push(centre, name, text)
                    outcome = await answered(centre, name)
                    if name in {"elsewhere", "alone"}:
                        assert (outcome.state, outcome.reason) == (CommandState.FAILED, "rolled-back"), (
                            outcome
                        )
                    push(centre, f"back-{name}", good)
                    await answered(centre, f"back-{name}")
                push(centre, "one", good + "# one\n")
                push(centre, "two", good + "# two\n")
                states = [(await answered(centre, name)).state for name in ("one", "two")]
                assert sorted(states) == sorted([CommandState.VERIFIED, CommandState.REJECTED])
                await asyncio.to_thread(life.stop)
            await carried_over(ancestor, path, centre, field)
            check_numbers(centre)


async def test_kill_9_at_random_instants_of_a_change(tmp_path: Path) -> None:
    """Each push is answered once, what runs is what it says, and no reading is lost or doubled."""
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    chance = random.Random(7)  # noqa: S311
    ends: set[int] = set()
    with Ancestor() as ancestor:
        async with CountingField() as field, FakeCentre() as centre:
            path = counting_gateway(tmp_path, field.port, centre.url)
            good = path.read_text(encoding="utf-8")
            for number in range(ROUNDS):
                with ended(ancestor.live(path)) as life:
                    begin = field.answered(1)
                    await until(lambda: field.answered(1) > begin + 5)  # noqa: B023 - awaited in this turn
                    push(centre, f"push-{number}", f"{good}# {number}\n", probation_s=1.0)
                    await asyncio.sleep(chance.random() * (0.4 if number % 2 else 2.0))
                    await asyncio.to_thread(life.kill)
                    ends.add(field.answered(1))
            with ended(ancestor.live(path)) as life:
                for number in range(ROUNDS):
                    await until(lambda: answers(centre, f"push-{number}"), 60)  # noqa: B023
                await asyncio.sleep(2)
                await asyncio.to_thread(life.stop)
            index = Versions(tmp_path / "state", read_only=True).index
            running = next(version for version in index.versions if version.number == index.running)
            told = Counter(outcome.command for outcome in centre.outcomes())
            assert told == {f"push-{number}": 1 for number in range(ROUNDS)}
            verified = [o.command for o in centre.outcomes() if o.state is CommandState.VERIFIED]
            assert index.trial is None
            assert running.order in {"", *verified}
            assert path.read_text(encoding="utf-8") == Versions(tmp_path / "state").texts(running.number).file
            await carried_over(ancestor, path, centre, field)
            check_numbers(centre)
            found = counts(centre, 1)
            assert found == sorted(set(found)), "doubled, or out of order"
