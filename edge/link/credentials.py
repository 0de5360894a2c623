"""The gateway's token on disk: one file in the state folder, readable by its owner only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from protocols.errors import Rejected
from protocols.wire.handshake import Credentials

FILE_NAME: Final = "credentials.json"


def load(folder: Path, gateway: str) -> Credentials | None:
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
        found = msgspec.json.decode(data, type=Credentials)
    except msgspec.DecodeError as error:
        raise Rejected("credentials", f"{path} is damaged; {repair}") from error
    if found.gateway != gateway:
        raise Rejected(
            "credentials", f"{path} is for gateway {found.gateway!r}, this file is {gateway!r}; {repair}"
        )
    return found


def save(folder: Path, credentials: Credentials) -> Path:
    """Write the credentials with mode 0600, whole or not at all; return the path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, fresh = folder / FILE_NAME, folder / (FILE_NAME + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(credentials))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path


class Token:
    """The token in the state folder, read again when the file changes: enrolling needs no restart."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self._folder = folder
        self._gateway = gateway
        self._stamp: tuple[int, int] | None = None
        self._token: str | None = None

    def __call__(self) -> str | None:
        """Return the token, None before enrolment. Raises Rejected where the file cannot be used."""
        try:
            status = (self._folder / FILE_NAME).stat()
        except FileNotFoundError:
            self._stamp, self._token = None, None
            return None
        stamp = status.st_mtime_ns, status.st_ino
        if stamp != self._stamp:
            found = load(self._folder, self._gateway)
            self._stamp, self._token = stamp, found.token if found else None
        return self._token
