"""A port of a serial server by RFC 2217: Telnet in which the client sets the port's speed and form.

    IAC WILL|WONT|DO|DONT option             options: BINARY 0, SUPPRESS-GO-AHEAD 3, COM-PORT 44
    IAC SB 44 command value IAC SE           command 1 … 5 asks, 101 … 105 tells what the port has now
    IAC IAC                                  the byte 0xFF, in data and in values

Sources: RFC 854 and 855 (Telnet), RFC 856 (BINARY), RFC 1143 (the Q method), RFC 2217 (the commands).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import urlsplit

from protocols.field.modbus.settings import ModbusSettings
from protocols.field.modbus.wires import CONNECT_TIMEOUT_S, Ear, Port, keep_alive

IAC: Final = 255
SB, SE = 250, 240
WILL, WONT, DO, DONT = 251, 252, 253, 254
BINARY, GO_AHEAD, COM_PORT = 0, 3, 44
MOST_COMMANDS: Final = 200
WINDOW_S: Final = 10.0
"""An opening needs some ten option commands; more than `MOST_COMMANDS` in so long are no negotiation."""
_ACCEPTED: Final = frozenset({BINARY, GO_AHEAD, COM_PORT})
_YES: Final = {WILL: DO, DO: WILL}
_NO: Final = {WILL: DONT, DO: WONT}
_ASKED: Final = ((DO, BINARY), (WILL, BINARY), (DO, GO_AHEAD), (WILL, GO_AHEAD), (DO, COM_PORT))
"""What the server is to say, and which of it no port can be had without."""
_NEEDED: Final = {
    (DO, COM_PORT): "COM-PORT (RFC 2217)", (DO, BINARY): "BINARY", (WILL, BINARY): "BINARY of its own",
}  # fmt: skip
_MOST_VALUE: Final = 256
_SERVER_SETS: Final = 100
_PURGE_BOTH: Final = bytes((12, 3))
_NAMES: Final = {1: "baud", 2: "data bits", 3: "parity", 4: "stop bits", 5: "flow control"}
_PARITIES: Final = {"none": 1, "odd": 2, "even": 3}
_NO_FLOW_CONTROL: Final = 1
_WORDS: Final = {
    3: {number: name for name, number in _PARITIES.items()} | {4: "mark", 5: "space"},
    4: {3: "1.5"},
    5: {_NO_FLOW_CONTROL: "none", 2: "XON/XOFF", 3: "RTS/CTS"},
}
_UART: Final = 0.02
"""A server may tell what its clock makes of a speed; two ends so much apart still agree."""
_REPAIR: Final = (
    "check host and port, that no other client has the port, and that the serial server speaks RFC 2217 "
    "(one in transparent mode: `transport: rtu-over-tcp`)"
)


class _State(Enum):
    """RFC 1143, clause 7, for one who never asks to switch an option off: the rest of it cannot occur."""

    NO = auto()
    WANTYES = auto()
    YES = auto()


class Telnet:
    """Our end of a Telnet channel, without its socket.

    What is agreed is never answered again, and what came is not kept: a server that talks for ever
    costs no memory here.
    """

    def __init__(self) -> None:
        self.commands = 0
        """How many option commands have come."""
        self.answers = bytearray()
        """What is to be sent; whoever sends it clears it."""
        self.told: dict[int, bytes] = {}
        """The newest value by command, as the server told it."""
        self._states = dict.fromkeys(_ASKED, _State.WANTYES)
        for verb, option in _ASKED:
            self.answers += bytes((IAC, _YES[verb], option))
        self._next: Callable[[int], Any] = self._plain
        self._data = bytearray()
        self._verb = 0
        self._value = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the serial port among those that came, however these are cut."""
        if self._next == self._plain and IAC not in data:
            return data
        for byte in data:
            self._next = self._next(byte)
        came = bytes(self._data)
        self._data.clear()
        return came

    @property
    def agreed(self) -> bool:
        """Whether the port can be set."""
        return all(self._states[key] is _State.YES for key in _NEEDED)

    def lacking(self, state: _State) -> list[str]:
        """Return the names of the needed options in a state."""
        return [name for key, name in _NEEDED.items() if self._states[key] is state]

    def _plain(self, byte: int) -> Callable[[int], Any]:
        if byte == IAC:
            return self._command
        self._data.append(byte)
        return self._plain

    def _command(self, byte: int) -> Callable[[int], Any]:
        if byte == IAC:
            self._data.append(byte)
        elif byte == SB:
            self._value.clear()
            return self._within
        elif byte in (WILL, WONT, DO, DONT):
            self._verb = byte
            return self._option
        return self._plain  # NOP and its like

    def _option(self, option: int) -> Callable[[int], Any]:
        self.commands += 1
        on = self._verb in _YES
        verb = self._verb if on else self._verb - 1
        state = self._states.get((verb, option), _State.NO)
        if not on:
            if state is _State.YES:
                self.answers += bytes((IAC, _NO[verb], option))
            if state is not _State.NO:
                self._states[verb, option] = _State.NO
        elif option not in _ACCEPTED:
            self.answers += bytes((IAC, _NO[verb], option))
        else:
            if state is _State.NO:
                self.answers += bytes((IAC, _YES[verb], option))
            self._states[verb, option] = _State.YES
        return self._plain

    def _within(self, byte: int) -> Callable[[int], Any]:
        if byte == IAC:
            return self._within_command
        if len(self._value) < _MOST_VALUE:
            self._value.append(byte)
        return self._within

    def _within_command(self, byte: int) -> Callable[[int], Any]:
        if byte == IAC:
            # Doubled it is one byte of the value.
            if len(self._value) < _MOST_VALUE:
                self._value.append(byte)
            return self._within
        if byte != SE:
            # Its end was lost; what begins here is a command of its own.
            return self._command(byte)
        if len(self._value) > 1 and self._value[0] == COM_PORT:
            code = self._value[1] - _SERVER_SETS
            if code in _NAMES:
                self.told[code] = bytes(self._value[2:])
        return self._plain


