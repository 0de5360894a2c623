"""One agent as pysnmp speaks to it: get, set and walk, with plain data in and out and our errors.

A response is taken for the request whose number it bears; what names other objects than were asked, or in
another order, is refused here (RFC 3416, 4.2.4), and so is what comes when nobody waits any more.
What another address or port sends is not heard at all: versions 1 and 2c have no other sign of who speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from pyasn1.error import PyAsn1Error
from pyasn1.type import univ
from pysnmp.carrier.asyncio.dispatch import AsyncioDispatcher
from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch import asyncio as hlapi
from pysnmp.proto import errind, rfc1902, rfc1905

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout, FieldError
from protocols.field.filling import read_password
from protocols.field.snmp.settings import SnmpSettings
from protocols.field.snmp.soundness import sound
from protocols.field.snmp.values import Held
from protocols.model.quality import Quality

OPEN_S: Final = 5.0
UP_TIME: Final = "1.3.6.1.2.1.1.3.0"
"""sysUpTime: every agent has it (RFC 3418)."""
AUTH: Final = {
    "md5": hlapi.USM_AUTH_HMAC96_MD5, "sha": hlapi.USM_AUTH_HMAC96_SHA,
    "sha224": hlapi.USM_AUTH_HMAC128_SHA224, "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha384": hlapi.USM_AUTH_HMAC256_SHA384, "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}  # fmt: skip
PRIV: Final = {
    "aes": hlapi.USM_PRIV_CFB128_AES, "aes192": hlapi.USM_PRIV_CFB192_AES,
    "aes256": hlapi.USM_PRIV_CFB256_AES, "des": hlapi.USM_PRIV_CBC56_DES,
}  # fmt: skip
_SYNTAX: Final = {
    "integer": rfc1902.Integer32, "unsigned": rfc1902.Unsigned32, "timeticks": rfc1902.TimeTicks,
    "octets": rfc1902.OctetString, "ip": rfc1902.IpAddress,
}  # fmt: skip
DAMAGED: Final = (
    PyAsn1Error, PySnmpError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
_NAMES: Final = (
    "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType",
    "wrongLength", "wrongEncoding", "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable",
    "commitFailed", "undoFailed", "authorizationError", "notWritable", "inconsistentName",
)  # fmt: skip
TOO_BIG: Final = 1
UNDO_FAILED: Final = 15
"""After a set: neither done nor undone."""
_QUALITIES: Final = {
    2: Quality.BAD_CONFIGURATION_ERROR, 3: Quality.BAD_OUT_OF_RANGE, 4: Quality.BAD_NOT_SUPPORTED,
    6: Quality.BAD_USER_ACCESS_DENIED, 7: Quality.BAD_TYPE_MISMATCH, 8: Quality.BAD_OUT_OF_RANGE,
    9: Quality.BAD_OUT_OF_RANGE, 10: Quality.BAD_OUT_OF_RANGE, 11: Quality.BAD_NOT_SUPPORTED,
    12: Quality.BAD_OUT_OF_RANGE, 16: Quality.BAD_USER_ACCESS_DENIED, 17: Quality.BAD_NOT_SUPPORTED,
}  # fmt: skip


class AgentError(FieldError):
    """An error-status: `code` (RFC 3416, clause 3), and which object it is about (0-based; -1: none)."""

    def __init__(self, where: str, code: int, index: int) -> None:
        self.code, self.index = code, index
        name = _NAMES[code] if 0 <= code < len(_NAMES) else f"error-status {code}"
        super().__init__(f"{where}: {name}", _QUALITIES.get(code, Quality.BAD_DEVICE_FAILURE))


class Door(AsyncioDispatcher):  # type: ignore[misc]  # pysnmp has no types
    """pysnmp's dispatcher, which lets what its decoder raises for damaged datagrams into the event loop."""

    def _callback_function(self, transport: Any, address: Any, datagram: Any) -> None:
        with contextlib.suppress(*DAMAGED):
            if sound(bytes(datagram)):
                super()._callback_function(transport, address, datagram)


class _OneVoice(Door):
    """The door of a client: pysnmp takes an answer from whoever sends it."""

    def __init__(self, agent: tuple[str, int]) -> None:
        super().__init__()
        self._agent = _place(agent)
        self.stranger = ""
        """Who spoke last without being the agent, as `address:port`; "" where nobody did."""

    def _callback_function(self, transport: Any, address: Any, datagram: Any) -> None:
        place = _place(address)
        if place == self._agent:
            super()._callback_function(transport, address, datagram)
        else:
            self.stranger = f"{place[0]}:{place[1]}"


