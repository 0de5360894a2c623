"""Doors: who may get in, and over what."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator

from central.doctor.finding import Finding, Patient
from central.security.passwords import Passwords

DEMO_NAMES = ("viewer", "operator", "admin")
LONG_DAYS = 400
ADMINS = """
SELECT u.username FROM users u WHERE NOT u.disabled AND (u.role = 'admin'
    OR EXISTS (SELECT 1 FROM grants g WHERE g.username = u.username AND g.role = 'admin'))
    AND NOT EXISTS (
        SELECT 1 FROM second_factors f WHERE f.username = u.username AND f.confirmed_at IS NOT NULL)
ORDER BY 1
"""


def is_local(host: str) -> bool:
    """Whether an address to listen on is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def network(patient: Patient) -> AsyncIterator[Finding]:
    """Beyond this machine only behind TLS, and then with `secure` cookies."""
    if not is_local(patient.config.host):
        yield Finding(
            "network.open", "error" if not patient.config.secure else "warning",
            f"the centre listens on {patient.config.host}, in plain HTTP",
            "passwords, sessions and gateways' tokens can be read on the way",
            "CITYNERVE_HOST=127.0.0.1, and TLS in front: deploy/nginx/citynerve.conf",
        )  # fmt: skip
    elif not patient.config.secure:
        yield Finding(
            "network.cookies", "warning", "cookies are not marked `secure`",
            "behind TLS a browser could still send them in plain HTTP; on a laptop alone it does not matter",
            "CITYNERVE_SECURE=1",
        )  # fmt: skip


async def accounts(patient: Patient) -> AsyncIterator[Finding]:
    """Somebody may administer; nobody has the demo's password; administrators have a second factor."""
    (people,) = await patient.row("SELECT count(*) FROM users WHERE NOT disabled")
    if not people:
        yield Finding(
            "accounts.none", "warning", "nobody may sign in", "the console is of no use to anybody",
            "citynerve user add NAME --role admin",
        )  # fmt: skip
    passwords = Passwords()
    for name, stored in await patient.rows(
        "SELECT username, password_hash FROM users WHERE NOT disabled AND username = ANY(%s)",
        list(DEMO_NAMES),
    ):
        if patient.demo_password and await passwords.matches(stored, patient.demo_password):
            yield Finding(
                "accounts.demo", "error", f"{name} has the password of the demo, which everybody can read",
                "anybody who reaches the console may do what that account may",
                f"citynerve user add {name} --role {name}   # asks for a new password",
            )  # fmt: skip
    if await patient.has("second_factors"):
        bare = [name for (name,) in await patient.rows(ADMINS)]
        if bare:
            yield Finding(
                "accounts.factor", "warning",
                f"{len(bare)} administrators have no second factor: {', '.join(bare[:4])}",
                "a stolen password is then enough to do everything",
                "let them set one up at Settings → My account",
            )  # fmt: skip


async def tokens(patient: Patient) -> AsyncIterator[Finding]:
    """API tokens end some day."""
    (endless,) = await patient.row(
        "SELECT count(*) FROM api_tokens"
        " WHERE expires_at IS NULL OR expires_at > now() + %s * interval '1 day'",
        LONG_DAYS,
    )
    if endless:
        yield Finding(
            "tokens.endless", "warning", f"{endless} API tokens hold for more than {LONG_DAYS} days",
            "a token that leaks opens the door for as long", "make new ones with an end, and revoke those",
        )  # fmt: skip


LOOKS = (network, accounts, tokens)
