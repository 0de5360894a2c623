"""E-mail over SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS from the start (RFC 8314)."""

from __future__ import annotations

import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from central.notices.bodies import Email
from central.notices.outcome import Outcome

TIMEOUT_S: Final = 20.0
PERMANENT: Final = 500


async def send(
    settings: Email, password: str, *, key: str, to: str, subject: str, text: str, at: datetime
) -> Outcome:
    """Hand one message to the server. Its Message-ID is made of the delivery's key: a repeat is the same."""
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{key}@{settings.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        use_tls=settings.security == "tls",
        start_tls=settings.security == "starttls",
        tls_context=_context(settings),
        timeout=TIMEOUT_S,
    )
    try:
        async with client:
            if settings.user:
                await client.login(settings.user, password)
            _, answer = await client.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        return _refusal(refused.code, refused.message)
    except aiosmtplib.SMTPAuthenticationError as error:
        # The account may be mended; the message is as good as before.
        return Outcome("failed", f"{error.code} {error.message}")
    except aiosmtplib.SMTPResponseException as error:
        return _refusal(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError) as error:
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return Outcome("sent", answer)


def _refusal(code: int, words: str) -> Outcome:
    return Outcome("refused" if code >= PERMANENT else "failed", f"{code} {words}")


def _context(settings: Email) -> ssl.SSLContext | None:
    if settings.security == "none":
        return None
    return ssl.create_default_context(cadata=settings.trusted or None)
