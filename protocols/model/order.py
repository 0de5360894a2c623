"""What the centre wants of a gateway: everything that can lie in a gateway's inbox, by its tag.

Each has an id that names it for ever: a gateway begins an order once, and answers it once with an outcome of
that id in the stream `outcomes` (`protocols.model.command.CommandOutcome`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocols.model.command import Command

AlarmVerb = Literal["ack", "reset", "shelve", "unshelve", "suspend", "return"]
"""`suspend` takes a rule out of service (OOSRV, with a permit in `comment`), `return` brings it back."""


class AlarmAct(msgspec.Struct, frozen=True, kw_only=True, tag="alarm"):
    """Something a person does to an alarm, at the centre or at the gateway's own page.

    rule names the alarm (`device.rule`); occurrence, where given, is the one that was seen: an
    acknowledgement of an old occurrence never acknowledges a newer one. until_us ends a shelving.
    """

    id: str
    verb: AlarmVerb
    rule: str
    actor: str
    at_us: int
    occurrence: str = ""
    comment: str = ""
    until_us: int | None = None
    one_shot: bool = False


class ConfigPush(msgspec.Struct, frozen=True, kw_only=True, tag="config"):
    """A whole configuration: the text of the gateway file and of the own profiles it names.

    probation_s: after so long without the uplink or a device that was well before, the gateway goes
    back by itself. base, where given, is the digest of the configuration that the author had before him:
    another one running refuses the push (`stale-base`).
    """

    id: str
    text: str
    profiles: dict[str, str] = {}
    issued_us: int
    expires_us: int
    issued_by: str
    note: str = ""
    probation_s: float = 120.0
    base: str = ""


class Rotate(msgspec.Struct, frozen=True, kw_only=True, tag="rotate"):
    """Fetch a new token. The old one lives until the new one is used for the first time."""

    id: str
    issued_us: int
    expires_us: int
    issued_by: str


class Update(msgspec.Struct, frozen=True, kw_only=True, tag="update"):
    """Install a signed software package that the centre has staged under `package`.

    signature: Ed25519 over the sha256 digest (32 bytes) and the version in UTF-8, hexadecimal; checked
    against the public key in the gateway's own file, never against one that came with the package.
    """

    id: str
    package: str
    version: str
    size: int
    sha256: str
    signature: str
    issued_us: int
    expires_us: int
    issued_by: str


class TakePicture(msgspec.Struct, frozen=True, kw_only=True, tag="picture"):
    """Take a picture now and send it. Only for a gateway whose status has `pictures`.

    An older one could not read an inbox with an order of a kind that it does not know.
    """

    id: str
    camera: str
    issued_us: int
    expires_us: int
    issued_by: str


Order = Command | AlarmAct | ConfigPush | Rotate | Update | TakePicture
