"""An authority for tests: signs servers and authorities below it, and lists what it revoked."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
URI = "urn:test:server"


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """`above`: the authority that signs this one; itself where there is none."""

    def __init__(
        self, name: str = "works", above: Authority | None = None, ends: dt.timedelta = 90 * DAY
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._name = named(name)
        by = above or self
        self.certificate = (
            self._begun(self._name, by._name, self.key.public_key(), -90 * DAY, ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(by.key, hashes.SHA256())
        )

    def server(
        self,
        *,
        uri: str = URI,
        host: str = "127.0.0.1",
        begins: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
        key: rsa.RSAPrivateKey | None = None,
    ) -> x509.Certificate:
        """Return a server's certificate; without a key it opens no channel."""
        public = (key or ec.generate_private_key(ec.SECP256R1())).public_key()
        names = [x509.UniformResourceIdentifier(uri), x509.IPAddress(ipaddress.ip_address(host))]
        return (
            self._begun(named("plc"), self._name, public, begins, ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def revokes(self, revoked: Sequence[x509.Certificate], of: dt.datetime = NOW) -> bytes:
        """Return the list of what is revoked, in DER."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(of)
            .next_update(of + 30 * DAY)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
            made = made.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
        return made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def pem(self) -> bytes:
        """Return its certificate as people hand it round."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _begun(
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        begins: dt.timedelta,
        ends: dt.timedelta,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begins)
            .not_valid_after(NOW + ends)
        )
