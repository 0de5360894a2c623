"""Which agents answer at some addresses, who they say they are, and what they hold. Reads only."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout
from protocols.field.scanning import Found, Progress
from protocols.field.snmp.agent import Agent, AgentError
from protocols.field.snmp.driver import object_id
from protocols.field.snmp.settings import SnmpSettings
from protocols.field.snmp.values import Held, sample
from protocols.model.address.snmp import SnmpAddress
from protocols.model.device import Profile
from protocols.model.quality import Quality

IDENTITY: Final = {
    "description": "1.3.6.1.2.1.1.1.0", "object_id": "1.3.6.1.2.1.1.2.0", "name": "1.3.6.1.2.1.1.5.0",
}  # fmt: skip
MOST_HOSTS: Final = 1024
AT_ONCE: Final = 16
"""Addresses that are asked at the same time: different devices, one datagram each."""


def hosts(text: str) -> list[str]:
    """Return the addresses of a host, or of a network such as 192.0.2.0/24. Raises ValueError, in words."""
    if "/" not in text:
        return [text]
    network = ipaddress.ip_network(text, strict=False)
    if network.num_addresses > MOST_HOSTS:
        raise ValueError(f"{text} has more than {MOST_HOSTS} addresses; name a smaller network")
    return [str(one) for one in network.hosts()]


async def discover(
    settings: SnmpSettings, addresses: Sequence[str], profiles: Iterable[Profile], *, timeout_s: float
) -> AsyncIterator[Found | Progress]:
    """Yield the agents that answer, with the profiles that fit.

    Raises ConnectionLost where the one address that was named cannot be asked.
    """
    known = [profile for profile in profiles if profile.protocol == "snmp"]
    total = len(addresses)
    for first in range(0, total, AT_ONCE):
        some = addresses[first : first + AT_ONCE]
        yield Progress(first, total, some[0])
        asked = [_agent(settings.model_copy(update={"host": host}), known, timeout_s) for host in some]
        for host, answer in zip(some, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(answer, ConnectionLost):
                if total == 1 or answer.quality == Quality.BAD_CONFIGURATION_ERROR:
                    raise answer
                if answer.quality == Quality.BAD_USER_ACCESS_DENIED:
                    yield Found("agent", host, f"{host}: there, and lets this user not in", {"host": host})
            elif isinstance(answer, BaseException):
                raise answer
            elif answer is not None:
                yield answer
    yield Progress(total, total, "done")


async def _agent(settings: SnmpSettings, profiles: Sequence[Profile], timeout_s: float) -> Found | None:
    agent = Agent(settings)
    try:
        await agent.open()
        said: dict[str, str] = {}
        for word, oid in IDENTITY.items():
            try:
                (held,) = await agent.get([oid], timeout_s, 0 if said else 1)
            except AgentError:
                held = Held("missing")
            said[word] = shown(held)
        fits = [fit for profile in profiles if (fit := await _fit(agent, profile, timeout_s))]
    except (DeviceTimeout, BadFrame):
        return None
    finally:
        agent.close()
    fits.sort(key=lambda fit: (-fit[1], -fit[2]))
    best = f"; fits {fits[0][0]} ({fits[0][2]} of {fits[0][3]} points)" if fits else ""
    about = " ".join(said["description"].split())[:120] or "no description"
    title = f"{settings.host}: {said['name'] or 'without a name'}, {about}{best}"
    detail = {
        "host": settings.host, **said,
        "profiles": [{"profile": name, "good": good, "tried": tried} for name, _, good, tried in fits[:5]],
    }  # fmt: skip
    written = settings.model_dump(mode="json", exclude_unset=True)
    suggestion = {"connections": {"protocol": "snmp", "settings": {**written, "host": settings.host}}}
    if fits:
        row = any(
            "{index}" in SnmpAddress.of(point).oid
            for one in profiles
            if one.id == fits[0][0]
            for point in one.points
        )
        suggestion["devices"] = {"profile": fits[0][0], "params": {"index": "1"} if row else {}}
    return Found("agent", settings.host, title, detail, suggestion)


async def _fit(agent: Agent, profile: Profile, timeout_s: float) -> tuple[str, float, int, int] | None:
    """Return profile, share, good and tried points where half of them at least are there in row 1."""
    points = [(point, oid) for point in profile.points if point.readable and (oid := object_id(point, "1"))]
    good = 0
    for at in range(0, len(points), 10):
        some = points[at : at + 10]
        try:
            held = await agent.get([oid for _, oid in some], timeout_s, 0)
        except (AgentError, DeviceTimeout, BadFrame):
            continue
        good += sum(sample(one, point).quality == 0 for one, (point, _) in zip(held, some, strict=True))
    return (profile.id, good / len(points), good, len(points)) if points and 2 * good >= len(points) else None


async def walk(
    settings: SnmpSettings, root: str, *, most: int, timeout_s: float
) -> AsyncIterator[Found | Progress]:
    """Yield the objects under an object id, each as a point would be. Raises ConnectionLost."""
    agent = Agent(settings)
    done = 0
    try:
        await agent.open()
        async for oid, held in agent.walk(root, most, timeout_s):
            done += 1
            if done % 50 == 1:
                yield Progress(done, 0, oid)
            kind = {"integer": "i64", "octets": "text", "oid": "text", "ip": "text", "opaque": "f64"}.get(
                held.kind
            )
            point = {"points": {"type": kind, "snmp": {"oid": oid}}} if kind else {}
            detail = {"oid": oid, "syntax": held.kind, "value": shown(held)}
            yield Found("object", oid, f"{oid} = {held.kind}: {shown(held)[:100]}", detail, point)
    except (AgentError, DeviceTimeout, BadFrame) as error:
        raise ConnectionLost(f"{error}; {done} objects were found before", error.quality) from error
    finally:
        agent.close()
    yield Progress(done, done, "done")


def shown(held: Held) -> str:
    """Return a value for people: text as it is, other octets as hexadecimal."""
    if isinstance(held.value, bytes):
        try:
            text = held.value.decode("utf-8")
        except UnicodeDecodeError:
            return held.value.hex(" ")
        return text if text.replace("\r", "").replace("\n", "").isprintable() else held.value.hex(" ")
    return "" if held.kind == "missing" else str(held.value)
