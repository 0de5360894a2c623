"""SNMP v1 and v2c messages as bytes, written from X.690 and RFC 3416; definite lengths only (RFC 3417, 8).

    SEQUENCE { version INTEGER, community OCTET STRING, PDU [tag] { request-id, status, index, SEQUENCE OF
               SEQUENCE { name OBJECT IDENTIFIER, value } } }

It shares no code with the gateway's driver: an error in one shows in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP, COUNTER, GAUGE, TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_OBJECT, NO_INSTANCE, END = 0x80, 0x81, 0x82
GET, GET_NEXT, RESPONSE, SET, GET_BULK = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5
NUMBERS: Final = frozenset({INTEGER, COUNTER, GAUGE, TICKS, COUNTER64})

Oid = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value as its tag and its content's bytes."""

    tag: int
    content: bytes = b""

    @classmethod
    def number(cls, value: int, tag: int = INTEGER) -> Value:
        """Two's complement in as few bytes as hold it."""
        return cls(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))

    def as_number(self) -> int:
        """Raises ValueError for what is none."""
        if self.tag not in NUMBERS or not self.content:
            raise ValueError(f"tag {self.tag:02X} is no number")
        return int.from_bytes(self.content, "big", signed=True)


@dataclass(frozen=True, slots=True)
class Message:
    """A request or response. In a GetBulk, `status` and `index` are non-repeaters and max-repetitions."""

    version: int
    community: bytes
    kind: int
    request: int
    status: int
    index: int
    binds: tuple[tuple[Oid, Value], ...]

    def encode(self) -> bytes:
        """Return the datagram."""
        binds = b"".join(
            _tlv(SEQUENCE, _tlv(OID, encode_oid(name)) + _tlv(value.tag, value.content))
            for name, value in self.binds
        )
        numbers = b"".join(_number(part) for part in (self.request, self.status, self.index))
        pdu = _tlv(self.kind, numbers + _tlv(SEQUENCE, binds))
        return _tlv(SEQUENCE, _number(self.version) + _tlv(OCTETS, self.community) + pdu)


def decode(data: bytes) -> Message:
    """Return the message of a datagram. Raises ValueError for what is none."""
    tag, body, rest = _take(data)
    if tag != SEQUENCE or rest:
        raise ValueError("no SNMP message")
    version, body = _take_number(body)
    tag, community, body = _take(body)
    kind, pdu, rest = _take(body)
    if tag != OCTETS or rest or kind not in (GET, GET_NEXT, RESPONSE, SET, GET_BULK):
        raise ValueError("no SNMP request")
    request, pdu = _take_number(pdu)
    status, pdu = _take_number(pdu)
    index, pdu = _take_number(pdu)
    tag, listed, rest = _take(pdu)
    if tag != SEQUENCE or rest:
        raise ValueError("no variable bindings")
    binds = []
    while listed:
        tag, bind, listed = _take(listed)
        name_tag, name, bind = _take(bind)
        value_tag, content, rest = _take(bind)
        if tag != SEQUENCE or name_tag != OID or rest:
            raise ValueError("no variable binding")
        binds.append((decode_oid(name), Value(value_tag, content)))
    return Message(version, community, kind, request, status, index, tuple(binds))


def encode_oid(oid: Oid) -> bytes:
    """Return an object id's content: base 128, the first two numbers in one."""
    out = bytearray()
    for part in (40 * oid[0] + oid[1], *oid[2:]):
        digits = [part & 0x7F]
        while part := part >> 7:
            digits.append(part & 0x7F | 0x80)
        out += bytes(reversed(digits))
    return bytes(out)


def decode_oid(content: bytes) -> Oid:
    """Raises ValueError for what is no object id."""
    if not content or content[-1] & 0x80:
        raise ValueError("no object id")
    parts, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(number)
            number = 0
    first = min(parts[0] // 40, 2)
    return (first, parts[0] - 40 * first, *parts[1:])


def _tlv(tag: int, content: bytes) -> bytes:
    n = len(content)
    if n < 0x80:
        return bytes((tag, n)) + content
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _number(value: int) -> bytes:
    return _tlv(INTEGER, Value.number(value).content)


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag, content and what follows."""
    if len(data) < 2:
        raise ValueError("it ends too early")
    at, n = 2, data[1]
    if n & 0x80:
        at += n & 0x7F
        n = int.from_bytes(data[2:at], "big") if 0 < n & 0x7F <= 4 else len(data)
    if at + n > len(data):
        raise ValueError("it ends too early")
    return data[0], data[at : at + n], data[at + n :]


def _take_number(data: bytes) -> tuple[int, bytes]:
    tag, content, rest = _take(data)
    return Value(tag, content).as_number(), rest
