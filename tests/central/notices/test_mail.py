"""A mail server may lie inside, as most do; its name is judged where the connection is made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from central.config import INSIDE, Config
from central.notices.bodies import Email
from central.notices.mail import Mailer
from central.notices.outcome import Outcome
from central.notices.outgoing import Address, Network
from protocols.errors import ConfigError
from tests.central.notices.servers import MailServer, mail_server
from tests.ports import free_port

USUAL = tuple(map(ip_network, INSIDE))


def settings(mail: MailServer, **more: object) -> Email:
    return Email.model_validate(
        {
            "kind": "email", "host": "localhost", "port": mail.port, "sender": "alarms@city.test",
            "user": mail.user, "trusted": mail.certificate, **more,
        }
    )  # fmt: skip


async def send(mailer: Mailer, email: Email) -> Outcome:
    return await mailer.send(
        email, "correct horse", key="k", to="duty@city.test", subject="s", text="t",
        at=datetime(2026, 11, 23, tzinfo=UTC),
    )  # fmt: skip


def resolving(*answers: Sequence[str]) -> tuple[list[str], Mailer]:
    """A mailer whose names have these addresses, one list each time."""
    waiting, asked = list(answers), []

    async def resolve(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [ip_address(one) for one in waiting.pop(0)]

    return asked, Mailer(USUAL, resolve)


async def test_a_server_inside_takes_mail_by_the_certificate_of_its_name(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as mail:
        assert await send(Mailer(USUAL), settings(mail)) == Outcome("sent", "queued as 42")
        assert mail.encrypted == [True]
        # The connection goes to the address that was judged; the certificate is still asked of the name.
        _, mailer = resolving(["127.0.0.1"])
        outcome = await send(mailer, settings(mail, host="mail.example"))
        assert outcome.ending == "failed"
        assert "certificate" in outcome.answer.lower()
    assert len(mail.messages) == 1


async def test_the_next_address_is_tried_where_one_takes_no_connection(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as mail:
        _, mailer = resolving(["::1", "127.0.0.1"])
        assert (await send(mailer, settings(mail))).ending == "sent"
        _, mailer = resolving(["::1"])
        outcome = await send(mailer, settings(mail))
    assert (outcome.ending, "takes no connection" in outcome.answer) == ("failed", True)


@pytest.mark.parametrize("private", [(), (ip_network("10.20.0.25/32"),)], ids=["none", "the relay alone"])
async def test_where_it_is_narrowed_this_machine_is_refused_and_the_setting_named(
    tmp_path: Path, private: tuple[Network, ...]
) -> None:
    async with mail_server(tmp_path) as mail:
        for host in ("localhost", "127.0.0.1", "2130706433"):
            outcome = await send(Mailer(private), settings(mail, host=host))
            assert (outcome.ending, "CITYNERVE_MAIL_PRIVATE" in outcome.answer) == ("refused", True)
    assert mail.messages == []


async def test_a_name_that_turns_to_the_metadata_address_is_refused_before_a_byte(tmp_path: Path) -> None:
    async with mail_server(tmp_path) as mail:
        answers = (["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "fe80::1"], ["127.0.0.1"])
        asked, mailer = resolving(*answers)
        endings = [(await send(mailer, settings(mail))).ending for _ in answers]
    assert endings == ["sent", "refused", "refused", "sent"]
    assert len(mail.messages) == 2
    assert asked == ["localhost"] * 4


async def test_a_server_that_says_nothing_is_left_in_time(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with mail_server(tmp_path) as mail:
        port = free_port()
        async with await asyncio.start_server(silent, "127.0.0.1", port):
            outcome = await send(Mailer(USUAL, timeout_s=0.2), settings(mail, host="127.0.0.1", port=port))
        assert outcome.ending == "failed"
        for host in ("a..example", "a" * 64 + ".example"):
            assert (await send(Mailer(USUAL), settings(mail, host=host))).ending == "failed"


def test_the_setting() -> None:
    assert Config.from_env({}).mail_private == INSIDE
    assert Config.from_env({"CITYNERVE_MAIL_PRIVATE": "none"}).mail_private == ()
    assert Config.from_env({"CITYNERVE_MAIL_PRIVATE": "10.20.0.25"}).mail_private == ("10.20.0.25/32",)
    with pytest.raises(ConfigError, match="CITYNERVE_MAIL_PRIVATE"):
        Config.from_env({"CITYNERVE_MAIL_PRIVATE": "10.20.0.256"})
