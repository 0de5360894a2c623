"""DTUs that dial in: the gateway listens, and tells who called by what is said first or where from.

    socket ─→ Porter (one per address and port) ─→ first bytes, caller's address ─→ the wire that expects it

A DTU behind mobile NAT cannot be called, so it calls, says its registration packet where it has one, and
from then on carries the bytes of its serial line (透传). Several DTUs call one port.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any, Final
from weakref import WeakValueDictionary

from protocols.errors import ConnectionLost
from protocols.field.modbus.frames import Mbap, Rtu
from protocols.field.modbus.settings import ModbusSettings, spelt
from protocols.field.modbus.wires import Ear, Wire
from protocols.model.quality import Quality

REGISTER_S: Final = 30.0
"""A caller has so long for its registration packet."""
_MOST_CALLERS: Final = 64
_MOST_BYTES: Final = 512


class DialInWire(Wire):
    """The connection of one DTU. It cannot be opened by us: once closed, the DTU has to call again."""

    def __init__(self, settings: ModbusSettings) -> None:
        who = settings.registration or settings.remote or "any DTU"
        self._address = (settings.host or "", settings.real_port)
        super().__init__(
            f"Modbus dial-in {settings.host}:{settings.real_port} ({who})",
            Mbap() if settings.frames == "tcp" else Rtu(),
        )
        self.registration = spelt(settings.registration, "registration") if settings.registration else b""
        self.heartbeat = spelt(settings.heartbeat, "heartbeat") if settings.heartbeat else b""
        self._network = ipaddress.ip_network(settings.remote, strict=False) if settings.remote else None
        self._wait_s = settings.wait_s
        self._ear: Ear | None = None
        self._porter: Porter | None = None
        self._caller: _Caller | None = None
        self._called: asyncio.Future[None] | None = None

    async def open(self, ear: Ear) -> None:
        """Wait for the call."""
        self._ear = ear
        self._called = asyncio.get_running_loop().create_future()
        self._porter = await Porter.at(self._address)
        self._porter.expect(self)
        try:
            async with asyncio.timeout(self._wait_s):
                await self._called
        except TimeoutError as error:
            raise self.lost(
                f"no DTU has dialled in within {self._wait_s:g} s",
                "check the server address and port in the DTU, the SIM card, the firewall here, "
                "and `registration`",
            ) from error

    def expects(self, said: bytes, caller: str) -> bool | None:
        """Tell whether a caller is this one; None while its registration may still be under way."""
        if self._network is not None and ipaddress.ip_address(caller) not in self._network:
            return False
        if said.startswith(self.registration):
            return True
        return None if self.registration.startswith(said) else False

    def answer(self, caller: _Caller) -> Ear | None:
        """Take a call. A DTU that calls again has lost its first connection, whatever we know of it."""
        before, self._caller = self._caller, caller
        if before is not None:
            before.hang_up()
        if self._called is not None and not self._called.done():
            self._called.set_result(None)
        return self._ear

    def send(self, data: bytes) -> None:
        """Send through the DTU."""
        if self._caller is not None:
            self._caller.send(data)

    def close(self) -> None:
        """Hang up, and expect no call any more."""
        caller, self._caller = self._caller, None
        porter, self._porter = self._porter, None
        if caller is not None:
            caller.hang_up()
        if porter is not None:
            porter.forget(self)


class Porter:
    """Listens at one address for every DTU that is expected there; closes with the last of them."""

    _open: Final[dict[tuple[int, str, int], Porter]] = {}
    """By event loop, host and port: connections of one gateway share the door."""
    _opening: Final[WeakValueDictionary[tuple[int, str, int], asyncio.Lock]] = WeakValueDictionary()

    def __init__(self, key: tuple[int, str, int]) -> None:
        self._key = key
        self._expected: list[DialInWire] = []
        self._callers: set[_Caller] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    async def at(cls, address: tuple[str, int]) -> Porter:
        """Return who listens at an address, listening from now on. Raises ConnectionLost."""
        loop = asyncio.get_running_loop()
        key = (id(loop), *address)
        # Who comes while the door is being opened waits for that; where it fails, it tries for itself.
        async with cls._opening.setdefault(key, asyncio.Lock()):
            known = cls._open.get(key)
            if known is not None:
                return known
            made = cls(key)
            try:
                made._server = await loop.create_server(lambda: _Caller(made), *address)
            except OSError as error:
                raise ConnectionLost(
                    f"Modbus dial-in {address[0]}:{address[1]} cannot listen: {error.strerror or error}; "
                    "give an address of this machine and a port that no other program has",
                    Quality.BAD_CONFIGURATION_ERROR,
                ) from error
            cls._open[key] = made
            return made

    def expect(self, wire: DialInWire) -> None:
        """Let a wire have its call; a caller who is waiting for it is put through."""
        self._expected.append(wire)
        for caller in tuple(self._callers):
            self.tell(caller)

    def forget(self, wire: DialInWire) -> None:
        """Expect a wire's call no more, and close the door behind the last."""
        if wire in self._expected:
            self._expected.remove(wire)
        if self._expected or self._server is None:
            return
        self._server.close()
        self._open.pop(self._key, None)
        for caller in tuple(self._callers):
            caller.hang_up()

    def arrives(self, caller: _Caller) -> bool:
        """Let a caller in; False where too many wait at the door."""
        if len(self._callers) >= _MOST_CALLERS:
            return False
        self._callers.add(caller)
        return True

    def leaves(self, caller: _Caller) -> None:
        """Forget a caller."""
        self._callers.discard(caller)

    def tell(self, caller: _Caller) -> None:
        """Put a caller through where it is known by now; who can be nobody's is hung up on."""
        verdicts = [(wire.expects(bytes(caller.said), caller.address), wire) for wire in self._expected]
        # Who has a name is known by it before anybody takes every caller.
        known = [wire for sure, wire in verdicts if sure]
        known.sort(key=lambda wire: -len(wire.registration))
        maybe = any(sure is None for sure, _ in verdicts)
        if known and (known[0].registration or not maybe):
            caller.through(known[0])
        elif not known and not maybe and len(caller.said) >= _MOST_BYTES:
            caller.hang_up()


