"""ONVIF discovery: cameras answer a multicast question with their identity and addresses.

    Probe (SOAP 1.2 over UDP) ─→ 239.255.255.250:3702 ─→ ProbeMatches from each camera, to our port

WS-Discovery 2005/04 as the ONVIF Core Specification 7.3 uses it: both `tds:Device` and the older
`dn:NetworkVideoTransmitter` are asked for. The endpoint reference (`urn:uuid:…`) is the identity, not the IP
address. Multicast does not cross routers; a host can be asked directly instead. Answers are strangers' XML:
they are limited in size and read without document types or entities.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from protocols.errors import BadFrame, ConnectionLost
from protocols.field.scanning import Found, Progress
from protocols.model.quality import Quality

GROUP: Final = ("239.255.255.250", 3702)
MAX_ANSWER: Final = 64 * 1024
MOST: Final = 500
_ASKED: Final = ("tds:Device", "dn:NetworkVideoTransmitter")
_REPEATS: Final = 2
"""UDP may lose a question; cameras answer each at most once, and doubles are dropped by identity."""
_WSD: Final = "{http://schemas.xmlsoap.org/ws/2005/04/discovery}"
_WSA: Final = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
_SCOPE: Final = "onvif://www.onvif.org/"
_PROBE: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" \
xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">\
<s:Header><a:MessageID>urn:uuid:{message}</a:MessageID>\
<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>\
<a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header>\
<s:Body><d:Probe><d:Types>{types}</d:Types></d:Probe></s:Body></s:Envelope>"""


async def discover(
    seconds: float = 4.0,
    target: tuple[str, int] = GROUP,
    bind: str = "0.0.0.0",  # noqa: S104 - answers come from any interface
) -> AsyncIterator[Found | Progress]:
    """Ask all cameras of this network (or one `target`), and yield those that answer in time.

    Raises ConnectionLost where this machine has no network to ask on.
    """
    loop = asyncio.get_running_loop()
    answers = _Answers()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: answers, local_addr=(bind, 0))
    except OSError as error:
        raise _no_network(target, error) from error
    seen: set[str] = set()
    try:
        for _ in range(_REPEATS):
            for types in _ASKED:
                transport.sendto(_PROBE.format(message=uuid.uuid4(), types=types).encode(), target)
        ends = loop.time() + seconds
        while (left := ends - loop.time()) > 0 and len(seen) < MOST:
            yield Progress(round(10 * (seconds - left)), round(10 * seconds), f"{len(seen)} cameras")
            try:
                async with asyncio.timeout(min(left, 0.5)):
                    data, sender = await answers.queue.get()
            except TimeoutError:
                if answers.error is not None:
                    raise _no_network(target, answers.error) from answers.error
                continue
            for found in matches(data, sender):
                if found.key not in seen:
                    seen.add(found.key)
                    yield found
    finally:
        transport.close()
    yield Progress(round(10 * seconds), round(10 * seconds), f"{len(seen)} cameras")


def matches(data: bytes, sender: str) -> list[Found]:
    """Return the cameras of one answer; nothing where it is none, or cannot be trusted."""
    try:
        root = parse(data)
    except BadFrame:
        return []
    found = []
    for match in root.iter(f"{_WSD}ProbeMatch"):
        identity = (match.findtext(f"{_WSA}EndpointReference/{_WSA}Address") or "").strip()
        services = [a for a in (match.findtext(f"{_WSD}XAddrs") or "").split() if _is_http(a)]
        scopes = (match.findtext(f"{_WSD}Scopes") or "").split()
        facts = {
            word: unquote(scope.removeprefix(f"{_SCOPE}{word}/"))
            for scope in scopes
            for word in ("name", "hardware", "location")
            if scope.startswith(f"{_SCOPE}{word}/")
        }
        if not identity:
            continue
        host = _reachable(services, sender)
        detail = {
            "identity": identity, "from": sender, "services": services,
            "types": (match.findtext(f"{_WSD}Types") or "").split(), **facts,
        }  # fmt: skip
        title = " ".join(part for part in (facts.get("name"), facts.get("hardware"), f"at {host}") if part)
        suggestion = {"connections": {"protocol": "camera", "settings": {"base_url": f"http://{host}"}}}
        found.append(Found("camera", identity, title, detail, suggestion))
    return found


def parse(data: bytes, most: int = MAX_ANSWER) -> ElementTree.Element:
    """Return the XML of an answer. Raises BadFrame for what is too large, no UTF-8 or has a document type.

    Entities can only be declared in a document type, so without one they cannot grow.
    """
    if len(data) > most:
        raise BadFrame(f"an answer of {len(data)} bytes", Quality.BAD_OUT_OF_RANGE)
    try:
        text = data.decode("utf-8-sig")
        if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
            raise BadFrame("an answer with a document type", Quality.BAD_DECODING_ERROR)
        return ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entities: looked at above
    except (UnicodeDecodeError, ValueError, ElementTree.ParseError) as error:
        raise BadFrame(f"an answer that is no XML: {error}", Quality.BAD_DECODING_ERROR) from error


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


def _reachable(services: list[str], sender: str) -> str:
    """Return host and port of a camera: where it answered from, with the port that its service names."""
    for service in services:
        parts = urlsplit(service)
        if parts.port and parts.port != 80:
            return f"{sender}:{parts.port}"
    return sender


def _no_network(target: tuple[str, int], error: Exception) -> ConnectionLost:
    reason = getattr(error, "strerror", None) or str(error)
    return ConnectionLost(
        f"ONVIF discovery to {target[0]}:{target[1]} cannot be sent: {reason}; check that this machine is on "
        "the camera network, or ask one camera with --target",
        Quality.BAD_NO_COMMUNICATION,
    )


class _Answers(asyncio.DatagramProtocol):
    """Keeps what comes until it is taken; more than MOST at once are dropped."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue(MOST)
        self.error: Exception | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.queue.full():
            self.queue.put_nowait((data, addr[0]))

    def error_received(self, exc: Exception) -> None:
        self.error = exc
