"""The part of an update that runs inside the gateway: obeys the order, judges the trial, tells the result."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final, Protocol

import structlog

from edge.config.updating import UpdatesEntry
from edge.link.client import CentreClient, CentreError
from edge.updates.launch import LAUNCHED, environment
from edge.updates.package import NAME, check_signature, unpack
from edge.updates.shelf import Shelf, Trial
from protocols.errors import Rejected
from protocols.model.clock import Clock, now_us
from protocols.model.command import CommandState
from protocols.model.order import Order, Update

CHECK_S: Final = 120.0
LOOK_S: Final = 1.0
ROOM: Final = 8
"""Free space that an update needs, as a multiple of its package: it is unpacked and compiled."""


class Wellness(Protocol):
    """What is well at a moment."""

    @property
    def devices(self) -> AbstractSet[str]:
        """Devices that answer."""

    @property
    def uplink(self) -> bool:
        """Whether the centre has answered."""


class Host(Protocol):
    """What an update asks of the gateway that runs."""

    def seen(self) -> Wellness:
        """Return what is well now."""

    async def answer(self, order: str, state: CommandState, reason: str, detail: str) -> None:
        """Tell the centre what became of its order."""

    async def note(self, actor: str, what: str, subject: str, detail: str) -> None:
        """Write a deed into the audit trail."""

    def restart(self) -> None:
        """End in order, and ask to be started again."""


class Updater:
    """Updates of one gateway. wanted: the section `updates:` of what runs, None where it takes none."""

    def __init__(
        self,
        file: Path,
        shelf: Shelf,
        host: Host,
        wanted: Callable[[], UpdatesEntry | None],
        clock: Clock = now_us,
    ) -> None:
        self._file = file
        self._shelf = shelf
        self._host = host
        self._wanted = wanted
        self._clock = clock
        self._log = structlog.get_logger("edge.updates")

    async def run(self) -> None:
        """Judge the trial that this start belongs to, if any, and tell how the last one ended."""
        state = await asyncio.to_thread(self._shelf.read)
        if state.trial is not None:
            if not await self._proves_well(state.trial):
                self._host.restart()
                return
            state = await asyncio.to_thread(self._shelf.confirm)
        if state.ended is None:
            return
        ended = state.ended
        result, reason = (CommandState.VERIFIED, "") if ended.good else (CommandState.MISMATCH, "rolled-back")
        words = f"runs {ended.version}" if ended.good else f"{ended.version} was taken back: {ended.why}"
        self._log.info("update has ended", version=ended.version, good=ended.good, why=ended.why)
        await self._host.note("gateway", "update", ended.version, words)
        await self._host.answer(ended.order, result, reason, words)
        await asyncio.to_thread(self._shelf.told)

    async def recover(self, orders: Iterable[Order]) -> None:
        """Answer the updates that were being fetched when the process ended."""
        state = await asyncio.to_thread(self._shelf.read)
        known = {part.order for part in (state.trial, state.ended) if part is not None}
        for order in orders:
            if isinstance(order, Update) and order.id not in known:
                detail = "the gateway stopped before it was installed; nothing changed"
                await self._host.answer(order.id, CommandState.FAILED, "interrupted", detail)

    async def obey(self, order: Update, offset_us: int, centre: CentreClient) -> None:
        """Fetch, check and begin a version. offset_us: the centre's clock minus ours.

        What is refused is answered here; what begins is answered by the start after it.
        """
        try:
            if self._clock() + offset_us >= order.expires_us:
                await self._host.answer(order.id, CommandState.EXPIRED, "expired", "its time was over")
                return
            if order.version == installed(NAME):
                detail = f"{order.version} runs already"
                await self._host.answer(order.id, CommandState.VERIFIED, "no-change", detail)
                return
            await self._prepare(order, centre)
        except Rejected as error:
            await self._host.answer(order.id, CommandState.REJECTED, error.reason, str(error))
        except CentreError as error:
            await self._host.answer(order.id, CommandState.FAILED, error.code, str(error))
        except OSError as error:
            detail = f"the disk did not take it: {error}; the running version stays"
            await self._host.answer(order.id, CommandState.FAILED, "storage", detail)

    async def _prepare(self, order: Update, centre: CentreClient) -> None:
        entry = self._wanted()
        if entry is None:
            raise Rejected("no-key", "this gateway takes no updates; write `updates: {public_key: …}`")
        if LAUNCHED not in os.environ:
            raise Rejected(
                "no-launcher",
                "nobody could take an update back: start the gateway with `citynerve-edge launch FILE`",
            )
        check_signature(order, entry.public_key)
        place = self._shelf.place(order.version)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(place.parent).free
        if free < ROOM * order.size:
            raise Rejected("no-room", f"it needs {ROOM * order.size >> 20} MB free, there are {free >> 20}")
        await self._fetch(order, centre, place)
        await self._require_start(order.version)
        trial = Trial(
            version=order.version,
            order=order.id,
            devices=tuple(sorted(self._host.seen().devices)),
            seconds=entry.trial_s,
        )
        await self._host.note(f"centre:{order.issued_by}", "update", order.version, f"order {order.id}")
        await asyncio.to_thread(self._shelf.begin, trial)
        self._log.warning("restarts for an update", version=order.version)
        self._host.restart()

    async def _fetch(self, order: Update, centre: CentreClient, place: Path) -> None:
        wheel = place.with_name("incoming.whl")
        try:
            digest = await centre.package(order.package, order.size, wheel)
            if digest != order.sha256:
                raise Rejected("bad-digest", "what came is not what was signed; it was thrown away")
            await asyncio.to_thread(unpack, wheel, order.version, place)
        finally:
            wheel.unlink(missing_ok=True)

    async def _require_start(self, version: str) -> None:
        """Let the new version read this gateway's file: it must import, and understand it."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "edge", "check", str(self._file),
            env=environment(self._shelf, version),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(child.communicate(), CHECK_S)
        except TimeoutError:
            child.kill()
            await child.wait()
            raise Rejected(
                "does-not-start", f"{version} did not check the file within {CHECK_S:.0f} s"
            ) from None
        if child.returncode:
            words = said.decode("utf-8", "replace").strip()[-800:]
            raise Rejected("does-not-start", f"{version} does not take this gateway's file: {words}")

    async def _proves_well(self, trial: Trial) -> bool:
        """Wait for uplink and devices; False where the version was taken back."""
        loop = asyncio.get_running_loop()
        until = loop.time() + trial.seconds
        while True:
            seen = self._host.seen()
            missing = sorted(set(trial.devices) - seen.devices)
            if seen.uplink and not missing:
                return True
            if loop.time() > until:
                why = "the centre was not reached" if not seen.uplink else f"silent: {', '.join(missing[:5])}"
                self._log.error("version on trial is not well", version=trial.version, why=why)
                await asyncio.to_thread(
                    self._shelf.back, f"not well within {trial.seconds:.0f} s of its start: {why}"
                )
                return False
            await asyncio.sleep(LOOK_S)
