"""Traps and informs: what agents send by themselves (RFC 3416, 4.2.6 and 4.2.7; of version 1, RFC 3584, 3.1).

    datagram ─► whose? by its source address ─► not too many ─► its engine: community, or user and keys
             ─► an inform is answered ─► what it says waits for its driver

All agents whose notices come to one address and port share a socket; each has an engine of its own, so that
the community or user of one lets in nothing of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from pyasn1.codec.ber import decoder
from pyasn1.type import univ
from pysnmp.carrier.asyncio.dgram import udp, udp6
from pysnmp.carrier.base import AbstractTransport
from pysnmp.entity import config
from pysnmp.entity.rfc3413 import ntfrcv
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto.mpmod.rfc3412 import SNMPv3Message

from protocols.errors import Rejected
from protocols.field.filling import read_password
from protocols.field.snmp.agent import AUTH, DAMAGED, PRIV, Door, held_of
from protocols.field.snmp.settings import SnmpSettings
from protocols.field.snmp.soundness import sound
from protocols.field.snmp.values import Held

A_SECOND: Final = 50
"""Notices of one agent that are looked at: keys cost the processor time, and the agent is read anyway."""
WAITING: Final = 200
"""Notices that wait for the driver; of more the oldest go."""
ENGINES: Final = 4
"""Engine ids under which one agent may send: a replaced one has another."""
LARGEST: Final = 65_535
AT_ONCE: Final = 64
"""Datagrams taken before the event loop has its turn again."""
TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
"""snmpTrapOID: what kind of notice it is (RFC 3418)."""
_LEVEL: Final = {(False, False): 1, (True, False): 2, (True, True): 3}
"""noAuthNoPriv, authNoPriv, authPriv (RFC 3411, 3.4.3), by whether there are a pass phrase and another."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A trap or inform: its kind, and the objects that it names with what they held."""

    kind: str
    held: tuple[tuple[str, Held], ...]


class Ear:
    """Hears one agent. Build it, `open` it, take `next` again and again, `close` it."""

    def __init__(self, settings: SnmpSettings, agent: str) -> None:
        self.dropped = 0
        """Notices that nobody looked at: too many in a second, or no room."""
        self.refused = 0
        """Datagrams of the agent's address whose community, user or form was not right."""
        self._settings = settings
        self._agent = agent
        self._line: _Line | None = None
        self._engine: Any = None
        self._wire: _Wire | None = None
        self._engines: set[bytes] = set()
        self._keys: dict[str, Any] = {}
        self._waiting: deque[Notice] = deque(maxlen=WAITING)
        self._arrived = asyncio.Event()
        self._second, self._seen, self._taken = 0, 0, False

    def open(self) -> str:
        """Listen; return where. Raises OSError where the port cannot be had, Rejected(`secret`)."""
        settings = self._settings
        assert settings.trap_port is not None  # noqa: S101 - asked by the driver
        here = settings.trap_address or _facing(self._agent, settings.port)
        self._line = _Line.at(here, settings.trap_port)
        self._engine = hlapi.SnmpEngine()
        self._engine.register_transport_dispatcher(Door())
        self._wire = _Wire(self._line)
        six = ip_address(self._agent).version == 6
        config.add_transport(self._engine, (udp6 if six else udp).DOMAIN_NAME, self._wire)
        self._let_in()
        level = _LEVEL[settings.auth_file is not None, settings.priv_file is not None]
        _Receiver(self._engine, self._hear, 1 if settings.version != "3" else level)
        self._line.join(self._agent, self)
        return f"{here}:{settings.trap_port}"

    def close(self) -> None:
        """Stop listening; safe at any time."""
        line, self._line = self._line, None
        if line is not None:
            line.leave(self._agent, self)
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close_dispatcher()

    async def next(self) -> list[Notice]:
        """Wait for notices and return all that wait."""
        await self._arrived.wait()
        self._arrived.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def take(self, datagram: bytes, source: tuple[Any, ...]) -> None:
        """Look at a datagram of the agent's address; never raises."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        if self._seen > A_SECOND:
            self.dropped += 1
            return
        self._taken, asks = False, False
        with contextlib.suppress(*DAMAGED):
            if sound(datagram):
                asks = self._meet(datagram)
                assert self._wire is not None  # noqa: S101 - a line knows open ears only
                self._wire.arrive(datagram, source)
        if not self._taken and not asks:
            self.refused += 1

    def _hear(self, binds: Any) -> None:
        self._taken = True
        held = tuple((str(name), held_of(value)) for name, value in binds)
        kind = next((str(one.value) for oid, one in held if oid == TRAP_OID), "")
        if len(self._waiting) == WAITING:
            self.dropped += 1
        self._waiting.append(Notice(kind, held))
        self._arrived.set()

    def _let_in(self) -> None:
        """Tell the engine whose notices are taken."""
        settings = self._settings
        try:
            if settings.version != "3":
                file = settings.trap_community_file or settings.community_file
                config.add_v1_system(self._engine, "agent", "public" if file is None else read_password(file))
                return
            if settings.auth_file is not None:
                self._keys |= {
                    "authProtocol": AUTH[settings.auth],
                    "authKey": read_password(settings.auth_file),
                }
            if settings.priv_file is not None:
                self._keys |= {
                    "privProtocol": PRIV[settings.priv],
                    "privKey": read_password(settings.priv_file),
                }
        except OSError as error:
            raise Rejected("secret", f"a file of a secret cannot be read: {error}") from error
        # Of an inform the receiver's engine is the authority, of a trap the sender's (RFC 3414, 1.5.1).
        config.add_v3_user(self._engine, settings.username, **self._keys)

    def _meet(self, datagram: bytes) -> bool:
        """Know the engine under whose id the agent sends, so that its user's keys can be made for it.

        Returns whether it speaks to our own engine, or looks for it: so an inform begins (RFC 3414, 4), and
        what is wrong with it the sender is told by a report.
        """
        settings = self._settings
        if settings.version != "3":
            return False
        message, _ = decoder.decode(datagram, asn1Spec=SNMPv3Message())
        told, _ = decoder.decode(bytes(message[2]))
        engine, user = bytes(told[0]), bytes(told[3])
        if engine in (b"", bytes(self._engine.snmpEngineID)):
            return True
        known = engine in self._engines or len(self._engines) >= ENGINES
        if not known and user == str(settings.username).encode():
            its = univ.OctetString(engine)
            config.add_v3_user(self._engine, settings.username, **self._keys, securityEngineId=its)
            self._engines.add(engine)
        return False


class _Receiver(ntfrcv.NotificationReceiver):  # type: ignore[misc]  # pysnmp has no types
    """Takes what is secured as the technician wrote; pysnmp itself would take a user without keys."""

    def __init__(self, engine: Any, hear: Callable[[Any], None], level: int) -> None:
        self._level = level
        super().__init__(engine, lambda _engine, _state, _id, _name, binds, _context: hear(binds))

    def process_pdu(self, engine: Any, model: Any, security: Any, name: Any, level: Any, *more: Any) -> None:
        """Pass over what is less secured than it should be; an inform among them stays unanswered."""
        if int(level) >= self._level:
            super().process_pdu(engine, model, security, name, level, *more)


class _Wire(AbstractTransport):  # type: ignore[misc]  # pysnmp has no types
    """pysnmp's end of the shared socket."""

    PROTO_TRANSPORT_DISPATCHER = Door

    def __init__(self, line: _Line) -> None:
        self._line = line

    def arrive(self, datagram: bytes, source: tuple[Any, ...]) -> None:
        """Hand a datagram to the engine."""
        kind = udp6.Udp6TransportAddress if len(source) > 2 else udp.UdpTransportAddress
        self._callback_function(self, kind(source), datagram)

    def send_message(self, message: Any, address: Any) -> None:
        """Answer an inform."""
        self._line.send(bytes(message), tuple(address))


