"""Calls go outside only, follow nobody, and end."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network

import pytest
from starlette.responses import PlainTextResponse

from central.notices.outgoing import (
    LARGEST,
    Address,
    Forbidden,
    Outgoing,
    Unreachable,
    in_ascii,
    permitted,
)
from tests.central.notices.servers import http_server
from tests.ports import free_port

HERE = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a01:203::1", "::127.0.0.1", "::ffff:0:127.0.0.1",
        "fec0::1", "64:ff9b:1::7f00:1", "2001:0:7f00:1:0:0:80ff:fffe", "100::1", "2001:db8::1",
        "4000::1", "240.0.0.1", "198.18.0.1", "100.100.100.200",
    ],
)  # fmt: skip
def test_nothing_inside_is_called(address: str) -> None:
    assert not permitted(ip_address(address), ())


def test_what_is_outside_or_named_is_called() -> None:
    assert permitted(ip_address("1.1.1.1"), ())
    assert permitted(ip_address("2606:4700::1111"), ())
    assert permitted(ip_address("10.1.2.3"), (ip_network("10.1.0.0/16"),))
    assert not permitted(ip_address("10.2.2.3"), (ip_network("10.1.0.0/16"),))


EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fe80::1",
        "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
        "0.0.0.1", "::", "224.0.0.1", "ff02::1",
    ],
)  # fmt: skip
def test_metadata_and_link_local_addresses_are_not_called_whatever_is_named(address: str) -> None:
    assert not permitted(ip_address(address), EVERYTHING)


async def test_a_name_of_this_machine_is_refused_where_it_connects() -> None:
    async with http_server() as http, Outgoing() as outgoing:
        for host in (
            "localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1",
            "127.1", "0", "①②⑦.0.0.1", "127。0。0。1",
        ):  # fmt: skip
            with pytest.raises(Forbidden, match="CITYNERVE_HOOKS_PRIVATE"):
                await outgoing.call("GET", f"http://{host}:{http.port}/", {}, b"")
    assert http.got == []


async def test_a_name_that_turns_private_is_judged_again_and_one_bad_address_is_enough() -> None:
    public, here, inside = ip_address("1.1.1.1"), ip_address("127.0.0.1"), ip_address("10.1.2.3")
    answers = [[here], [inside], [public, inside], [here]]
    asked = []

    async def resolve(host: str, port: int) -> list[Address]:
        asked.append(host)
        return answers.pop(0)

    async with http_server() as http, Outgoing(HERE, resolve=resolve) as outgoing:
        url = f"http://hook.example:{http.port}/"
        close = {"Connection": "close"}
        assert (await outgoing.call("POST", url, close, b"first")).status == 200
        for _ in range(2):
            with pytest.raises(Forbidden, match=r"hook\.example is 10\.1\.2\.3"):
                await outgoing.call("POST", url, close, b"never")
        assert (await outgoing.call("POST", url, close, b"last")).status == 200
    assert [request.body for request in http.got] == [b"first", b"last"]
    assert asked == ["hook.example"] * 4


async def test_an_address_is_written_for_the_network_or_refused_in_words() -> None:
    async with http_server() as http, Outgoing(HERE) as outgoing:
        await outgoing.call("POST", f"{http.url}/钩子?a=é&b=%20", {}, b"")
        for host in ("a" * 64 + ".example", "a..example", "钩" * 64):
            with pytest.raises(Unreachable):
                await outgoing.call("POST", f"http://{host}/", {}, b"")
    assert in_ascii("https://例え.example:8443/钩子?a=é&b=%20") == (
        "https://xn--r8jz45g.example:8443/%E9%92%A9%E5%AD%90?a=%C3%A9&b=%20"
    )
    assert len(http.got) == 1


async def test_no_redirect_is_followed_and_a_large_answer_is_cut() -> None:
    async with http_server() as http, Outgoing(HERE) as outgoing:
        assert (await outgoing.call("POST", f"{http.url}/redirect", {}, b"x")).status == 307
        assert http.got == []
        http.answers.append(PlainTextResponse("a" * (LARGEST * 4)))
        assert len((await outgoing.call("POST", f"{http.url}/large", {}, b"x")).text) == LARGEST


async def test_a_server_that_says_nothing_is_left_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(silent, "127.0.0.1", port), Outgoing(HERE, whole_s=0.2) as outgoing:
        with pytest.raises(Unreachable, match=r"0\.2 s"):
            await outgoing.call("POST", f"http://127.0.0.1:{port}/", {}, b"")
    async with Outgoing(HERE) as outgoing:
        with pytest.raises(Unreachable):
            await outgoing.call("POST", f"http://127.0.0.1:{port}/", {}, b"")
