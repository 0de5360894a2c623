"""The whole way, with real wheels, a real launcher and real processes: stays if well, comes back if not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from edge.link.credentials import save
from edge.updates.shelf import Shelf
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import Update
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import gateway_file, until
from tests.edge.updates.wheels import PUBLIC, order, wheel

INSTALLED = f"citynerve {version('citynerve')}"
NEW = "9.9.9"


class Site:
    """A gateway under its launcher, and the centre that it reports to."""

    def __init__(self, centre: FakeCentre, folder: Path, child: asyncio.subprocess.Process) -> None:
        self.centre = centre
        self.shelf = Shelf(folder / "state")
        self.child = child
        self._started_us = 0

    def software(self) -> str:
        """The version that reported last."""
        return self.centre.statuses[-1].software if self.centre.statuses else ""

    async def update(self, content: bytes, wanted: Update | None = None) -> CommandOutcome:
        """Stage a package, order it, and wait for what came of it."""
        self.centre.packages[NEW] = content
        self._started_us = self.centre.statuses[-1].started_us
        asked = wanted or order("u1", NEW, content)
        self.centre.put(asked)
        await until(lambda: any(out.command == asked.id for out in self.centre.outcomes()), 120)
        (outcome,) = [out for out in self.centre.outcomes() if out.command == asked.id]
        return outcome

    async def runs(self, software: str) -> None:
        """Wait until that version reports from a start after the order."""
        await until(
            lambda: self.software() == software and self.centre.statuses[-1].started_us > self._started_us, 90
        )


@asynccontextmanager
async def launched(folder: Path, *, trial_s: float = 60, **changes: Any) -> AsyncIterator[Site]:
    """A gateway without devices that runs under its launcher, and has reported."""
    async with FakeCentre() as centre:
        section = {"public_key": PUBLIC, "trial_s": trial_s}
        path = gateway_file(
            folder,
            1,
            centre.url,
            connections=[],
            devices=[],
            updates=section,
            page={"enabled": False},
            **changes,
        )
        save(folder / "state", Credentials(gateway="gw-test", token=TOKEN))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "edge.updates.launch", str(path), start_new_session=True
        )
        site = Site(centre, folder, child)
        try:
            await until(lambda: site.software() == INSTALLED, 60)
            yield site
        finally:
            if child.returncode is None:
                child.terminate()
                try:
                    await asyncio.wait_for(child.wait(), 20)
                except TimeoutError:
                    os.killpg(child.pid, signal.SIGKILL)
                    await child.wait()
                    raise


async def test_an_update_that_is_well_stays(tmp_path: Path) -> None:
    async with launched(tmp_path) as site:
        outcome = await site.update(wheel(NEW))
        assert (outcome.state, outcome.detail) == (CommandState.VERIFIED, f"runs {NEW}")
        await site.runs(f"citynerve {NEW}")
        assert site.shelf.read().trial is None
        # The launcher is still the first process, and ends when it is asked to.
        site.child.terminate()
        assert await asyncio.wait_for(site.child.wait(), 20) == 0
        assert site.shelf.read().current == NEW


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        # It dies whenever it runs, and only then: `check` finds nothing.
        ({"edge/cli/run.py": "\n\ndef run_gateway(file):\n    raise SystemExit(3)\n"}, "ended 3 times"),
        # It runs, and never speaks to the centre.
        (
            {"edge/link/client.py": "\n\nasync def _mute(self):\n    raise CentreError(0, 'mute', 'mute')\n"
             "\n\nCentreClient._trusted = _mute\n"},
            "the centre was not reached",
        ),
    ],
)  # fmt: skip
async def test_an_update_that_is_not_well_is_taken_back(
    tmp_path: Path, changes: dict[str, str], word: str
) -> None:
    async with launched(tmp_path, trial_s=10) as site:
        outcome = await site.update(wheel(NEW, changes))
        assert (outcome.state, outcome.reason) == (CommandState.MISMATCH, "rolled-back")
        assert word in outcome.detail
        await site.runs(INSTALLED)
        assert site.shelf.read().current == ""


async def test_an_update_that_cannot_start_is_refused_without_a_pause(tmp_path: Path) -> None:
    async with launched(tmp_path) as site:
        broken = wheel(NEW, {"edge/cli/__init__.py": "\n\nraise ImportError('a module that is not there')\n"})
        outcome = await site.update(broken)
        assert (outcome.state, outcome.reason) == (CommandState.REJECTED, "does-not-start")
        assert "not there" in outcome.detail
        assert site.shelf.read().current == ""
        # What came on the way is not what was signed.
        other = wheel(NEW, {"edge/__init__.py": "\n# another\n"})
        swapped = await site.update(other, order("u2", NEW, other[:-1] + b"\1"))
        assert (swapped.state, swapped.reason) == (CommandState.REJECTED, "bad-digest")
        longer = await site.update(other, order("u3", NEW, other[:-10]))
        assert (longer.state, longer.reason) == (CommandState.FAILED, "package-size")
        assert not list((site.shelf.folder / "versions").glob("*.whl"))


async def test_a_hanging_version_is_ended_from_outside(tmp_path: Path) -> None:
    """The launcher alone, with a grace of a second: the version neither proves well nor ends."""
    launcher = (
        "import sys; from pathlib import Path; from edge.updates.launch import Launcher; "
        "from edge.updates.shelf import Shelf; "
        "sys.exit(Launcher(Path(sys.argv[1]), Shelf(Path(sys.argv[2])), 1.0).run())"
    )
    from edge.updates.package import unpack  # noqa: PLC0415 - only here
    from edge.updates.shelf import Trial  # noqa: PLC0415 - only here

    async with FakeCentre() as centre:
        path = gateway_file(tmp_path, 1, centre.url, connections=[], devices=[], page={"enabled": False})
        save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
        shelf = Shelf(tmp_path / "state")
        file = tmp_path / "w.whl"
        file.write_bytes(wheel(NEW, {"edge/cli/run.py": "\n\nimport time\n\ntime.sleep(3600)\n"}))
        unpack(file, NEW, shelf.place(NEW))
        shelf.begin(Trial(version=NEW, order="u1", devices=(), seconds=1.0))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", launcher, str(path), str(tmp_path / "state")
        )
        try:
            await until(centre.outcomes, 60)
            (outcome,) = centre.outcomes()
            assert (outcome.command, outcome.reason) == ("u1", "rolled-back")
            assert "neither" in outcome.detail
        finally:
            child.terminate()
            await child.wait()
