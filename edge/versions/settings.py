"""The configuration of a running gateway: where local edits and pushes from the centre meet.

    wanted text → validated → kept as a version → written to the file → put in place of what runs
                → on probation → confirmed, or the last good version comes back by itself

One change at a time, and none while another is on probation. What is written down comes before what is
done: whenever the process dies, the next start knows what was under way (`edge.versions.start`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, NoReturn

import msgspec
import structlog

from edge.config.bind import Plan
from edge.config.texts import Texts, gather
from edge.versions.difference import Difference, difference
from edge.versions.rules import check_apply, check_text, check_writable, named, publish
from edge.versions.start import PROBATION_S, Beginning, Opener, remember_place
from edge.versions.store import Source, Version
from edge.versions.trying import Host, Trying
from edge.versions.watch import FileWatch, WellKeeper
from protocols.errors import ConfigError, Mistake, Rejected, StorageError
from protocols.model.clock import SECOND_US, Clock, now_us
from protocols.model.command import CommandState
from protocols.model.order import ConfigPush, Order
from protocols.wire.handshake import ConfigStatus

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 86_400.0
_LOOK_S: Final = 0.25
_FILE_S: Final = 5.0
_WELL_S: Final = 300.0
Which = int | Literal["running", "wanted"]


class Checked(msgspec.Struct, frozen=True):
    """What would come of a configuration: its mistakes, and what it changes in the one that runs."""

    mistakes: tuple[Mistake, ...]
    difference: Difference


class Settings:
    """The versions of one running gateway, begun as `beginning` says. `run` watches until cancelled."""

    def __init__(
        self,
        beginning: Beginning,
        host: Host,
        opener: Opener,
        clock: Clock = now_us,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = beginning.file
        self._store = beginning.store
        self._host = host
        self._open = opener
        self._clock = clock
        self._monotonic = monotonic
        self._busy = asyncio.Lock()
        self._under_way: set[asyncio.Task[Version]] = set()
        self._trying = Trying(
            self._file, self._store, host, opener, ran=self._ran, clock=clock, monotonic=monotonic
        )
        self._edits = FileWatch(self._file)
        self._well = WellKeeper(self._store.folder)
        self._since_us = clock()
        self._log = structlog.get_logger("edge.versions")
        well = self._well.last()
        with self._store.patiently():
            beginning.settle(sorted(well.devices), uplink=well.uplink)
        remember_place(self._file, self._store.state_dir)
        if beginning.replaces_file:
            with suppress(StorageError):  # then the file goes on to be what is wanted, and is shown as that
                publish(self._file, beginning.texts)
        self._edits.expect(beginning.texts)
        self._trying.watch(beginning.plan)

    # ---- what a person or the centre asks ----

    async def check(self, text: str, profiles: Mapping[str, str] | None = None) -> Checked:
        """Validate a configuration and compare it with the one that runs; changes nothing."""
        texts, running = await self._texts(text, profiles), await self.text("running")
        changes = await asyncio.to_thread(difference, running, texts, self._file.name)
        try:
            await self._validated(texts, "page")
        except ConfigError as error:
            return Checked(tuple(error.mistakes), changes)
        return Checked((), changes)

    async def apply(
        self,
        text: str,
        profiles: Mapping[str, str] | None = None,
        source: Source = "page",
        actor: str = "",
        note: str = "",
        probation_s: float = PROBATION_S,
        order_id: str = "",
        base: str = "",
    ) -> Version:
        """Put a configuration in place of the one that runs, on probation; return its version.

        Own profiles that are not given are taken from their files. The running version comes back where
        nothing is different. Raises ConfigError with every mistake; Rejected `on-probation`, `stale-base`,
        `probation-time`, `too-large`, `not-text`, `file-not-writable`; StorageError. Nothing changed then.
        """
        texts = await self._texts(text, profiles)
        return await self._shielded(self._apply(texts, source, actor, note, probation_s, order_id, base))

    async def rollback(
        self, number: int, actor: str, note: str = "", probation_s: float = PROBATION_S
    ) -> Version:
        """Go back to a version, on probation as any change; out of a probation to its way back, at once.

        Raises Rejected `unknown-version`, and what `apply` raises.
        """
        trial = self._store.index.trial
        if trial is not None and number == trial.back:
            return await self._shielded(self._trying.give_up(actor, note or f"taken back by {actor}"))
        texts = await asyncio.to_thread(self._store.texts, number)
        words = note or f"back to version {number}"
        return await self._shielded(self._apply(texts, "rollback", actor, words, probation_s, "", ""))

    async def renew(self) -> None:
        """Open the running texts anew, for what is not in them: devices that have joined by themselves.

        No version, no probation: nobody has changed the configuration. Raises ConfigError, StorageError.
        """
        async with self._busy:
            texts = await asyncio.to_thread(self._store.texts, self._store.index.running)
            plan = await asyncio.to_thread(self._open, self._file, texts)
            await self._host.change(plan)

    async def confirm(self, actor: str) -> Version:
        """End the probation well, by a person's word. Raises Rejected `no-probation`, StorageError."""
        return await self._shielded(self._trying.confirm(actor))

    async def push(self, order: ConfigPush, offset_us: int) -> None:
        """Carry out a push of the centre; answered now where it is refused, else after its probation."""
        late_us = self._clock() + offset_us - order.expires_us
        if late_us >= 0:
            detail = f"its time ran out {late_us / SECOND_US:.1f} s ago; nothing changed"
            await self._host.answer(order.id, CommandState.EXPIRED, "expired", detail)
            return
        try:
            version = await self.apply(
                order.text,
                order.profiles,
                source="centre",
                actor=f"centre:{order.issued_by}",
                note=order.note,
                probation_s=order.probation_s,
                order_id=order.id,
                base=order.base,
            )
        except ConfigError as error:
            await self._host.answer(order.id, CommandState.REJECTED, "mistakes", str(error)[:4000])
        except Rejected as error:
            await self._host.answer(order.id, CommandState.REJECTED, error.reason, str(error))
        except StorageError as error:
            await self._host.answer(order.id, CommandState.FAILED, "storage", str(error))
        else:
            if version.order != order.id:
                detail = f"nothing is different; version {version.number} runs"
                await self._host.answer(order.id, CommandState.VERIFIED, "confirmed", detail)

    def status(self) -> ConfigStatus:
        """Return what runs, what is wanted, and why they differ."""
        index = self._store.index
        version = self._store.version(index.running)
        status = ConfigStatus(
            running=version.number,
            digest=version.digest,
            declaration=self._host.plan.declaration,
            since_us=self._since_us,
            wanted=version.digest,
        )
        waits = self._trying.why()
        if waits is not None:
            return msgspec.structs.replace(status, state="probation", why=waits)
        if self._edits.digest and index.told != "refused":
            return msgspec.structs.replace(
                status, state="edited", wanted=self._edits.digest, why=self._edits.why
            )
        return msgspec.structs.replace(
            status, state=index.told, why=index.told_why, wanted=index.wanted or version.digest
        )

    @property
    def left_s(self) -> float | None:
        """Seconds of probation that are left; None where there is none."""
        return self._trying.left_s

    def versions(self) -> tuple[Version, ...]:
        """Return the versions that are kept, oldest first."""
        return self._store.index.versions

    async def text(self, which: Which) -> Texts:
        """Return the texts of a version, of the running one, or of the file as it lies there now.

        Raises Rejected `unknown-version`; ConfigError where the file cannot be read; StorageError.
        """
        if which == "wanted":
            return await asyncio.to_thread(gather, self._file)
        if which == "running":
            which = self._store.index.running
        return await asyncio.to_thread(self._store.texts, which)

    async def diff(self, old: Which, new: Which) -> Difference:
        """Return what is different between two configurations. Raises what `text` raises."""
        before, after = await self.text(old), await self.text(new)
        return await asyncio.to_thread(difference, before, after, self._file.name)

    # ---- what the gateway asks ----

    async def recover(self, orders: Iterable[Order]) -> None:
        """Answer the pushes that were under way when the process ended, but for the one on probation."""
        trial = self._store.index.trial
        by_order = {version.order: version for version in self.versions() if version.order}
        for order in orders:
            version = by_order.get(order.id)
            if not isinstance(order, ConfigPush) or (version and trial and version.number == trial.number):
                continue
            if version is None:
                detail = "the gateway stopped before it was applied; nothing changed"
                await self._host.answer(order.id, CommandState.FAILED, "interrupted", detail)
            elif version.state == "rolled-back":
                await self._host.answer(order.id, CommandState.FAILED, "rolled-back", version.why)
            else:
                detail = f"version {version.number} was confirmed"
                await self._host.answer(order.id, CommandState.VERIFIED, "confirmed", detail)

    async def run(self) -> NoReturn:
        """Watch a version on probation, and the file for edits by hand."""
        looked = kept = self._monotonic()
        while True:
            await asyncio.sleep(_LOOK_S)
            now = self._monotonic()
            try:
                async with self._busy:
                    await self._trying.judge()
                if now - looked >= _FILE_S:
                    looked = now
                    await self._catch_up()
                    await self._look_at_file()
                if now - kept >= _WELL_S and self.left_s is None:
                    kept = now
                    await asyncio.to_thread(self._well.keep, self._host.seen())
            except StorageError as error:
                self._log.error("the versions cannot be written; tried again", reason=str(error))
                await asyncio.sleep(_FILE_S)

    async def _catch_up(self) -> None:
        """Write what the disk has not taken at the start; it is tried as long as that takes."""
        if not self._store.owes:
            return
        with suppress(StorageError):
            async with self._busy:
                await asyncio.to_thread(self._store.catch_up)
            self._log.info("the versions are on the disk")

    def ended(self) -> None:
        """Note that the gateway was stopped in order: a start after it is no sign of a failure."""
        with suppress(StorageError):
            if self.left_s is None:
                self._well.keep(self._host.seen())
            self._trying.ended()

    # ---- inside ----

    async def _shielded(self, work: Coroutine[Any, Any, Version]) -> Version:
        """Do something to its end, also where whoever asked for it goes away meanwhile."""
        task = asyncio.create_task(self._alone(work), name="settings")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _alone(self, work: Coroutine[Any, Any, Version]) -> Version:
        async with self._busy:
            return await work

    async def _texts(self, text: str, profiles: Mapping[str, str] | None) -> Texts:
        check_text((text, *(profiles or {}).values()))
        known = await asyncio.to_thread(gather, self._file, text)
        return named(known, self._file, profiles or {})

    async def _validated(self, texts: Texts, source: Source) -> Plan:
        def validate() -> Plan:
            plan = self._open(self._file, texts)
            check_apply(self._file, self._store.texts(self._store.index.running), texts, source)
            return plan

        return await asyncio.to_thread(validate)

    async def _apply(
        self, texts: Texts, source: Source, actor: str, note: str, probation_s: float, order: str, base: str
    ) -> Version:
        store, index = self._store, self._store.index
        running = store.version(index.running)
        if index.trial is not None:
            raise Rejected(
                "on-probation",
                f"version {index.trial.number} is on probation; confirm it, or go back to version "
                f"{index.trial.back}, then apply this one",
            )
        if base and base != running.digest:
            raise Rejected(
                "stale-base",
                f"version {running.number} runs, which is another than this change was made from; "
                "read it again and make the change in it",
            )
        if not SHORTEST_S <= probation_s <= LONGEST_S:
            raise Rejected(
                "probation-time", f"a probation lasts {SHORTEST_S:g} to {LONGEST_S:g} s, not {probation_s:g}"
            )
        plan = await self._validated(texts, source)
        check_writable(self._file)
        if texts.digest == running.digest:
            await asyncio.to_thread(self._same, texts)
            return running
        version = await asyncio.to_thread(
            self._trying.begin, texts, plan, source, actor, note, order, probation_s
        )
        try:
            await asyncio.to_thread(publish, self._file, texts)
            await self._host.change(plan)
        except StorageError as error:
            await self._trying.never_ran(str(error))
            raise
        self._ran(texts)
        self._trying.watch(plan)
        self._log.warning(
            "configuration is applied, on probation",
            version=version.number,
            by=actor,
            source=source,
            probation_s=probation_s,
        )
        await self._host.note(actor, "config.apply", f"version {version.number}", note)
        return version

    def _same(self, texts: Texts) -> None:
        publish(self._file, texts)
        self._store.settle(told="same", told_why="", wanted="")

    def _ran(self, texts: Texts) -> None:
        """Note that another configuration has begun to run."""
        self._since_us = self._clock()
        self._edits.expect(texts)

    async def _look_at_file(self) -> None:
        if await asyncio.to_thread(self._edits.look):
            self._log.warning("configuration is edited", reason=self._edits.why)
