"""A running gateway tells a real centre how it is, and exchanges its token without a pause."""

from __future__ import annotations

from pathlib import Path

from edge.link.credentials import FILE_NAME
from protocols.model.clock import SECOND_US, now_us
from protocols.model.command import CommandState
from protocols.model.order import Rotate
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import gateway_file, running, until


async def test_the_centre_hears_how_the_gateway_is(tmp_path: Path) -> None:
    async with FakeCentre() as centre:
        path = gateway_file(tmp_path, 1, centre.url, connections=[], devices=[])
        async with running(path) as gateway:
            await until(lambda: centre.statuses and centre.configs)
            told = centre.statuses[-1]
            assert told.software.startswith("citynerve ")
            assert told.config.running >= 1
            assert told.token_us is not None
            assert centre.configs[told.config.digest].text == path.read_text(encoding="utf-8")
            before = len(centre.statuses)
            await gateway.house.commands.manual("*", True, "local:ann", "works on the panel")
            await until(lambda: len(centre.statuses) > before, 8)
            assert centre.statuses[-1].local_manual == ("*",)
            assert centre.statuses[-1].audit_count > told.audit_count


async def test_a_token_is_exchanged_while_readings_flow(tmp_path: Path) -> None:
    async with FakeCentre() as centre:
        path = gateway_file(tmp_path, 1, centre.url, connections=[], devices=[])
        async with running(path):
            await until(lambda: centre.batches)
            now = now_us()
            centre.put(Rotate(id="r1", issued_us=now, expires_us=now + 60 * SECOND_US, issued_by="ann"))
            await until(centre.outcomes)
            (outcome,) = centre.outcomes()
            assert (outcome.command, outcome.state) == ("r1", CommandState.VERIFIED)
            had = len(centre.batches)
            await until(lambda: len(centre.batches) > had)
        assert centre.token != TOKEN
        assert centre.token in (tmp_path / "state" / FILE_NAME).read_text(encoding="ascii")
