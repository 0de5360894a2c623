"""Serial servers by RFC 2217: those that follow it, and those that talk for ever or refuse."""

from __future__ import annotations

import asyncio
import contextlib
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ConnectionLost
from protocols.field.base import Driver
from protocols.field.modbus import rfc2217
from protocols.field.modbus.rfc2217 import Rfc2217Wire, Telnet, doubled, sub
from protocols.field.modbus.settings import ModbusSettings
from protocols.field.modbus.wires import Ear
from protocols.model.quality import Quality
from tests.protocols.field.devices import bind, driver, profile, rows
from tests.protocols.field.modbus.access_server import AccessServer
from tests.protocols.field.modbus.transports import Rfc2217

PROFILE = profile(
    "modbus",
    [
        {"key": "count", "type": "i16", "writable": True, "modbus": {"fc": 3, "address": 2}},
        {"key": "running", "type": "bool", "modbus": {"fc": 1, "address": 2}},
    ],
)
WILL_BINARY, DO_BINARY = b"\xff\xfb\x00", b"\xff\xfd\x00"


@asynccontextmanager
async def served(server: type[AccessServer]) -> AsyncIterator[tuple[Driver, Any]]:
    """Yield an open driver and the server that it reads through."""

    class Harness(Rfc2217):
        def line(self, port: int) -> Any:
            return server(port)

    async with Harness().running() as harness:
        made = driver("modbus", harness.settings(harness.proxy.port), bind(PROFILE, {"unit": 1}))
        try:
            await made.open()
            yield made, harness.proxy
        finally:
            await made.close()


async def count(made: Driver) -> tuple[float | str, int]:
    return {index: row for task in made.plan() for index, row in rows(await made.read(task)).items()}[0]


async def until_it_ends(made: Driver) -> None:
    while True:
        await count(made)


# ---- servers ----


class Echoing(AccessServer):
    """Answers each option twice, and again each time it is answered."""

    forgets = True
    heard = 0

    def answer(self, verb: bytes, option: bytes) -> bytes:
        self.heard += 1
        return 2 * super().answer(verb, option)


class Endless(Echoing):
    """Says what is agreed again and again, whatever the other side does."""

    def greet(self, near: asyncio.StreamWriter) -> None:
        async def talk() -> None:
            with contextlib.suppress(OSError):
                while not near.is_closing():
                    near.write((WILL_BINARY + DO_BINARY) * 50)
                    await near.drain()
                    await asyncio.sleep(0.2)

        self.talking = asyncio.create_task(talk())


async def test_a_server_that_answers_everything_twice_is_read_and_not_answered() -> None:
    async with served(Echoing) as (made, server):
        for _ in range(20):
            assert await count(made) == (-205.0, Quality.GOOD)
        assert server.heard == 5, "what we asked for, and nothing else"


async def test_a_server_that_never_stops_is_left_with_the_repair_and_costs_nothing() -> None:
    why = ""
    began, busy = time.monotonic(), time.process_time()
    async with served(Endless) as (made, server):
        assert await count(made) == (-205.0, Quality.GOOD)
        tracemalloc.start()
        try:
            while not why and time.monotonic() - began < 10:
                try:
                    await count(made)
                except ConnectionLost as error:
                    why = str(error)
                await asyncio.sleep(0.02)
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            server.talking.cancel()
    assert "repeats Telnet options without end" in why
    assert "renew its firmware" in why
    assert "rtu-over-tcp" in why
    assert server.heard == 5
    assert grown < 500_000
    assert time.process_time() - busy < 0.5 * (time.monotonic() - began) + 0.5


class Refusing(AccessServer):
    """Does not know COM-PORT: a terminal server."""

    def answer(self, verb: bytes, option: bytes) -> bytes:
        return b"\xff\xfe\x2c" if option == b"\x2c" else super().answer(verb, option)


class Fixed(AccessServer):
    """Has its speed set by a switch."""

    def done(self, command: int, value: bytes) -> bytes:
        return (2400).to_bytes(4) if command == 1 else value


class Mute(AccessServer):
    """Acknowledges no parity."""

    def done(self, command: int, value: bytes) -> bytes | None:
        return None if command == 3 else value


class Transparent(AccessServer):
    """No Telnet at all: what comes goes to the serial line."""

    def answer(self, verb: bytes, option: bytes) -> bytes:
        return b""


