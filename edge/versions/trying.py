"""The version on probation: begun, watched, confirmed or taken back, all of it written down first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from edge.config.bind import Plan
from edge.config.texts import Texts, gather
from edge.versions.probation import Probation, Seen
from edge.versions.rules import publish
from edge.versions.start import Opener, taken_back
from edge.versions.store import Source, Trial, Version, Versions
from protocols.errors import ConfigError, Rejected, StorageError
from protocols.model.clock import SECOND_US, Clock, to_datetime
from protocols.model.command import CommandState

_SPENT_S: Final = 10.0
"""The seconds of a probation that have passed are written down this often."""


class Host(Protocol):
    """What the settings ask of the gateway that runs."""

    @property
    def plan(self) -> Plan:
        """The plan that runs."""

    async def change(self, plan: Plan) -> None:
        """Run another plan. Raises StorageError where the disk does not let it; the old one runs then."""

    def seen(self) -> Seen:
        """Return what is well now; the uplink where the centre has answered since the last change."""

    async def answer(self, order: str, state: CommandState, reason: str, detail: str) -> None:
        """Tell the centre what became of its order."""

    async def note(self, actor: str, what: str, subject: str, detail: str) -> None:
        """Write a deed into the audit trail."""


class Trying:
    """The trial of a gateway's newest version, where there is one. `ran` hears which texts begin to run.

    One caller at a time: Settings sees to that.
    """

    def __init__(
        self,
        file: Path,
        store: Versions,
        host: Host,
        opener: Opener,
        *,
        ran: Callable[[Texts], None],
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._file = file
        self._store = store
        self._host = host
        self._open = opener
        self._ran = ran
        self._clock = clock
        self._monotonic = monotonic
        self._probation: Probation | None = None
        self._returned = False
        """Whether the version before runs already, though the disk does not take that down."""
        self._kept_spent_s = 0.0
        self._until_us = 0
        self._log = structlog.get_logger("edge.versions")

    @property
    def left_s(self) -> float | None:
        """Seconds of probation that are left; None where there is none."""
        return None if self._probation is None else self._probation.left_s(self._monotonic())

    def why(self) -> str | None:
        """Return in words what a version on probation waits for; None where there is none."""
        trial = self._store.index.trial
        if self._probation is None or trial is None:
            return None
        until = to_datetime(self._until_us).strftime("%H:%M:%S UTC")
        why = self._probation.why() or "everything is well so far"
        return f"on probation until {until} at most, then back to version {trial.back}: {why}"

    def begin(
        self, texts: Texts, plan: Plan, source: Source, actor: str, note: str, order: str, seconds: float
    ) -> Version:
        """Keep a version and the trial it begins, in one step; it does not run yet. Raises StorageError."""
        store, before = self._store, self._host.seen()
        version = store.add(texts, source, actor, note, "probation", order)
        store.mark(store.index.running, "good")
        trial = Trial(
            number=version.number,
            back=store.index.good,
            seconds=seconds,
            devices=tuple(sorted(before.devices & _devices(plan))),
            # Whoever takes the centre away at the gateway means it; the centre cannot cut itself off.
            uplink=before.uplink and (plan.loaded.entry.centre is not None or source == "centre"),
        )
        store.settle(running=version.number, trial=trial, told="same", told_why="", wanted="")
        return version

    def watch(self, plan: Plan) -> None:
        """Begin, or go on with, the probation that is written down, where there is one."""
        trial = self._store.index.trial
        if trial is None:
            return
        devices = [device for device in trial.devices if device in _devices(plan)]
        self._probation = Probation(
            self._monotonic(), trial.seconds, devices, uplink=trial.uplink, spent_s=trial.spent_s
        )
        self._kept_spent_s, self._returned = trial.spent_s, False
        self._until_us = self._clock() + round((trial.seconds - trial.spent_s) * SECOND_US)

    async def judge(self) -> None:
        """Look, and do what is to be done. Raises StorageError: what is not written down is tried again."""
        probation, trial = self._probation, self._store.index.trial
        if probation is None or trial is None:
            return
        now = self._monotonic()
        match probation.look(now, self._host.seen()):
            case "confirmed":
                await self._confirmed("gateway", "everything that was well before is well")
            case "failed":
                await self._failed("gateway", probation.why())
            case "watching" if probation.spent_s(now) - self._kept_spent_s >= _SPENT_S:
                self._kept_spent_s = probation.spent_s(now)
                await asyncio.to_thread(self._store.settle, trial=replace(trial, spent_s=self._kept_spent_s))

    async def confirm(self, actor: str) -> Version:
        """End it well. Raises Rejected `no-probation`, StorageError."""
        if self._probation is None:
            raise Rejected("no-probation", "no version is on probation; there is nothing to confirm")
        self._probation.confirm()
        return await self._confirmed(actor, "confirmed by a person")

    async def give_up(self, actor: str, why: str) -> Version:
        """Take it back at once. Raises Rejected `no-probation`, StorageError."""
        if self._probation is None:
            raise Rejected("no-probation", "the probation has just ended; look at the status")
        self._probation.give_up(why)
        return await self._failed(actor, self._probation.why())

    async def never_ran(self, why: str) -> Version:
        """Take back a version that was begun and could not be put in place of the one that runs."""
        self.watch(self._host.plan)
        self._returned = True
        return await self.give_up("gateway", why)

    def ended(self) -> None:
        """Note that the gateway is stopped in order: the start after it is no sign of a failure."""
        trial = self._store.index.trial
        if trial is not None and self._probation is not None:
            spent = self._probation.spent_s(self._monotonic())
            self._store.settle(trial=replace(trial, spent_s=spent, starts=max(trial.starts - 1, 0)))

    async def _confirmed(self, actor: str, why: str) -> Version:
        store, number = self._store, self._store.index.running
        store.mark(number, "running", why)
        await asyncio.to_thread(store.settle, good=number, trial=None)
        self._probation = None
        version = store.version(number)
        self._log.info("configuration is confirmed", version=number, by=actor)
        await self._host.note(actor, "config.confirm", f"version {number}", why)
        if version.order:
            await self._host.answer(
                version.order, CommandState.VERIFIED, "confirmed", f"version {number} runs: {why}"
            )
        return version

    async def _failed(self, actor: str, why: str) -> Version:
        """Go back: first what runs, then what is written down, so that a full disk holds nothing up."""
        store, trial = self._store, self._store.index.trial
        if trial is None:
            raise AssertionError("only a version on probation is taken back")
        failed = store.version(trial.number)
        try:
            texts = await asyncio.to_thread(store.texts, trial.back)
            plan = await asyncio.to_thread(self._open, self._file, texts)
        except (ConfigError, StorageError) as error:
            self._log.error("there is no way back", version=trial.back, reason=str(error))
            return await self._confirmed(
                actor, f"not well ({why}), but version {trial.back} cannot run: {error}"
            )
        if not self._returned:
            await self._host.change(plan)
            self._returned = True
            self._ran(texts)
            self._log.error(
                "configuration is taken back", version=failed.number, running=trial.back, reason=why
            )
        await asyncio.to_thread(taken_back, store, why)
        self._probation = None
        await asyncio.to_thread(self._restore, failed.digest, texts)
        await self._host.note(actor, "config.rollback", f"version {failed.number}", why)
        if failed.order:
            detail = f"version {failed.number} was taken back, version {trial.back} runs again: {why}"
            await self._host.answer(failed.order, CommandState.FAILED, "rolled-back", detail)
        return store.version(trial.back)

    def _restore(self, failed: str, texts: Texts) -> None:
        """Bring the file back to what runs, where nobody has edited it since; else it is what is wanted."""
        try:
            if gather(self._file).digest == failed:
                publish(self._file, texts)
        except (ConfigError, StorageError) as error:
            self._log.error("the file cannot be brought back to what runs", reason=str(error))


def _devices(plan: Plan) -> frozenset[str]:
    return frozenset(device.key for line in plan.connections for device in line.devices)
