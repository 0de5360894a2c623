"""The small messages of the link, as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from protocols.model.alarm import Priority
from protocols.model.order import Order


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's first word: the one-time code that an operator gave to the technician."""

    code: str
    gateway: str
    software: str


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The centre's answer to an enrolment: a bearer token, shown once and stored by the gateway (0600)."""

    gateway: str
    token: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A batch is committed at the centre. `duplicate` says that it had been committed before."""

    stream: str
    seq: int
    duplicate: bool
    stored: int
    received_us: int


class InboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing for the gateway to do. `number` rises by gateway; a gateway remembers the last it took."""

    number: int
    order: Order


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """What is waiting; `server_us` is the centre's clock as it answers."""

    items: tuple[InboxItem, ...]
    server_us: int


class ConfigStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Which configuration runs, which one is wanted, and why they differ.

    Versions count up at the gateway; digests are SHA-256 in hexadecimal over text and own profiles.
    edited: somebody changed the file while the gateway runs, and has not applied it.
    """

    running: int
    digest: str
    declaration: str
    since_us: int
    wanted: str = ""
    state: Literal["same", "edited", "probation", "refused", "rolled-back"] = "same"
    why: str = ""


class StorageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's memory. left_s: how long it lasts at the present rate if the centre stays away."""

    used_bytes: int
    limit_bytes: int | None
    free_bytes: int
    left_s: float | None
    thinned: int = 0
    dropped: int = 0
    written_today: int = 0
    sent_today: int = 0
    why: str = ""


class BacklogStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What waits to be sent, and how fast it goes: eta_s is None while it does not shrink."""

    batches: int
    readings: int
    bytes: int
    oldest_us: int | None
    readings_per_s: float = 0.0
    eta_s: float | None = None


class PicturesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """That a gateway takes pictures, and what of them waits. dropped: given up since its process began.

    alarms, near_m: the least priority of alarms, and the metres around them, for which its file wants its
    cameras as witnesses. A gateway of before tells neither: it is not asked for its neighbours' alarms.
    """

    waiting: int = 0
    bytes: int = 0
    dropped: int = 0
    alarms: Priority | None = None
    near_m: float = 0.0


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway is, as it says itself: put every few seconds, and at once when a word of it changes.

    local_manual names the devices that a technician holds, `*` for the whole gateway. audit_head is the
    last link of the local audit: a centre that remembers it notices a trail that was cut or rewritten.
    pictures is None where the gateway takes none: it is older, or its file does not ask for them.
    """

    software: str
    started_us: int
    config: ConfigStatus
    storage: StorageStatus
    backlog: BacklogStatus
    local_manual: tuple[str, ...] = ()
    clock_synced: bool = True
    clock_offset_us: int | None = None
    audit_count: int = 0
    audit_head: str = ""
    token_us: int | None = None
    pictures: PicturesStatus | None = None


class RunningConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration a gateway runs: its file's text and its own profiles by id.

    masked counts the values withheld as secrets; each stands in the text as `MASK`.
    """

    text: str
    profiles: dict[str, str] = {}
    masked: int = 0


MASK = "•withheld•"
"""In the place of a secret. A push that still holds it is refused: nobody's password is this."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457 problem document. `type` ends in a stable code, such as `declare-first`.

    Codes of the link: `declare-first`, `unknown-gateway`, `revoked`, `code-spent`, `corrupt`,
    `too-large`, `version`, `shape`, `unavailable`.
    """

    type: str
    title: str
    status: int
    detail: str = ""

    @property
    def code(self) -> str:
        """The stable code at the end of `type`."""
        return self.type.rsplit("/", 1)[-1]
