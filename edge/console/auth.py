"""Who may come in through the page's door: the sessions, and the pause after wrong guesses.

Sessions live in memory only, so that a restart or a new password ends them all.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from edge.console.password import Password
from edge.console.worker import Worker
from protocols.errors import Rejected

UNSET: Final = "no password is set; run at the gateway: citynerve-edge page password FILE"
IDLE_S: Final = 3600.0
"""A session that asked for nothing for so long has ended."""
LIFE_S: Final = 12 * 3600.0
"""A session ends after this, however busy: about one working day."""
_MAX_SESSIONS: Final = 32
_FREE_GUESSES: Final = 2
_MAX_WAIT_S: Final = 300
_MAX_ADDRESSES: Final = 1024
_MAX_QUEUE: Final = 4


@dataclass(slots=True)
class _Session:
    made: float
    seen: float
    stamp: tuple[int, int]


class Sessions:
    """Who is signed in. Tokens are kept as their SHA-256, so that a memory dump signs nobody in.

    Times are monotonic seconds: a stepped clock signs nobody out, and keeps nobody in.
    """

    def __init__(self, password: Password, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._password = password
        self._monotonic = monotonic
        self._open: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self) -> str:
        """Open a session for somebody who knew the password; return its token. The oldest gives way.

        Raises Rejected (`no-password`) where the password has just been taken away.
        """
        stamp = self._password.stamp
        if stamp is None:
            raise Rejected("no-password", UNSET)
        token, now = secrets.token_urlsafe(32), self._monotonic()
        while len(self._open) >= _MAX_SESSIONS:
            self._open.popitem(last=False)
        self._open[_digest(token)] = _Session(now, now, stamp)
        return token

    def holds(self, token: str, *, seen: bool = True) -> bool:
        """Return whether the token's session lives; `seen` says that its owner just asked for something."""
        key = _digest(token)
        session = self._open.get(key)
        if session is None:
            return False
        now = self._monotonic()
        over = now - session.seen >= IDLE_S or now - session.made >= LIFE_S
        if over or session.stamp != self._stamp():
            del self._open[key]
            return False
        if seen:
            session.seen = now
        return True

    def _stamp(self) -> tuple[int, int] | None:
        """Return which password there is; one that cannot be read is none."""
        try:
            return self._password.stamp
        except Rejected:
            return None

    def end(self, token: str) -> None:
        """Close a session; an unknown one is closed already."""
        self._open.pop(_digest(token), None)


class Limiter:
    """The pause after a wrong guess, by address: two cost nothing, then 2, 4, 8 … 300 s.

    Monotonic seconds are given by the caller. An IPv6 address counts with its whole /64.
    """

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """Return how long this address has to wait before it may guess again; 0 where it need not."""
        _, until = self._failed.get(network(address), (0, 0.0))
        return max(until - now, 0.0)

    def failed(self, address: str, now: float) -> None:
        """Count a wrong guess: before it is judged, so that guesses side by side count too."""
        key = network(address)
        times = self._failed.pop(key, (0, 0.0))[0] + 1
        self._failed[key] = (times, now + _pause_s(times))
        while len(self._failed) > _MAX_ADDRESSES:
            self._failed.popitem(last=False)

    def judged(self, address: str, now: float) -> None:
        """Let the pause begin now, when the guess has turned out wrong: judging it took its time too."""
        key = network(address)
        times, _ = self._failed.get(key, (0, 0.0))
        self._failed[key] = (times, now + _pause_s(times))

    def succeeded(self, address: str) -> None:
        """Forget the wrong guesses of an address that knew the password."""
        self._failed.pop(network(address), None)


class Gatekeeper:
    """The page's door: password in, token out."""

    def __init__(self, folder: Path, worker: Worker, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self.password = Password(folder)
        self.sessions = Sessions(self.password, monotonic)
        self._monotonic = monotonic
        self._limiter = Limiter()
        self._one = asyncio.Lock()
        self._queue = 0
        self._log = structlog.get_logger("edge.console")

    @property
    def has_password(self) -> bool:
        """Whether anybody can sign in; a damaged file counts as none, and is for the log only."""
        try:
            return self.password.stamp is not None
        except Rejected as error:
            self._log.error("the page's password cannot be read", reason=str(error))
            return False

    async def sign_in(self, password: str, address: str) -> str:
        """Return a new session's token.

        Raises Rejected (`no-password`, `wrong-password`) and TooSoon.
        """
        if not self.has_password:
            raise Rejected("no-password", UNSET)
        wait = self._limiter.wait_s(address, self._monotonic())
        if wait > 0:
            raise TooSoon(wait)
        if self._queue >= _MAX_QUEUE:
            raise TooSoon(1.0)
        self._limiter.failed(address, self._monotonic())
        self._queue += 1
        try:
            # One at a time: each guess takes 16 MiB while it is judged.
            async with self._one:
                known = await self._worker.run(self.password.matches, password)
        finally:
            self._queue -= 1
        if not known:
            self._limiter.judged(address, self._monotonic())
            raise Rejected("wrong-password", "that is not the password of this gateway's page")
        self._limiter.succeeded(address)
        return self.sessions.begin()


class TooSoon(Rejected):
    """A guess that came too early. `wait_s` says how long the door stays shut for this address."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__("wait", f"too many wrong passwords; try again in {wait_s:.0f} s")


def _pause_s(failures: int) -> float:
    over = min(failures - _FREE_GUESSES, 16)
    return min(2.0**over, _MAX_WAIT_S) if over > 0 else 0.0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def network(address: str) -> str:
    """Return what counts as one asker: an IPv4 address, also one mapped into IPv6, or an IPv6 /64."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped or ipaddress.ip_network((known, 64), strict=False))
    return str(known)
