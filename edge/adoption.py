"""Devices that join by themselves under the rules of the gateway file (`edge.config.adopting`).

    driver: somebody speaks ─→ welcome: may he? ─→ adopted.json ─→ the running configuration, opened anew
                                              └─→ refused, with the reason, for a person to see

Newcomers join together every few seconds: a hundred devices of a new broker are one change. What one says
meanwhile is kept by its driver.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn, Protocol

import msgspec
import structlog

from edge.config.adopting import Adopted, AdoptionEntry, Book, key_of, read_book, write_book
from edge.config.bind import Plan
from edge.versions import Settings
from protocols.errors import ConfigError, Rejected, StorageError
from protocols.model.clock import Clock

ROUND_S: Final = 2.0
RETRY_S: Final = 30.0
MOST_REFUSED: Final = 200
"""So many who may not join are remembered with the reason; of further ones only how many they are."""
MOST_FORGOTTEN: Final = 1000
UNWANTED: Final = frozenset({"denied", "not-allowed"})
"""Turned away because the rule says so: no news, and no trouble."""
_LOGGED: Final = 20
_SHOWN: Final = 64
_WORDS: Final = {
    "denied": "the rule denies this name",
    "not-allowed": "no pattern under `allow` matches this name",
    "name": "its name makes no key: letters a to z, digits, '-', '_', '.', ':' and spaces, at most 63; "
    "give it another name in its topics, or declare it under `devices:`",
    "taken": "another device has the key that its name makes; give it another name in its topics, "
    "or declare it under `devices:`",
    "full": "the rule has as many devices as `most` allows; raise it, or forget a device that is gone: "
    "citynerve-edge adopted FILE --forget DEVICE",
}


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A device that spoke and may not join. name: as it can be shown, cut where it is long."""

    rule: str
    name: str
    code: str
    why: str


class Noting(Protocol):
    """Writes a deed into the audit trail."""

    async def note(self, actor: str, what: str, subject: str, detail: str) -> None:
        """Write it; never raises."""


