"""Which configuration a gateway begins with: a pure decision, and the reading and writing around it.

a trial under way, first start in it    go on with the version on probation
a trial under way, second start         the last good version: it crashed, or somebody pulled the plug
nothing ran here before                 the file
the file is what ran                    the file
the file is another, without mistakes   the file, on probation
the file was tried and taken back       the last good version, until somebody applies it again
the file has mistakes                   the last good version, loudly
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import structlog
from msgspec.structs import replace

from edge.config.bind import Plan
from edge.config.document import parse
from edge.config.texts import Texts, gather
from edge.versions.store import Index, Trial, Versions, write
from protocols.errors import ConfigError, Mistake, StorageError
from protocols.model.clock import Clock, now_us

PROBATION_S: Final = 120.0
Opener = Callable[[Path, Texts], Plan]
"""Validates texts as if they lay at a path, and binds them. Raises ConfigError."""
Way = Literal["first", "same", "new", "go-on", "back", "refused", "taken-back", "none"]
_STATE_DIR: Final = re.compile(r"""^state_dir:[ \t]*["']?([^"'#\r\n]+?)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)


class Choice(NamedTuple):
    """What to begin with: the file, or the version of that number."""

    way: Way
    number: int = 0


def choose(index: Index, wanted: str | None) -> Choice:
    """Decide. `wanted` is the digest of the file's configuration, None where it has mistakes."""
    trial = index.trial
    if trial is not None:
        return Choice("back", trial.back) if trial.starts >= 1 else Choice("go-on", trial.number)
    if not index.running:
        return Choice("none") if wanted is None else Choice("first")
    if wanted is None:
        return Choice("refused", index.running)
    states = {version.digest: version.state for version in index.versions}
    running = next(version for version in index.versions if version.number == index.running)
    if wanted == running.digest:
        return Choice("same", index.running)
    return Choice("taken-back", index.running) if states.get(wanted) == "rolled-back" else Choice("new")


@dataclass(slots=True)
class Beginning:
    """A plan to begin with, and why it is that one; `settle` writes it down.

    wanted: what the file says, None where it cannot be read. mistakes: those of the file.
    """

    file: Path
    plan: Plan
    store: Versions
    choice: Choice
    texts: Texts
    wanted: Texts | None
    mistakes: tuple[Mistake, ...] = ()

    @property
    def replaces_file(self) -> bool:
        """Whether the file is to be brought back to what runs: nobody has edited it since."""
        if self.wanted is None:
            return False
        states = {version.digest: version.state for version in self.store.index.versions}
        match self.choice.way:
            case "back" | "taken-back":
                return states.get(self.wanted.digest) == "rolled-back"
            case "go-on":
                # The process died between writing the version down and writing the file.
                return states.get(self.wanted.digest) == "good"
            case _:
                return False

    def settle(self, devices: Collection[str] = (), *, uplink: bool = False) -> None:
        """Make the choice durable; the gateway's folder must be locked. Raises StorageError.

        `devices` and `uplink` are what was well when the version before ran last.
        """
        store, log = self.store, structlog.get_logger("edge.versions")
        index = store.index
        match self.choice.way:
            case "first":
                first = store.add(self.texts, "start", "start", "", "running")
                store.settle(gateway=self.plan.gateway, running=first.number, good=first.number)
            case "same":
                if index.told == "refused":
                    store.settle(told="same", told_why="", wanted="")
            case "new":
                new = store.add(self.texts, "start", "start", "the file changed", "probation")
                store.mark(index.running, "good")
                trial = Trial(
                    number=new.number,
                    back=index.good,
                    seconds=PROBATION_S,
                    devices=tuple(devices),
                    uplink=uplink,
                    starts=1,
                )
                store.settle(running=new.number, trial=trial, told="same", told_why="", wanted="")
                log.warning("the file is another than before; it is on probation", version=new.number)
            case "go-on":
                if index.trial is not None:
                    store.settle(trial=replace(index.trial, starts=index.trial.starts + 1))
                log.warning("a version on probation goes on", version=self.choice.number)
            case "back":
                self._back()
            case "refused":
                self._refused()
            case "taken-back":
                why = "the file is a version that was taken back; apply it again, or correct it"
                store.settle(
                    told="rolled-back", told_why=why, wanted="" if not self.wanted else self.wanted.digest
                )
                log.error(why, running=index.running)

    def _back(self) -> None:
        store, trial = self.store, self.store.index.trial
        if trial is None:
            raise AssertionError("there is a way back only out of a trial")
        why = "the gateway ended twice within its probation"
        failed = store.version(trial.number)
        taken_back(store, why)
        structlog.get_logger("edge.versions").error(
            "configuration is taken back", version=failed.number, running=trial.back, reason=why
        )

    def _refused(self) -> None:
        store, mistakes = self.store, self.mistakes
        why = f"the file has {len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}: {mistakes[0]}"
        digest = ""
        if self.wanted is not None:
            digest = self.wanted.digest
            known = [version for version in store.index.versions if version.state == "refused"]
            if not known or known[-1].digest != digest:
                store.drop(version.number for version in known)
                refused = store.add(self.wanted, "start", "start", "", "refused")
                store.mark(refused.number, "refused", why)
        store.settle(told="refused", told_why=why, wanted=digest)
        structlog.get_logger("edge.versions").error(
            "the file is refused; the last good version runs",
            running=store.index.running,
            mistakes=[str(mistake) for mistake in mistakes],
        )


def begin(file: Path, opener: Opener, clock: Clock = now_us) -> Beginning:
    """Read what there is and choose. Raises ConfigError where nothing can run, StorageError."""
    wanted, plan, mistakes = _wanted(file, opener)
    folder = plan.loaded.state_dir if plan is not None else find_state_dir(file)
    if folder is None:
        raise ConfigError(mistakes)
    store = Versions(folder, clock)
    if plan is not None and store.index.gateway not in {"", plan.gateway}:
        mistakes = [_stranger(file, store.index.gateway, plan, folder)]
        plan = None
    choice = choose(store.index, wanted.digest if wanted is not None and plan is not None else None)
    if choice.way == "none":
        raise ConfigError(mistakes)
    if choice.way in {"first", "same", "new"} and plan is not None and wanted is not None:
        return Beginning(file, plan, store, choice, wanted, wanted)
    texts = store.texts(choice.number)
    try:
        plan = opener(file, texts)
    except ConfigError as error:
        trial = store.index.trial
        if choice.way == "go-on" and trial is not None:
            choice = Choice("back", trial.back)
            texts = store.texts(trial.back)
            plan = opener(file, texts)
        else:
            raise ConfigError(mistakes or error.mistakes) from error
    return Beginning(file, plan, store, choice, texts, wanted, tuple(mistakes))


def taken_back(store: Versions, why: str) -> None:
    """Write down that the version on probation has failed and the one before it runs. Raises StorageError."""
    trial = store.index.trial
    if trial is None:
        return
    failed = store.version(trial.number)
    store.mark(trial.number, "rolled-back", why)
    store.mark(trial.back, "running")
    told = f"version {trial.number} was taken back: {why}"
    store.settle(running=trial.back, trial=None, told="rolled-back", told_why=told, wanted=failed.digest)


def remember_place(file: Path, state_dir: Path) -> None:
    """Note beside the file where its state folder is: for the day that the file is cut short or gone."""
    try:
        write(_place(file), str(state_dir).encode(), 0o644)
    except StorageError as error:
        structlog.get_logger("edge.versions").debug("the place of the state is not noted", reason=str(error))


def find_state_dir(file: Path) -> Path | None:
    """Return the state folder of a file that may be full of mistakes, as far as it can be found."""
    with suppress(OSError):  # a file that is gone: the note beside it is there for that
        text = file.read_text(encoding="utf-8", errors="replace")
        data = parse(file, text).data
        said = data.get("state_dir") if isinstance(data, dict) else None
        named = _STATE_DIR.search(text)
        if isinstance(said, str) or named:
            return file.resolve().parent / (
                said if isinstance(said, str) else named.group(1) if named else ""
            )
    try:
        return Path(_place(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no UTF-8, or no file's name, such as `.`
        return None


def _place(file: Path) -> Path:
    return file.with_name(f".{file.name}.state_dir")


def _wanted(file: Path, opener: Opener) -> tuple[Texts | None, Plan | None, list[Mistake]]:
    try:
        texts = gather(file)
    except ConfigError as error:
        return None, None, error.mistakes
    try:
        return texts, opener(file, texts), []
    except ConfigError as error:
        return texts, None, error.mistakes


def _stranger(file: Path, known: str, plan: Plan, folder: Path) -> Mistake:
    return Mistake(
        str(file),
        0,
        0,
        "gateway.id",
        f"{folder} belongs to gateway {known!r}, this file is {plan.gateway!r}",
        f"id: {known}",
        "give another gateway a `state_dir` of its own",
    )
