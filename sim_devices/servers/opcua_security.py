"""What a secured OPC UA server shows and whom it lets in: certificate, policies, users."""

from __future__ import annotations

import hmac
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography.x509.oid import ExtendedKeyUsageOID

POLICIES = [
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]


@dataclass(frozen=True, slots=True)
class OpcUaSecurity:
    """`folder` keeps the server's certificate and key; with `credentials` nobody else is let in.

    Any client certificate is taken: the one who learns here is the gateway's technician.
    """

    folder: Path
    credentials: tuple[str, str] | None = None


class OneUser(UserManager):
    """Lets one user in by name and password."""

    def __init__(self, credentials: tuple[str, str]) -> None:
        self._name, self._password = credentials

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Return the user, or None where name or password is another."""
        known = username == self._name and hmac.compare_digest(
            (password or "").encode(), self._password.encode()
        )
        return User(role=UserRole.User, name=self._name) if known else None


async def secure(server: Server, security: OpcUaSecurity, uri: str) -> None:
    """Give a server its certificate, made now where there is none, its policies and its user."""
    key, certificate = security.folder / "server.pem", security.folder / "server.der"
    security.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    host = socket.gethostname()
    await setup_self_signed_certificate(
        key, certificate, uri, host, [ExtendedKeyUsageOID.SERVER_AUTH], {"organizationName": "CityNerve sim"}
    )
    key.chmod(0o600)
    await server.load_certificate(certificate)
    await server.load_private_key(key)
    server.set_security_policy(POLICIES)
    if security.credentials is not None:
        server.set_identity_tokens([ua.UserNameIdentityToken])
        server.iserver.set_user_manager(OneUser(security.credentials))
