"""Enrolment: an operator's one-time code becomes this gateway's credentials."""

from __future__ import annotations

from pathlib import Path

from edge.config.bind import SOFTWARE
from edge.link.client import CentreClient
from edge.link.credentials import save
from edge.link.trust import Trust
from protocols.errors import Rejected
from protocols.wire.handshake import Enrolment


async def enrol(
    url: str, ca_file: Path | None, gateway: str, code: str, folder: Path, pin: str | None = None
) -> Path:
    """Spend `code` at the centre and keep the credentials in `folder`; return their file.

    Raises CentreError where the centre refuses or cannot be reached; the code is then not lost
    unless it says `code-spent`.
    """
    async with CentreClient(url, Trust(ca_file, pin)) as centre:
        credentials = await centre.enrol(Enrolment(code=code, gateway=gateway, software=SOFTWARE))
    if credentials.gateway != gateway:
        raise Rejected(
            "other-gateway",
            f"the code was made for gateway {credentials.gateway!r}, this file is {gateway!r}; "
            "ask for a code for this one, or correct `gateway: id`",
        )
    return save(folder, credentials)
