"""What drivers take from a technician's file beside plain values: device names in addresses, passwords."""

from __future__ import annotations

from pathlib import Path

from protocols.errors import ConfigError, ConnectionLost, Mistake
from protocols.field.base import BoundPoint
from protocols.model.quality import Quality

DEVICE = "{device}"


def fill_device(point: BoundPoint, template: str, device: str) -> str:
    """Put the device's name at its address's `{device}`. Raises ConfigError where there is none to put."""
    if DEVICE in template and not device:
        raise ConfigError(
            [
                Mistake(
                    f"device {point.device}", 0, 0, "params.device",
                    f"the address {template!r} of point {point.profile.key} waits for a device name",
                    "`params: {device: NAME}`", "give the name that the device has in its addresses",
                )
            ]
        )  # fmt: skip
    return template.replace(DEVICE, device)


def read_password(path: Path | None) -> str | None:
    """Return the first line of a password file, at the time of connecting, so that it can be changed.

    Raises ConnectionLost where the file cannot be read; its content is never part of an error.
    """
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConnectionLost(
            f"password_file {path} cannot be read ({reason}); create it for the gateway's user, mode 0600",
            Quality.BAD_CONFIGURATION_ERROR,
        ) from error
    return lines[0] if lines else ""
