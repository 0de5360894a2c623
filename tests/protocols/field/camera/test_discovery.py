"""ONVIF discovery against small responders on the loopback address, honest and hostile ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast
from xml.etree import ElementTree

import pytest

from protocols.errors import BadFrame
from protocols.field.camera.discovery import MAX_ANSWER, discover, matches, parse
from protocols.field.scanning import Found

MATCH = """\
<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:wsdd="http://schemas.xmlsoap.org/ws/2005/04/discovery">
<SOAP-ENV:Header><wsa:RelatesTo>{relates}</wsa:RelatesTo></SOAP-ENV:Header>
<SOAP-ENV:Body><wsdd:ProbeMatches><wsdd:ProbeMatch>
<wsa:EndpointReference><wsa:Address>urn:uuid:{uuid}</wsa:Address></wsa:EndpointReference>
<wsdd:Types>tds:Device dn:NetworkVideoTransmitter</wsdd:Types>
<wsdd:Scopes>onvif://www.onvif.org/name/Gate%20{uuid} onvif://www.onvif.org/hardware/IPC-7
 onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/location/Wuhu</wsdd:Scopes>
<wsdd:XAddrs>http://10.9.9.9:8899/onvif/device_service http://[fe80::1]/onvif/device_service</wsdd:XAddrs>
<wsdd:MetadataVersion>1</wsdd:MetadataVersion>
</wsdd:ProbeMatch></wsdd:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"""
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><x>&b;</x>"""


class _Responder(asyncio.DatagramProtocol):
    """Answers each probe with everything it was given; `asked` holds the questions."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = answers
        self.asked: list[ElementTree.Element] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self.asked.append(ElementTree.fromstring(data))  # noqa: S314 - our own question
        for answer in self.answers:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def cameras(*answers: bytes) -> AsyncIterator[tuple[_Responder, tuple[str, int]]]:
    responder = _Responder(answers)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: responder, local_addr=("127.0.0.1", 0))
    try:
        yield responder, transport.get_extra_info("sockname")
    finally:
        transport.close()


async def found(target: tuple[str, int], seconds: float = 0.5) -> list[Found]:
    return [event async for event in discover(seconds, target, "127.0.0.1") if isinstance(event, Found)]


async def test_cameras_answer_once_each_whatever_else_comes() -> None:
    good = [MATCH.format(relates="x", uuid=uuid).encode() for uuid in ("a1", "b2")]
    hostile = [b"", b"<", b"\xff\xfe<a/>", BOMB, b"<x>" * 9000, b"<?xml version='1.0' encoding='utf-7'?><a/>"]
    async with cameras(*hostile, *good) as (responder, target):
        answers = await found(target)
    assert [camera.key for camera in answers] == ["urn:uuid:a1", "urn:uuid:b2"]
    first = answers[0]
    assert first.title == "Gate a1 IPC-7 at 127.0.0.1:8899"
    assert first.detail["location"] == "Wuhu"
    # Addresses that a camera tells may not be reachable from here: the one it answered from is.
    assert first.suggestion["connections"]["settings"] == {"base_url": "http://127.0.0.1:8899"}
    wsd = "{http://schemas.xmlsoap.org/ws/2005/04/discovery}"
    types = {question.findtext(f".//{wsd}Types") for question in responder.asked}
    assert types == {"tds:Device", "dn:NetworkVideoTransmitter"}


async def test_nobody_answers() -> None:
    async with cameras() as (_, target):
        assert await found(target, 0.2) == []


@pytest.mark.parametrize("data", [BOMB, b"<!doctype a><a/>", b"a" * (MAX_ANSWER + 1), b"\x80", b"<a>"])
def test_what_cannot_be_trusted_is_no_answer(data: bytes) -> None:
    with pytest.raises(BadFrame):
        parse(data)
    assert matches(data, "127.0.0.1") == []


def test_an_answer_without_identity_is_none() -> None:
    text = MATCH.format(relates="", uuid="").replace("urn:uuid:", "")
    assert matches(text.encode(), "127.0.0.1") == []
    odd = MATCH.format(relates="", uuid="c3").replace("http://10.9.9.9:8899", "http://[bad:99999")
    assert (
        matches(odd.encode(), "127.0.0.1")[0].suggestion["connections"]["settings"]["base_url"]
        == "http://127.0.0.1"
    )
