"""Scans of SNMP agents for the command line and the local page: who answers, or what one of them holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from edge.tools.scan import Events, host_name, in_words
from protocols.errors import Rejected
from protocols.model.device import Profile


async def scan_snmp(
    host: str,
    port: int | None = None,
    *,
    walk: str = "",
    most: int = 1000,
    timeout_s: float = 1.0,
    profiles: Iterable[Profile] = (),
    settings: Mapping[str, Any] | None = None,
) -> Events:
    """Yield the agents of a host or network (192.0.2.0/24), or with `walk` the objects under an object id.

    `settings`: those of the line beside its address (`SnmpSettings`), such as version and user.
    Raises ConnectionLost, and Rejected for an address or settings that are none.
    """
    from protocols.field.snmp import SnmpSettings, scan  # noqa: PLC0415 - pysnmp is loaded when it is needed

    given = {name: value for name, value in (settings or {}).items() if value is not None}
    try:
        addresses = scan.hosts(host_name(host))
        made = SnmpSettings.model_validate(
            {**given, "host": addresses[0], **({"port": port} if port else {})}
        )
    except ValidationError as error:
        raise Rejected("settings", in_words(error)) from error
    except ValueError as error:
        raise Rejected("address", f"{error}; write an address, or a network such as 192.0.2.0/24") from error
    if walk:
        if not walk.replace(".", "").isdecimal():
            raise Rejected("object", f"{walk!r} is no object id; write it in numbers: 1.3.6.1.2.1.33")
        events = scan.walk(made, walk.strip("."), most=most, timeout_s=timeout_s)
    else:
        events = scan.discover(made, addresses, profiles, timeout_s=timeout_s)
    async for event in events:
        yield event