class Agent:
    """The agent of some settings; `open` before anything else, `close` last."""

    def __init__(self, settings: SnmpSettings) -> None:
        self.name = f"SNMP {settings.host}:{settings.port}"
        self._settings = settings
        self._engine: Any = None
        self._door: _OneVoice | None = None
        self._reader: Any = None
        self._writer: Any = None
        self._address: tuple[str, int] = (settings.host, settings.port)

    async def open(self) -> None:
        """Read the secrets, look up the host, take a socket. Nothing is sent. Raises ConnectionLost."""
        settings = self._settings
        try:
            self._reader = self._who(settings.community_file, "citynerve-read")
            self._writer = (
                self._who(settings.write_community_file, "citynerve-write")
                if settings.write_community_file is not None
                else self._reader
            )
            async with asyncio.timeout(OPEN_S):
                found = await asyncio.get_running_loop().getaddrinfo(settings.host, settings.port)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise ConnectionLost(
                f"{self.name} cannot be looked up: {error or 'no answer'}; check `host`",
                Quality.BAD_NO_COMMUNICATION,
            ) from error
        self._address = found[0][4][0], settings.port  # type: ignore[assignment]
        self._engine = hlapi.SnmpEngine()
        self._door = _OneVoice(self._address)
        self._engine.register_transport_dispatcher(self._door)

    def _who(self, community: Path | None, name: str) -> Any:
        """Return with which name requests are made. Raises ConnectionLost for a file that cannot be read."""
        settings = self._settings
        if settings.version != "3":
            word = read_password(community) if community is not None else "public"
            return hlapi.CommunityData(name, word, mpModel=0 if settings.version == "1" else 1)
        keys: dict[str, Any] = {}
        if settings.auth_file is not None:
            keys |= {"authKey": read_password(settings.auth_file), "authProtocol": AUTH[settings.auth]}
        if settings.priv_file is not None:
            keys |= {"privKey": read_password(settings.priv_file), "privProtocol": PRIV[settings.priv]}
        for key in ("authKey", "privKey"):
            if len(keys.get(key, "12345678")) < 8:  # RFC 3414, 11.2
                raise ConnectionLost(
                    f"{self.name}: a pass phrase of version 3 has eight characters at least",
                    Quality.BAD_CONFIGURATION_ERROR,
                )
        # What is not encrypted is so by the technician's word: old equipment cannot.
        return hlapi.UsmUserData(settings.username, **keys)  # noqa: S509

    @property
    def address(self) -> str:
        """Its IP address, as looked up when it was opened."""
        return self._address[0]

    def close(self) -> None:
        """Let go of the socket; safe at any time."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close_dispatcher()

    async def get(self, oids: Sequence[str], timeout_s: float, retries: int) -> list[Held]:
        """Return what the objects hold, in their order.

        Raises AgentError, DeviceTimeout after `retries` further attempts, BadFrame, ConnectionLost.
        """
        asked = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in oids]
        binds = await self._ask(hlapi.get_cmd, self._reader, asked, timeout_s, retries)
        self._same(binds, oids)
        return [held_of(value) for _, value in binds]

    async def set(self, oid: str, syntax: str, value: int | bytes | str, timeout_s: float) -> None:
        """Write once. Raises AgentError, DeviceTimeout (nobody knows), BadFrame, ConnectionLost."""
        wanted = hlapi.ObjectType(hlapi.ObjectIdentity(oid), _SYNTAX[syntax](value))
        self._same(await self._ask(hlapi.set_cmd, self._writer, [wanted], timeout_s, 0), [oid])

    async def walk(self, root: str, most: int, timeout_s: float) -> AsyncIterator[tuple[str, Held]]:
        """Yield the objects under an object id: GetBulk, or GetNext in version 1. Raises as `get`."""
        at, seen = root, 0
        first = self._settings.version == "1"
        while seen < most:
            start = hlapi.ObjectType(hlapi.ObjectIdentity(at))
            try:
                if first:
                    binds = await self._ask(hlapi.next_cmd, self._reader, [start], timeout_s, 1)
                else:
                    binds = await self._ask(hlapi.bulk_cmd, self._reader, [start], timeout_s, 1, (0, 20))
            except AgentError as error:
                if first and error.code == 2:  # the end of version 1
                    return
                raise
            for name, value in binds:
                oid, held = str(name), held_of(value)
                # An agent that does not go forward would be walked for ever.
                if held.kind == "missing" or not oid.startswith(f"{root}.") or _key(oid) <= _key(at):
                    return
                at, seen = oid, seen + 1
                yield oid, held
                if seen == most:
                    return
            if not binds:
                return

    async def _ask(
        self,
        command: Any,
        who: Any,
        asked: list[Any],
        timeout_s: float,
        retries: int,
        more: tuple[int, ...] = (),
    ) -> list[tuple[Any, Any]]:
        if self._engine is None:
            raise ConnectionLost(f"{self.name} is not open", Quality.BAD_NO_COMMUNICATION)
        if self._door is not None:
            self._door.stranger = ""
        kind = hlapi.Udp6TransportTarget if ":" in self._address[0] else hlapi.UdpTransportTarget
        try:
            target = await kind.create(self._address, timeout=timeout_s, retries=retries)
            context = hlapi.ContextData(contextName=self._settings.context.encode())
            # pysnmp counts its time limit itself; the outer one is for what it might miss.
            async with asyncio.timeout(2 * timeout_s * (retries + 1) + OPEN_S):
                wrong, status, index, binds = await command(
                    self._engine, who, target, context, *more, *asked, lookupMib=False
                )
        except TimeoutError:
            wrong, status, index, binds = errind.requestTimedOut, 0, 0, ()
        except (PySnmpError, OSError) as error:
            raise ConnectionLost(
                f"{self.name}: the request could not be made ({_words(error)})",
                Quality.BAD_COMMUNICATION_ERROR,
            ) from error
        if wrong is not None:
            raise self._error(wrong, timeout_s)
        if int(status):
            raise AgentError(self.name, int(status), int(index) - 1)
        return [(name, value) for name, value in binds]

    def _error(self, wrong: Any, timeout_s: float) -> FieldError:
        """Return the error of what pysnmp says in words (`errorIndication`)."""
        if isinstance(wrong, errind.RequestTimedOut):
            stranger = self._door.stranger if self._door is not None else ""
            return DeviceTimeout(
                f"{self.name}: no answer within {timeout_s:g} s"
                + (f" ({_STRANGER.format(stranger)})" if stranger else ""),
                Quality.BAD_TIMEOUT,
            )
        if isinstance(wrong, _REFUSALS):
            return ConnectionLost(
                f"{self.name} does not let this user in: {wrong}; check `username`, `auth`, `priv` and their "
                "files, and the time limits of the agent",
                Quality.BAD_USER_ACCESS_DENIED,
            )
        return BadFrame(f"{self.name}: {wrong}", Quality.BAD_COMMUNICATION_ERROR)

    def _same(self, binds: Sequence[tuple[Any, Any]], oids: Sequence[str]) -> None:
        """Raise BadFrame unless a response speaks of what was asked, in that order."""
        if [str(name) for name, _ in binds] != list(oids):
            raise BadFrame(
                f"{self.name}: the response names other objects than were asked; it was dropped",
                Quality.BAD_COMMUNICATION_ERROR,
            )


_STRANGER: Final = (
    "an answer came from {}, which is not who was asked, and was dropped; if that is another address of the "
    "same device, give that as `host`"
)
_REFUSALS: Final = (
    errind.UnknownUserName, errind.UnsupportedSecurityLevel, errind.WrongDigest, errind.DecryptionError,
    errind.AuthenticationFailure, errind.NotInTimeWindow, errind.UnknownSecurityName,
    errind.AuthenticationError, errind.UnsupportedAuthProtocol, errind.UnsupportedPrivProtocol,
)  # fmt: skip


def held_of(value: Any) -> Held:
    """Return a value of pysnmp's as plain data."""
    if isinstance(value, (rfc1905.NoSuchObject, rfc1905.NoSuchInstance, rfc1905.EndOfMibView)):
        return Held("missing", type(value).__name__)
    if isinstance(value, univ.Null) or not value.hasValue():
        return Held("null")
    if isinstance(value, rfc1902.IpAddress):
        return Held("ip", value.prettyPrint())
    if isinstance(value, rfc1902.Opaque):
        return Held("opaque", bytes(value))
    if isinstance(value, univ.ObjectIdentifier):
        return Held("oid", str(value))
    if isinstance(value, univ.OctetString):
        return Held("octets", bytes(value))
    # Nothing else is left in RFC 3416's SimpleSyntax and ApplicationSyntax.
    return Held("integer", int(value)) if isinstance(value, univ.Integer) else Held("opaque", b"")


def _place(address: Any) -> tuple[str, int]:
    """Return address and port without the zone of IPv6, which only this machine knows."""
    return str(address[0]).partition("%")[0], int(address[1])


def _key(oid: str) -> tuple[int, ...]:
    return tuple(int(part) for part in oid.split("."))


def _words(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