class Adopter:
    """Judges newcomers for the drivers (`welcome`), and takes them in while it `run`s."""

    def __init__(self, state_dir: Path, clock: Clock, *, round_s: float = ROUND_S) -> None:
        self._state_dir = state_dir
        self._clock = clock
        self._round_s = round_s
        self._book = read_book(state_dir)
        self._rules: dict[str, AdoptionEntry] = {}
        self._taken: set[str] = set()
        self._adopted: Mapping[str, Adopted] = {}
        self._count: Counter[str] = Counter()
        self._waiting: dict[str, Adopted] = {}
        self._refused: dict[tuple[str, str], Refused] = {}
        self._logged = 0
        self.refused_more = 0
        """How often a device was turned away beyond those that are remembered."""
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._log = structlog.get_logger("edge.adoption")

    def follow(self, plan: Plan) -> None:
        """Judge by the rules of another plan from now on."""
        entry = plan.loaded.entry
        self._rules = {rule.key: rule for rule in entry.adoptions}
        self._taken = {device.key for device in entry.devices}
        self._adopted = plan.loaded.adopted
        self._count = Counter(one.rule for one in self._adopted.values())
        self._waiting = {
            key: one for key, one in self._waiting.items() if self._judge(one.rule, one.name) is None
        }
        self._refused = {who: told for who, told in self._refused.items() if self._judge(*who) == told.code}

    # ---- what drivers ask ----

    def welcome(self, rule: str, name: str, retained: bool) -> bool:
        """Hear that a device speaks which nobody has declared, see `protocols.field.base.Welcome`."""
        waiting = self._waiting.get(key_of(name) or "")
        if waiting is not None and (waiting.rule, waiting.name) == (rule, name):
            return True
        if (rule, name) in self._refused:
            return False
        if retained and (rule, name) in self._book.forgotten:
            return False
        code = self._judge(rule, name)
        if code is not None:
            self._refuse(rule, name, code)
            return False
        self._waiting[key_of(name) or ""] = Adopted(rule=rule, name=name, adopted_us=self._clock())
        self._news.set()
        return True

    def _judge(self, key: str, name: str) -> str | None:
        """Return why a device may not join; None where it may."""
        rule = self._rules.get(key)
        if rule is None or not rule.enabled:
            return "off"
        code = rule.refuses(name)
        if code is not None:
            return code
        device = key_of(name)
        known = self._waiting.get(device or "")
        if device in self._taken or (known is not None and known.name != name):
            return "taken"
        beside = sum(one.rule == key and one.name != name for one in self._waiting.values())
        return "full" if self._count[key] + beside >= rule.most else None

    def _refuse(self, rule: str, name: str, code: str) -> None:
        if code == "off":
            return
        if len(self._refused) >= MOST_REFUSED:
            self.refused_more += 1
            return
        shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in name[:_SHOWN])
        told = Refused(rule=rule, name=shown, code=code, why=_WORDS[code])
        self._refused[rule, name] = told
        if code in UNWANTED or self._logged > _LOGGED:
            return
        self._logged += 1
        self._log.warning("a device may not join", rule=rule, device=shown, code=code, reason=told.why)
        if self._logged > _LOGGED:
            self._log.warning("further devices that may not join are not logged; see `adopted`")

    # ---- what people ask ----

    def refused(self) -> list[Refused]:
        """Return who may not join, and why."""
        return list(self._refused.values())

    async def forget(self, device: str, settings: Settings) -> None:
        """Take a device out; it joins again when it speaks, not by what the broker retains of it.

        Raises Rejected `not-found`, StorageError.
        """
        async with self._writing:
            gone = [one for one in self._book.devices if key_of(one.name) == device]
            if not gone:
                raise Rejected(
                    "not-found", f"no device {device!r} has joined by itself; see citynerve-edge adopted FILE"
                )
            kept = tuple(one for one in self._book.devices if one not in gone)
            names = [(one.rule, one.name) for one in gone]
            forgotten = tuple(dict.fromkeys((*self._book.forgotten, *names)))[-MOST_FORGOTTEN:]
            await self._keep(Book(devices=kept, forgotten=forgotten))
            await settings.renew()
        self._log.warning("an adopted device is forgotten", device=device)

    # ---- inside ----

    async def run(self, settings: Settings, host: Noting) -> NoReturn:
        """Take in who waits, until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(self._round_s)
            self._news.clear()
            try:
                joined = await self._take_in(settings)
            except (ConfigError, StorageError) as error:
                self._log.error(
                    "devices cannot join; tried again", devices=sorted(self._waiting), reason=str(error)
                )
                await asyncio.sleep(RETRY_S)
                self._news.set()
                continue
            for device, one in joined.items():
                self._log.info("a device has joined", device=device, rule=one.rule, name=one.name)
                await host.note("gateway", "device.adopt", device, f"rule {one.rule}, name {one.name}")

    async def _take_in(self, settings: Settings) -> dict[str, Adopted]:
        async with self._writing:
            before, joining = self._book, dict(self._waiting)
            if not joining:
                return {}
            names = {(one.rule, one.name) for one in joining.values()}
            known = tuple(one for one in before.devices if key_of(one.name) not in joining)
            forgotten = tuple(one for one in before.forgotten if one not in names)
            await self._keep(Book(devices=(*known, *joining.values()), forgotten=forgotten))
            try:
                await settings.renew()
            except ConfigError:
                # Such as a certificate's file that is gone: what runs could not be opened again either.
                await self._keep(before)
                raise
            return {device: one for device, one in joining.items() if device in self._adopted}

    async def _keep(self, book: Book) -> None:
        try:
            await asyncio.to_thread(write_book, self._state_dir, book)
        except OSError as error:
            raise StorageError(f"{self._state_dir}: {error.strerror or error}") from error
        self._book = book