class _Line:
    """One socket, and who is heard on it by address."""

    def __init__(self, key: tuple[str, int]) -> None:
        self._key = key
        self._ears: dict[str, list[Ear]] = {}
        six = ip_address(key[0]).version == 6
        self._socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(key)
        except OSError:
            self._socket.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    @staticmethod
    def at(address: str, port: int) -> _Line:
        """Return the line of an address and port, opened where nobody has. Raises OSError."""
        if (address, port) not in _LINES:
            _LINES[address, port] = _Line((address, port))
        return _LINES[address, port]

    def join(self, agent: str, ear: Ear) -> None:
        """Hand on what comes from that address."""
        self._ears.setdefault(agent, []).append(ear)

    def leave(self, agent: str, ear: Ear) -> None:
        """Hand it on no longer; the last one closes the socket."""
        ears = self._ears.get(agent, [])
        if ear in ears:
            ears.remove(ear)
        if not ears:
            self._ears.pop(agent, None)
        if not self._ears:
            _LINES.pop(self._key, None)
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def send(self, datagram: bytes, address: tuple[Any, ...]) -> None:
        """Send, as far as the network takes it: an inform that is not answered comes again."""
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, address)

    def _read(self) -> None:
        for _ in range(AT_ONCE):
            try:
                datagram, source = self._socket.recvfrom(LARGEST)
            except OSError:  # nothing more, or an error that the network told of an answer
                return
            for ear in list(self._ears.get(_plain(source[0]), ())):
                ear.take(datagram, source)


_LINES: Final[dict[tuple[str, int], _Line]] = {}
"""The sockets of this process: connections know nothing of one another, and a port can be had once."""


def _plain(address: str) -> str:
    """Return an address without its zone; an IPv4 one in IPv6 as itself."""
    found = ip_address(address.partition("%")[0])
    return str(getattr(found, "ipv4_mapped", None) or found)


def _facing(agent: str, port: int) -> str:
    """Return this machine's address towards an agent: that is where its notices come to. Raises OSError."""
    six = ip_address(agent).version == 6
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((agent, port))
        return str(probe.getsockname()[0])