class _Session(asyncio.Protocol):
    """One connection: agrees on the options, sets the port, then carries bytes."""

    def __init__(self, ear: Ear, wanted: dict[int, bytes]) -> None:
        self.settled = asyncio.Event()
        """Ready, or over."""
        self.why = ""
        """Why it is over, and how to repair it."""
        self.repair = _REPAIR
        self._ear, self._wanted = ear, wanted
        self._telnet = Telnet()
        self._transport: Any = None
        self._ready = self._asked = False
        self._window = (0.0, 0)

    def connection_made(self, transport: Any) -> None:
        """Begin the negotiation."""
        self._transport = transport
        self._send_answers()

    def data_received(self, data: bytes) -> None:
        """Take the Telnet out of what came."""
        if self.why:
            return
        telnet = self._telnet
        came = telnet.feed(data)
        if not self._bearable():
            return
        self._send_answers()
        if self._ready:
            if came:
                self._ear.data_received(came)
        elif telnet.agreed:
            self._set_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._ready:
            self._ear.connection_lost(exc)
        self.why = self.why or "the serial server closed the connection before its port was set"
        self.settled.set()

    @property
    def missing(self) -> str:
        """What has not come of an opening, in words."""
        if self._transport is None:
            return f"no connection within {CONNECT_TIMEOUT_S:g} s"
        if silent := self._telnet.lacking(_State.WANTYES):
            return f"no answer to the Telnet option {', '.join(silent)} within {CONNECT_TIMEOUT_S:g} s"
        told = self._telnet.told
        return "; ".join(
            f"it was to set {_NAMES[code]} to {_word(code, asked)} and "
            + (f"says {_word(code, told[code])}" if code in told else "says nothing of it")
            for code, asked in self._open_values()
        )

    def send(self, data: bytes) -> None:
        """Send bytes of the serial port."""
        self._transport.write(doubled(data))

    def _set_up(self) -> None:
        if not self._asked:
            self._asked = True
            self._telnet.told.clear()
            for code, value in self._wanted.items():
                self._transport.write(sub(bytes((code,)) + value))
        # What a server tells of its own accord may come first: only the newest value counts.
        elif not self._open_values():
            # What the device said to somebody before us is no answer to our questions.
            self._transport.write(sub(_PURGE_BOTH))
            self._ready = True
            self.settled.set()

    def _open_values(self) -> list[tuple[int, bytes]]:
        told = self._telnet.told
        return [(code, value) for code, value in self._wanted.items() if not _is(code, told.get(code), value)]

    def _send_answers(self) -> None:
        if self._telnet.answers:
            self._transport.write(bytes(self._telnet.answers))
            self._telnet.answers.clear()

    def _bearable(self) -> bool:
        """Tell whether this can go on; end it where not."""
        now, commands = asyncio.get_running_loop().time(), self._telnet.commands
        since, before = self._window
        if now - since > WINDOW_S:
            since, before = self._window = now, commands
        if commands - before > MOST_COMMANDS:
            self._end(
                f"the serial server repeats Telnet options without end, against RFC 854 "
                f"(more than {MOST_COMMANDS} in {WINDOW_S:g} s)",
                "renew its firmware, or switch it to transparent mode and write `transport: rtu-over-tcp`",
            )
        elif refused := self._telnet.lacking(_State.NO):
            self._end(f"the serial server refuses the Telnet option {', '.join(refused)}", _REPAIR)
        return not self.why

    def _end(self, why: str, repair: str) -> None:
        self.why, self.repair = why, repair
        if self._ready:
            self._ear.ends(f"{why}; {repair}")
        self.settled.set()
        self._transport.abort()