class _Caller(asyncio.Protocol):
    """A connection that came in: first nobody's, then an ear's."""

    def __init__(self, porter: Porter) -> None:
        self._porter = porter
        self._transport: asyncio.Transport | None = None
        self._ear: Ear | None = None
        self._late: asyncio.TimerHandle | None = None
        self._beat = _Beats(b"")
        self.said = bytearray()
        self.address = ""

    def connection_made(self, transport: Any) -> None:
        """Ask the porter, who may know it by its address alone."""
        self._transport = transport
        self.address = str(transport.get_extra_info("peername")[0]).partition("%")[0]
        if not self._porter.arrives(self):
            transport.abort()
            return
        self._late = asyncio.get_running_loop().call_later(REGISTER_S, self.hang_up)
        self._porter.tell(self)

    def data_received(self, data: bytes) -> None:
        """Hand on, or listen for the registration."""
        if self._ear is not None:
            data = self._beat.without(data)
            if data:
                self._ear.data_received(data)
            return
        self.said += data[:_MOST_BYTES]
        self._porter.tell(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire, where it is one's."""
        self._leave()
        if self._ear is not None:
            self._ear.connection_lost(exc)

    def through(self, wire: DialInWire) -> None:
        """Become a wire's connection."""
        self._leave()
        self._beat = _Beats(wire.heartbeat)
        self._ear = wire.answer(self)
        rest = bytes(self.said[len(wire.registration) :])
        if rest:
            self.data_received(rest)

    def send(self, data: bytes) -> None:
        """Send through the connection."""
        if self._transport is not None:
            self._transport.write(data)

    def hang_up(self) -> None:
        """End the call; nobody is told, because whoever ends it knows."""
        self._ear = None
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._porter.leaves(self)
        if self._late is not None:
            self._late.cancel()


class _Beats:
    """Takes a heartbeat out that comes by itself; inside a frame the same bytes are data."""

    def __init__(self, beat: bytes) -> None:
        self._beat = beat

    def without(self, data: bytes) -> bytes:
        """Return the bytes after all heartbeats at their beginning."""
        while self._beat and data.startswith(self._beat):
            data = data[len(self._beat) :]
        return data
