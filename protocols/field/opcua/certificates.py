"""X.509 as OPC UA uses it (OPC 10000-6, 6.2.2): what a person is shown of a certificate; reading files."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from protocols.errors import ConnectionLost
from protocols.model.clock import to_datetime
from protocols.model.quality import Quality

_LONGEST_CHAIN: Final = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate as a person compares it. fingerprint: SHA-256, thumbprint: SHA-1, both over the DER.

    Many servers show the SHA-1 thumbprint only; it names a certificate here, and proves nothing.
    """

    fingerprint: str
    thumbprint: str
    subject: str
    issuer: str
    uris: tuple[str, ...]
    hosts: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def in_words(self) -> str:
        """Return fingerprint, subject and dates in one line."""
        return (
            f"SHA-256 {self.fingerprint}, subject {self.subject}, "
            f"valid {self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d} UTC"
        )


def show(certificate: x509.Certificate) -> Shown:
    """Return what a person is shown of a certificate."""
    uris: list[str] = []
    hosts: list[str] = []
    # A stranger's certificate may hold anything.
    with suppress(
        x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError
    ):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        hosts = [*names.get_values_for_type(x509.DNSName)]
        hosts += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    data = der(certificate)
    return Shown(
        fingerprint=fingerprint(data),
        thumbprint=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        subject=certificate.subject.rfc4514_string() or "(no name)",
        issuer=certificate.issuer.rfc4514_string() or "(no name)",
        uris=tuple(uris),
        hosts=tuple(hosts),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of a certificate's DER, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate's DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def leaf(data: bytes) -> bytes:
    """Return the first certificate of a chain of DER certificates, as servers send it. Raises ValueError."""
    if len(data) < 2 or data[0] != 0x30:
        raise ValueError("this is no DER certificate")
    size, head = data[1], 2
    if size & 0x80:
        head += size & 0x7F
        size = int.from_bytes(data[2:head], "big")
    if head + size > len(data):
        raise ValueError("this certificate is cut off")
    return data[: head + size]


def read_certificate(path: Path, setting: str) -> x509.Certificate:
    """Return the (first) certificate of a PEM or DER file. Raises ConnectionLost, naming the setting."""
    data = _bytes(path, setting)
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(leaf(data))
    except ValueError as error:
        raise _unusable(path, setting, "it holds no certificate in PEM or DER") from error


def read_key(path: Path, setting: str) -> rsa.RSAPrivateKey:
    """Return the RSA key of a PEM or DER file. Raises ConnectionLost, naming the setting."""
    data = _bytes(path, setting)
    try:
        key = (
            serialization.load_pem_private_key(data, None)
            if b"-----BEGIN" in data
            else serialization.load_der_private_key(data, None)
        )
    except (ValueError, TypeError) as error:
        raise _unusable(path, setting, "it holds no private key without a passphrase") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, setting, "it is no RSA key, and these policies take no other")
    return key


def chain(data: bytes) -> list[x509.Certificate]:
    """Return the certificates of a chain as servers send it, the server's own first. Raises ValueError.

    What follows the first and is no certificate ends the chain: the first may be trusted all the same.
    """
    one = leaf(data)
    found, data = [x509.load_der_x509_certificate(one)], data[len(one) :]
    with suppress(ValueError):
        while data and len(found) < _LONGEST_CHAIN:
            one = leaf(data)
            found.append(x509.load_der_x509_certificate(one))
            data = data[len(one) :]
    return found


def moment(certificate: x509.Certificate, now_us: int) -> str:
    """Return how a moment lies outside a certificate's dates, in words; "" inside them."""
    now = to_datetime(now_us).astimezone(UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return f"is valid only from {begin:%Y-%m-%d %H:%M} UTC on, and here it is {now:%Y-%m-%d %H:%M} UTC"
    if now > end:
        return f"has ended on {end:%Y-%m-%d %H:%M} UTC, and here it is {now:%Y-%m-%d %H:%M} UTC"
    return ""


def valid_at(certificate: x509.Certificate, now_us: int) -> bool:
    """Tell whether a moment lies within a certificate's dates."""
    return not moment(certificate, now_us)


def _bytes(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, setting, error.strerror or "it cannot be read") from error


def _unusable(path: Path, setting: str, reason: str) -> ConnectionLost:
    return ConnectionLost(
        f"{setting} {path} cannot be used: {reason}; put the right file there, readable for the gateway",
        Quality.BAD_CONFIGURATION_ERROR,
    )