class Rfc2217Wire(Port):
    """A serial port of a serial server, whose speed and form the gateway sets."""

    def __init__(self, settings: ModbusSettings) -> None:
        super().__init__(settings)
        place = urlsplit(settings.device or "")
        self._host, self._port = place.hostname or "", place.port or 0
        self._wanted = {
            1: settings.baud.to_bytes(4),
            2: bytes((settings.data_bits,)),
            3: bytes((_PARITIES[settings.parity],)),
            4: bytes((settings.stop_bits,)),
            5: bytes((_NO_FLOW_CONTROL,)),
        }
        self._session: _Session | None = None
        self._transport: asyncio.Transport | None = None

    async def open(self, ear: Ear) -> None:
        """Connect, agree on the options and set the port, all within `CONNECT_TIMEOUT_S`."""
        session = _Session(ear, self._wanted)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._transport, _ = await asyncio.get_running_loop().create_connection(
                    lambda: session, self._host, self._port
                )
                keep_alive(self._transport.get_extra_info("socket"))
                await session.settled.wait()
        except TimeoutError as error:
            raise self.lost(session.missing, _REPAIR) from error
        except OSError as error:
            raise self.lost(error, _REPAIR) from error
        if session.why:
            raise self.lost(session.why, session.repair)
        self._session = session

    def send(self, data: bytes) -> None:
        """Send through the server."""
        if self._session is not None:
            self._session.send(data)

    def close(self) -> None:
        """Close the socket at once."""
        if self._transport is not None:
            self._transport.abort()
        self._transport = self._session = None


def doubled(data: bytes) -> bytes:
    """Return bytes as they go over Telnet."""
    return data.replace(b"\xff", b"\xff\xff")


def sub(value: bytes) -> bytes:
    """Return a command of COM-PORT."""
    return bytes((IAC, SB, COM_PORT)) + doubled(value) + bytes((IAC, SE))


def _is(code: int, told: bytes | None, asked: bytes) -> bool:
    if told is None or len(told) != len(asked):
        return False
    off = abs(int.from_bytes(told) - int.from_bytes(asked))
    return off <= int.from_bytes(asked) * _UART if code == 1 else off == 0


def _word(code: int, value: bytes) -> str:
    number = int.from_bytes(value)
    return _WORDS.get(code, {}).get(number, str(number))
