"""SNMP: datagrams of an agent into pysnmp's decoder and our agent, over loopback.

Oracle: a message is the answer where its request number and its objects' names are the question's (RFC 3416,
4.2); the values are those that the simulator's own decoder reads in the mutated or the true datagram.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any, Final

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout
from protocols.field.snmp.agent import Agent, AgentError
from protocols.field.snmp.settings import SnmpSettings
from protocols.field.snmp.values import Held
from sim_devices.servers import snmp_ber as ber
from tests.fuzz.door import Door, expect
from tests.fuzz.mutation import mutate

OIDS: Final = tuple((1, 3, 6, 1, 4, 1, 55555, 1, n, 0) for n in (1, 2, 3))
COMMON: Final = (ber.INTEGER, ber.COUNTER, ber.GAUGE, ber.TICKS)


class SnmpDoor(Door):
    """An agent of version 2c whose answer comes mutated, and then as it was."""

    name, share = "snmp", 20_000

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, told: self._escaped.append(told))
        self._escaped: list[dict[str, Any]] = []
        self._streams: list[bytes] = []
        self._rng = random.Random(0)  # noqa: S311
        self._binds: tuple[tuple[ber.Oid, ber.Value], ...] = ()
        self._transport, self._agent = self._loop.run_until_complete(self._open())

    async def _open(self) -> tuple[asyncio.DatagramTransport, Agent]:
        door = self

        class Server(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                for one in door.answer(data):
                    door._transport.sendto(one, addr)

        made, _ = await self._loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
        port = made.get_extra_info("socket").getsockname()[1]
        agent = Agent(SnmpSettings(host="127.0.0.1", port=port))
        await agent.open()
        return made, agent

    def answer(self, asked: bytes) -> list[bytes]:
        """Return what comes in place of the answer to a request."""
        said = ber.decode(asked)
        true = ber.Message(
            said.version, said.community, ber.RESPONSE, said.request, 0, 0, self._binds
        ).encode()
        self._streams = [asked, mutate(self._rng, true), true]
        return self._streams[1:]

    def frame(self, rng: random.Random) -> bytes:
        """Return the values to be served, as numbers: the datagram is made when the question is known."""
        return rng.randbytes(12)

    def take(self, data: bytes, rng: random.Random) -> bool:
        """Ask for three objects."""
        self._rng = rng
        numbers = [int.from_bytes(data[at : at + 4].ljust(4, b"\0"), "big") for at in (0, 4, 8)]
        self._binds = (
            (OIDS[0], ber.Value.number(numbers[0] - 2**31, ber.INTEGER)),
            (OIDS[1], ber.Value.number(numbers[1], rng.choice(COMMON[1:]))),
            (OIDS[2], ber.Value(ber.OCTETS, f"{numbers[2]}".encode())),
        )
        return self._loop.run_until_complete(self._ask())

    async def _ask(self) -> bool:
        try:
            held = await self._agent.get([".".join(str(n) for n in oid) for oid in OIDS], 1.0, 0)
        except (AgentError, BadFrame, DeviceTimeout):
            return False
        except ConnectionLost as error:
            raise AssertionError(f"a datagram ended the connection: {error}") from error
        expect(not self._escaped, f"an exception went into the event loop: {self._escaped}")
        asked = ber.decode(self._streams[0])
        told = [said for one in self._streams[1:] if (said := _answers(one, asked)) is not None]
        expect(held in told, f"{held} is none of {told}")
        return True

    def close(self) -> None:
        """Close both ends."""
        self._agent.close()
        self._transport.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


def _answers(data: bytes, asked: ber.Message) -> list[Held] | None:
    """Return the values of a datagram that answers the question, as plain data; None where it does not."""
    try:
        said = ber.decode(data)
        values = [_plain(value) for _, value in said.binds]
    except ValueError:
        return None
    if said.request != asked.request or [name for name, _ in said.binds] != list(OIDS):
        return None
    return values


def _plain(value: ber.Value) -> Held:
    if value.tag in ber.NUMBERS:
        return Held("integer", value.as_number())
    if value.tag in (ber.NO_OBJECT, ber.NO_INSTANCE, ber.END):
        names = {ber.NO_OBJECT: "NoSuchObject", ber.NO_INSTANCE: "NoSuchInstance", ber.END: "EndOfMibView"}
        return Held("missing", names[value.tag])
    if value.tag == ber.IP:
        return Held("ip", ".".join(str(byte) for byte in value.content))
    if value.tag == ber.OID:
        return Held("oid", ".".join(str(n) for n in ber.decode_oid(value.content)))
    if value.tag == ber.NULL:
        return Held("null")
    return Held("opaque" if value.tag == ber.OPAQUE else "octets", value.content)
