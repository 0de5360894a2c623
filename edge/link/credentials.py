"""The gateway's token on disk: one file in the state folder, readable by its owner only.

While a token is being exchanged the file holds two, and a gateway that loses its power at any moment
comes back with one that opens the door:

    token             the present one
    token, next       `next` was fetched and is tried first; `token` stays until `next` has opened the door
    token (was next)  and is the only one
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import msgspec

from edge.durable import replace_file
from protocols.errors import Rejected
from protocols.model.clock import Clock, now_us
from protocols.wire.handshake import Credentials

FILE_NAME: Final = "credentials.json"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds. made_us: when `token` became the present one; 0 where that is not known."""

    gateway: str
    token: str
    next: str = ""
    made_us: int = 0


class Bearer(Protocol):
    """Where a client has its token from, and to whom it says how the centre took it."""

    def __call__(self) -> str | None:
        """Return the token to show; None where there is none. Raises Rejected where it cannot be read."""

    def proved(self, token: str) -> None:
        """Hear that the centre took this token."""

    def refused(self, token: str) -> bool:
        """Hear that the centre does not know this token; say whether there is another to try now."""


class NoToken:
    """The bearer before enrolment."""

    def __call__(self) -> str | None:
        return None

    def proved(self, token: str) -> None:
        """Nothing to note."""

    def refused(self, token: str) -> bool:
        """There is no other."""
        return False


def load(folder: Path, gateway: str) -> Kept | None:
    """Return the credentials of this gateway, or None where it has not been enrolled.

    Raises Rejected (`credentials`) where the file is damaged or belongs to another gateway.
    """
    path = folder / FILE_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Rejected(
            "credentials", f"{path}: {error.strerror}; give the gateway the right to read it"
        ) from error
    repair = "enrol again with a new code: citynerve-edge enrol FILE CODE"
    try:
        found = msgspec.json.decode(data, type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected("credentials", f"{path} is damaged; {repair}") from error
    if found.gateway != gateway:
        raise Rejected(
            "credentials", f"{path} is for gateway {found.gateway!r}, this file is {gateway!r}; {repair}"
        )
    return found


def save(folder: Path, credentials: Credentials, clock: Clock = now_us) -> Path:
    """Write the credentials of an enrolment, whole or not at all; return the path."""
    kept = Kept(gateway=credentials.gateway, token=credentials.token, made_us=clock())
    return _write(folder, kept)


def _write(folder: Path, kept: Kept) -> Path:
    # The centre ends the old token at the first use of the new one: its name must be on disk before that.
    path = folder / FILE_NAME
    replace_file(path, msgspec.json.encode(kept))
    return path


class Token:
    """The token in the state folder, read again when the file changes: enrolling needs no restart."""

    def __init__(self, folder: Path, gateway: str, clock: Clock = now_us) -> None:
        self._folder = folder
        self._gateway = gateway
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._kept: Kept | None = None
        self._doubted = ""

    def __call__(self) -> str | None:
        """Return the token, None before enrolment. Raises Rejected where the file cannot be used."""
        kept = self._look()
        if kept is None:
            return None
        return kept.next if kept.next and kept.next != self._doubted else kept.token

    def made_us(self) -> int | None:
        """Return when the present token became it: the file's own time where that is not written in it."""
        kept = self._look()
        if kept is None:
            return None
        return kept.made_us or (self._stamp[0] // 1000 if self._stamp else None)

    def offer(self, token: str) -> None:
        """Keep a new token beside the present one, before it is used. Raises Rejected, OSError."""
        kept = self._look()
        if kept is None:
            raise Rejected("credentials", "there is no present token beside which a new one could be kept")
        self._doubted = ""
        _write(self._folder, msgspec.structs.replace(kept, next=token))

    def proved(self, token: str) -> None:
        """Hear that the centre took this token; the other one is not needed any more. Raises OSError."""
        kept = self._kept
        if kept is None or not kept.next or self._look() != kept:
            return
        if token == kept.next:
            _write(self._folder, Kept(gateway=kept.gateway, token=token, made_us=self._clock()))
        elif token == kept.token and kept.next == self._doubted:
            _write(self._folder, msgspec.structs.replace(kept, next=""))

    def refused(self, token: str) -> bool:
        """Hear that the centre does not know this token; say whether there is another to try now."""
        kept = self._look()
        if kept is None:
            return False
        if token not in {kept.token, kept.next}:
            return True  # it was exchanged while the request was on its way
        if token == kept.next:
            self._doubted = token
            return True
        if kept.next and self._doubted != kept.next:
            return True
        self._doubted = ""  # neither is known: begin with the newer one the next time
        return False

    def _look(self) -> Kept | None:
        try:
            status = (self._folder / FILE_NAME).stat()
        except FileNotFoundError:
            self._stamp, self._kept = None, None
            return None
        stamp = status.st_mtime_ns, status.st_ino
        if stamp != self._stamp:
            self._kept = load(self._folder, self._gateway)
            self._stamp = stamp
        return self._kept
