"""E-mail over SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS from the start (RFC 8314)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from central.notices.bodies import Email
from central.notices.outcome import Outcome
from central.notices.outgoing import Address, Forbidden, Network, Resolve, Unreachable, judge_all, look_up

TIMEOUT_S: Final = 20.0
PERMANENT: Final = 500


class Mailer:
    """Hands messages to SMTP servers. private: networks that these may lie in beside public ones.

    As with webhooks the name is looked up here, every address of it is judged, and the connection goes to
    one of those; the certificate is still that of the name.
    """

    def __init__(
        self, private: Sequence[Network], resolve: Resolve = look_up, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._private = private
        self._resolve = resolve
        self._timeout_s = timeout_s

    async def send(
        self, settings: Email, password: str, *, key: str, to: str, subject: str, text: str, at: datetime
    ) -> Outcome:
        """Hand one message over. Its Message-ID is made of the delivery's key: a repeat is the same."""
        message = EmailMessage()
        message["From"] = settings.sender
        message["To"] = to
        message["Subject"] = " ".join(subject.split())
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{key}@{settings.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            connected = await self._connect(settings.host, settings.port)
            return await self._hand_over(connected, settings, password, message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            return _refusal(refused.code, refused.message)
        except aiosmtplib.SMTPAuthenticationError as error:
            # The account may be mended; the message is as good as before.
            return Outcome("failed", f"{error.code} {error.message}")
        except aiosmtplib.SMTPResponseException as error:
            return _refusal(error.code, error.message)
        except Forbidden as error:
            return Outcome("refused", str(error))
        except (aiosmtplib.SMTPException, Unreachable, OSError) as error:
            return Outcome("failed", f"{type(error).__name__}: {error}")

    async def _hand_over(
        self, connected: socket.socket, settings: Email, password: str, message: EmailMessage
    ) -> Outcome:
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            sock=connected,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=_context(settings),
            timeout=self._timeout_s,
        )
        try:
            await client.connect()
        except BaseException:
            connected.close()  # a connection that was not taken over is nobody's
            raise
        async with client:
            if settings.user:
                await client.login(settings.user, password)
            _, answer = await client.send_message(message)
        return Outcome("sent", answer)

    async def _connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of a name that takes it. Raises Forbidden, Unreachable, OSError."""
        failures: list[str] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._resolve(host, port)
                judge_all(host, addresses, self._private, "CITYNERVE_MAIL_PRIVATE")
                for address in addresses:
                    try:
                        return await _open(address, port)
                    except OSError as error:
                        failures.append(str(error))
        except TimeoutError as error:
            raise Unreachable(f"{host} did not answer within {self._timeout_s:g} s") from error
        raise Unreachable(f"{host} takes no connection at port {port}: {'; '.join(failures)}")


async def _open(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, (str(address), port))
    except BaseException:
        opened.close()
        raise
    return opened


def _refusal(code: int, words: str) -> Outcome:
    return Outcome("refused" if code >= PERMANENT else "failed", f"{code} {words}")


def _context(settings: Email) -> ssl.SSLContext | None:
    if settings.security == "none":
        return None
    return ssl.create_default_context(cadata=settings.trusted or None)