class Full(AccessServer):
    """Lets one client in, who is there already."""

    def greet(self, near: asyncio.StreamWriter) -> None:
        near.close()


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (Refusing, r"refuses the Telnet option COM-PORT \(RFC 2217\).*rtu-over-tcp"),
        (Fixed, "it was to set baud to 19200 and says 2400;"),
        (Mute, "it was to set parity to even and says nothing of it"),
        (Transparent, "no answer to the Telnet option COM-PORT.*rtu-over-tcp"),
        (Full, "closed the connection before its port was set.*no other client"),
    ],
)
async def test_what_is_no_port_is_told_in_words(
    server: type[AccessServer], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rfc2217, "CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(ConnectionLost, match=f"127.0.0.1:.*cannot be reached: .*{words}"):
        async with served(server):
            pass


async def test_a_server_that_loses_binary_on_the_way_is_no_port_any_more() -> None:
    class Fickle(AccessServer):
        def greet(self, near: asyncio.StreamWriter) -> None:
            self.near = near

    async with served(Fickle) as (made, server):
        assert await count(made) == (-205.0, Quality.GOOD)
        server.near.write(b"\xff\xfc\x00")
        with pytest.raises(ConnectionLost, match="refuses the Telnet option BINARY of its own"):
            await until_it_ends(made)


async def test_the_byte_that_telnet_has_for_itself_goes_both_ways() -> None:
    """-1 is 0xFFFF in its register."""
    async with served(AccessServer) as (made, _):
        assert await made.write(made.devices[0].points[0], -1.0) == -1.0
        assert await count(made) == (-1.0, Quality.GOOD)


async def test_a_speed_of_the_servers_own_clock_is_taken() -> None:
    class Clock(AccessServer):
        def done(self, command: int, value: bytes) -> bytes:
            return (19_231).to_bytes(4) if command == 1 else value

    async with served(Clock) as (made, _):
        assert await count(made) == (-205.0, Quality.GOOD)


async def test_what_a_server_tells_before_it_is_asked_is_no_refusal() -> None:
    class Eager(AccessServer):
        def answer(self, verb: bytes, option: bytes) -> bytes:
            return super().answer(verb, option) + sub(b"\x65" + (2400).to_bytes(4))

    async with served(Eager) as (made, _):
        assert await count(made) == (-205.0, Quality.GOOD)


async def test_the_stale_bytes_of_the_port_are_purged() -> None:
    async with served(AccessServer) as (made, server):
        assert await count(made) == (-205.0, Quality.GOOD)
        assert server.told[12] == b"\x03"


async def test_a_line_that_is_closed_while_it_opens_leaves_nothing_behind() -> None:
    class Silent(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            gone.set()

    gone = asyncio.Event()
    server = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = Rfc2217Wire(ModbusSettings(transport="rtu", device=f"rfc2217://127.0.0.1:{port}"))
    opening = asyncio.create_task(wire.open(Ear(lambda _: None, lambda _: None)))
    await asyncio.sleep(0.05)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    wire.close()
    async with asyncio.timeout(5):
        await gone.wait()
    server.close()


@pytest.mark.parametrize(
    "device", ["rfc2217://host", "rfc2217://:4001", "rfc2217://h:x", "socket://h:1", "rfc2217://h:1/tty"]
)
def test_a_device_that_is_no_port_of_a_server_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match=r"write it like rfc2217://192.0.2.13:4001"):
        ModbusSettings(transport="rtu", device=device)


# ---- the channel itself ----

WORDS = st.one_of(
    st.binary(max_size=40).map(lambda data: (doubled(data), data)),
    st.tuples(st.integers(251, 254), st.sampled_from([0, 1, 3, 24, 44, 255])).map(
        lambda said: (bytes((255, *said)), b"")
    ),
    st.tuples(st.integers(100, 112), st.binary(max_size=8)).map(
        lambda told: (sub(bytes((told[0],)) + told[1]), b"")
    ),
    st.sampled_from([b"\xff\xf1", b"\xff\xf9"]).map(lambda nop: (nop, b"")),
)


def told(stream: bytes, cuts: list[int]) -> tuple[bytes, Telnet]:
    """Feed a stream in pieces."""
    telnet, came, at = Telnet(), b"", 0
    for cut in (*sorted(cuts), len(stream)):
        came += telnet.feed(stream[at:cut])
        at = max(at, cut)
    return came, telnet


@given(st.lists(WORDS, max_size=20), st.lists(st.integers(0, 400), max_size=30))
def test_data_comes_whole_however_it_is_cut(words: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(sent for sent, _ in words)
    came, telnet = told(stream, cuts)
    again, whole = told(stream, [])
    assert came == again == b"".join(data for _, data in words)
    assert (telnet.told, telnet.answers, telnet.commands) == (whole.told, whole.answers, whole.commands)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=30))
def test_noise_is_borne_and_cut_anywhere_the_same(noise: bytes, cuts: list[int]) -> None:
    came, telnet = told(noise, cuts)
    again, whole = told(noise, [])
    assert (came, telnet.answers) == (again, whole.answers)


@given(st.lists(st.tuples(st.integers(251, 254), st.sampled_from([0, 1, 3, 44])), max_size=40))
def test_what_is_agreed_is_never_answered_again(said: list[tuple[int, int]]) -> None:
    """RFC 854: no acknowledgement of a mode that is on already; and one answer to one command at most."""
    telnet = Telnet()
    for verb, option in said:
        telnet.answers.clear()
        telnet.feed(bytes((255, verb, option)))
        assert len(telnet.answers) in (0, 3)
        telnet.answers.clear()
        telnet.feed(bytes((255, verb, option)) * 50)
        refused = option == 1 and verb in (251, 253)
        assert len(telnet.answers) == (150 if refused else 0), "only what we never have is refused each time"


@given(st.lists(st.integers(0, 15), min_size=1, max_size=12))
def test_two_ends_that_ask_each_other_agree_and_fall_silent(pieces: list[int]) -> None:
    """RFC 1143: whatever is under way on the channel when the other side asks too."""
    ends = Telnet(), Telnet()
    ways = bytearray(), bytearray()
    rounds = 0
    while rounds < len(pieces) or any(ways) or any(end.answers for end in ends):
        for end, way in zip(ends, ways, strict=True):
            way.extend(end.answers)
            end.answers.clear()
        size = 1 + pieces[rounds % len(pieces)]
        for end, way in zip(ends, reversed(ways), strict=True):
            end.feed(bytes(way[:size]))
            del way[:size]
        rounds += 1
        assert rounds < 100, "they still talk"
    assert ends[0].commands <= 10


def test_a_command_without_end_costs_no_memory() -> None:
    telnet = Telnet()
    tracemalloc.start()
    try:
        for piece in (b"\xff\xfa\x2c", *[b"x" * 65_536] * 20, *[b"\xff\xff" * 32_768] * 5):
            assert telnet.feed(piece) == b""
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000
    assert telnet.feed(b"\xff\xf0data") == b"data"
