"""Calls to addresses that people wrote: only outside, no redirect, in bounded time, with a bounded answer.

The address is looked up and judged where the connection is made, and the connection goes to that very
address: a name that resolves to another one a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

import httpcore2

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[Address]]]

CONNECT_S: Final = 5.0
WHOLE_S: Final = 20.0
LARGEST: Final = 64 * 1024
"""Bytes of an answer that are read."""
AGENT: Final = "CityNerve"
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ADDRESS_MARKS: Final = "%/:?#[]@!$&'()*+,;="
_GIVEN_OUT: Final = IPv6Network("2000::/3")
"""All that IANA gives out of IPv6 as global unicast (RFC 4291, 2.4). What lies outside, such as site-local
addresses or those that end in an IPv4 one (`::127.0.0.1`, `::ffff:0:127.0.0.1`), leads somewhere near."""

NEVER: Final[tuple[Network, ...]] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8",
            "169.254.0.0/16", "fe80::/10",
            "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/32",
        ),
    )
)  # fmt: skip
"""Never called, whatever is named: no address at all, many at once, link-local (169.254.169.254 tells a
cloud machine's credentials to whoever asks), and where Alibaba, Azure, Oracle, Amazon, Google do the same."""


class Forbidden(Exception):
    """The address lies where nothing is called: on this machine, in a private network, in no network."""


class Unreachable(Exception):
    """Nobody answered, or not in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. text: its beginning, for people to read."""

    status: int
    text: str


def inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries (mapped, NAT64, 6to4, Teredo), or it itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    carried = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    return carried or address


def permitted(address: Address, private: Iterable[Network]) -> bool:
    """Say whether that address may be called: public, or named by the operator; none of `NEVER`."""
    real = inner(address)
    if any(real in network for network in NEVER):
        return False
    if any(real in network for network in private):
        return True
    if isinstance(real, IPv6Address) and real not in _GIVEN_OUT:
        return False
    return real.is_global and not real.is_multicast


def judge_all(host: str, addresses: Iterable[Address], private: Sequence[Network], setting: str) -> None:
    """Raise Forbidden where one of a name's addresses may not be called; setting names what may allow it."""
    for address in addresses:
        if any(inner(address) in network for network in NEVER):
            raise Forbidden(
                f"{host} is {address}, which is never called, whatever {setting} names: it is link-local, "
                "a cloud's metadata, or no address of one host"
            )
        if not permitted(address, private):
            raise Forbidden(
                f"{host} is {address}, which is not public; {setting} names the private "
                "networks that may be called"
            )


def in_ascii(url: str) -> str:
    """Return an address as it goes over the network (RFC 3987, 3.1). UnicodeError: it has no such form."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    place = host if parts.port is None else f"{host}:{parts.port}"
    path, query = (quote(part, safe=_ADDRESS_MARKS) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, place, path, query, ""))


async def look_up(host: str, port: int) -> list[Address]:
    """Return the addresses of a name. OSError where it has none, Unreachable where it can be no name."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    except UnicodeError as error:  # a part of the name is empty or longer than 63 characters
        raise Unreachable(f"{host} is no name that can be looked up: {error}") from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


class _Guard(httpcore2.AsyncNetworkBackend):
    def __init__(self, private: Sequence[Network], resolve: Resolve) -> None:
        self._private = private
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the library calls it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        async with asyncio.timeout(timeout):
            addresses = await self._resolve(host, port)
        judge_all(host, addresses, self._private, "CITYNERVE_HOOKS_PRIVATE")
        return await self._backend.connect_tcp(
            str(addresses[0]),
            port,
            timeout=timeout,
            local_address=local_address,
            socket_options=socket_options,
        )


class Outgoing:
    """Makes the calls; open it with `async with`. private: networks that may be called beside public ones."""

    def __init__(
        self, private: Sequence[Network] = (), whole_s: float = WHOLE_S, resolve: Resolve = look_up
    ) -> None:
        self._whole_s = whole_s
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusted(),
            max_connections=32,
            max_keepalive_connections=8,
            keepalive_expiry=5.0,
            network_backend=_Guard(private, resolve),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request. Raises Forbidden, or Unreachable with what went wrong."""
        sent = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        fields = [(name.encode(), value.encode()) for name, value in sent.items()]
        timeouts = {
            "connect": CONNECT_S,
            "read": self._whole_s,
            "write": self._whole_s,
            "pool": self._whole_s,
        }
        try:
            async with (
                asyncio.timeout(self._whole_s),
                self._pool.stream(
                    method, in_ascii(url), headers=fields, content=body, extensions={"timeout": timeouts}
                ) as response,
            ):
                return Answer(response.status, await _beginning(response))
        except UnicodeError as error:
            raise Unreachable(f"the address cannot be written for the network: {error}") from error
        except TimeoutError as error:
            raise Unreachable(f"no answer within {self._whole_s:g} s") from error
        except (
            OSError,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.TimeoutException,
        ) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error


@cache
def _trusted() -> ssl.SSLContext:
    """Whom this machine trusts, read once: that takes longer than everything else here."""
    return ssl.create_default_context()


async def _beginning(response: httpcore2.Response) -> str:
    read = b""
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) >= LARGEST:
            break
    return read[:LARGEST].decode("utf-8", "replace").replace("\0", "�")
