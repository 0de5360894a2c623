"""An authority for tests: keys and certificates as an operator would make them, on disk as PEM."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge.link.trust import pin_of

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


class Authority:
    """Signs certificates; `pem` is its own, in a file."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _named(name)
        self._certificate = (
            _begun(subject, subject, self._key, NOW - 900 * DAY, NOW + 900 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = folder / f"{name}.pem"
        self.pem.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    @property
    def pin(self) -> str:
        """The pin of its key."""
        return pin_of(self._certificate)

    def server(
        self,
        *,
        address: str = "127.0.0.1",
        begins: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> ServerFiles:
        """Make a certificate for a server at that address."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _begun(_named("centre"), self._certificate.subject, key, NOW + begins, NOW + ends)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return ServerFiles(self._folder / f"{self._name}-server", key, certificate)


class ServerFiles:
    """A server's certificate and key on disk."""

    def __init__(self, stem: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.pin = pin_of(certificate)
        number = certificate.serial_number
        self.cert_file = stem.with_name(f"{stem.name}-{number}.pem")
        self.key_file = stem.with_name(f"{stem.name}-{number}.key")
        self.cert_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: dt.datetime,
    ends: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
