"""Every error that CityNerve raises on purpose, as one tree.

    CityNerveError
    ├── ConfigError          a person's file is wrong; carries every mistake with place and repair
    ├── WireError            bytes from the other house cannot be trusted; `reason` names why
    ├── FieldError           a device, or the line to it, did not do what was asked
    │   ├── ConnectionLost   the line is gone: close, back off, open again
    │   ├── DeviceTimeout    the line is there, the device stayed silent
    │   ├── DeviceRefused    the device answered with an error of its own
    │   └── BadFrame         the answer does not belong to the question or cannot be read
    ├── StorageError         the gateway's own disk cannot keep what it is given
    └── Rejected             a request is understood and declined; `reason` is a stable code

The sentence of an error is its repair instruction: where, what was expected, what to do.
"""

from __future__ import annotations

from dataclasses import dataclass


class CityNerveError(Exception):
    """Root of the tree; catch it only where an error becomes an answer to somebody."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file that a person wrote.

    `line` and `column` are 1-based; 0 where the place is not known (a missing file).
    """

    file: str
    line: int
    column: int
    path: str
    problem: str
    expected: str
    repair: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        at = f" [{self.path}]" if self.path else ""
        return f"{place}{at}: {self.problem}; expected {self.expected}. Repair: {self.repair}"


class ConfigError(CityNerveError):
    """A configuration was refused. Holds every mistake found, never only the first."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(str(mistake) for mistake in mistakes))


class WireError(CityNerveError):
    """A batch or manifest that cannot be accepted as it is.

    `reason` is one of: `corrupt`, `too-large`, `version`, `shape`.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class FieldError(CityNerveError):
    """A device did not do what was asked. `quality` is the OPC UA status its readings get."""

    def __init__(self, message: str, quality: int) -> None:
        self.quality = quality
        super().__init__(message)


class ConnectionLost(FieldError):
    """The connection cannot be used any more; the session closes the driver and backs off."""


class DeviceTimeout(FieldError):
    """No answer within the time allowed; after a write the outcome is unknown, not failed."""


class DeviceRefused(FieldError):
    """The device answered with an exception (Modbus exception code, OPC UA bad status, …)."""


class BadFrame(FieldError):
    """An answer that does not fit its question: wrong id, length, type or encoding."""


class StorageError(CityNerveError):
    """The buffer file cannot be opened or written: full disk, no rights, in use by another gateway."""


class Rejected(CityNerveError):
    """Understood and declined. `reason` is a stable code for logs, API and screens."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)
