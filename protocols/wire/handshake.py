"""The small messages of the link, as JSON."""

from __future__ import annotations

import msgspec

from protocols.model.command import Command


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
    command: Command


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """What is waiting; `server_us` is the centre's clock as it answers."""

    items: tuple[InboxItem, ...]
    server_us: int


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
