"""The gateway's own application certificate (OPC 10000-4, 6.1): made once, renewed before it ends.

    pki_dir/own/certificate.der, key.pem     the present pair; give the first to the keeper of a server
    pki_dir/own/previous.der, previous.pem   the pair before it

A renewed certificate is a stranger to every server, so the one before is kept: where a server refuses the
new one, the old one is shown as long as it is valid. The ApplicationUri stays the same over all of them.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocols.errors import ConnectionLost
from protocols.field.opcua.certificates import der, read_certificate, read_key, show, valid_at
from protocols.model.clock import SECOND_US, to_datetime
from protocols.model.quality import Quality

VALID_DAYS: Final = 5 * 365
RENEW_DAYS: Final = 60
KEY_BITS: Final = 2048
"""The least that all policies here allow, and the most that small controllers are known to bear."""
_DAY_US: Final = 86_400 * SECOND_US


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, and the ApplicationUri that it speaks for."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    uri: str

    @property
    def key_der(self) -> bytes:
        """The key in PKCS #8."""
        return self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def given(certificate: Path, key: Path) -> Identity:
    """Return the identity that a technician's own authority issued. Raises ConnectionLost."""
    found = read_certificate(certificate, "certificate")
    uris = show(found).uris
    if not uris:
        raise ConnectionLost(
            f"certificate {certificate} names no ApplicationUri; issue it with "
            "subjectAltName URI:urn:HOST:citynerve, as OPC UA wants it (OPC 10000-6, 6.2.2)",
            Quality.BAD_CONFIGURATION_ERROR,
        )
    return Identity(found, read_key(key, "private_key"), uris[0])


def own(pki_dir: Path, now_us: int) -> tuple[Identity, ...]:
    """Return the present identity, and the one before it while it is valid; make or renew it first.

    Raises ConnectionLost where the folder cannot be used.
    """
    folder = pki_dir / "own"
    try:
        present = _load(folder, "certificate.der", "key.pem")
        if present is None or not valid_at(present.certificate, now_us + RENEW_DAYS * _DAY_US):
            fresh = _make(present.uri if present else _uri(), now_us)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if present is not None:
                (folder / "key.pem").replace(folder / "previous.pem")
                (folder / "certificate.der").replace(folder / "previous.der")
            _keep(folder, fresh)
            present = fresh
        before = _load(folder, "previous.der", "previous.pem")
    except OSError as error:
        raise ConnectionLost(
            f"the gateway's own certificate cannot be kept in {folder}: {error.strerror}; "
            "give the gateway's user the right to write there",
            Quality.BAD_CONFIGURATION_ERROR,
        ) from error
    if before is not None and valid_at(before.certificate, now_us):
        return (present, before)
    return (present,)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file whole, 0600. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _load(folder: Path, certificate: str, key: str) -> Identity | None:
    """Return a pair as it lies there; None where there is none, or its halves are not of one pair."""
    if not ((folder / certificate).is_file() and (folder / key).is_file()):
        return None
    found = read_certificate(folder / certificate, "the gateway's own certificate")
    secret = read_key(folder / key, "the key of the gateway's own certificate")
    uris = show(found).uris
    # A power cut between the two renames leaves a new key beside an old certificate, or the reverse.
    if not uris or found.public_key() != secret.public_key():
        return None
    return Identity(found, secret, uris[0])


def _keep(folder: Path, identity: Identity) -> None:
    pem = identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(folder / "key.pem", pem)
    write_private(folder / "certificate.der", der(identity.certificate))


def _uri() -> str:
    """Return a new ApplicationUri; it must be unique in the world, and hosts are often all called alike."""
    return f"urn:{_host()}:citynerve:gateway:{secrets.token_hex(4)}"


def _host() -> str:
    with suppress(OSError, UnicodeError):
        name = socket.gethostname()
        if name and name.isascii() and all(part.isalnum() or part in "-." for part in name):
            return name[:63]
    return "gateway"


def _make(uri: str, now_us: int) -> Identity:
    """Make a self-signed certificate by OPC 10000-6, 6.2.2, table "Application Instance Certificate"."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "CityNerve gateway"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CityNerve"),
            x509.NameAttribute(NameOID.DOMAIN_COMPONENT, _host()),
        ]
    )
    now = to_datetime(now_us)
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # A controller's clock may be behind ours by a time zone that was set wrongly.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(_host())]), False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=True, key_encipherment=True,
                data_encipherment=True, key_agreement=False, key_cert_sign=True, crl_sign=False,
                encipher_only=False, decipher_only=False,
            ),
            True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return Identity(certificate, key, uri)
