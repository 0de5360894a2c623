"""The road to the centre ends for reasons outside both houses: a certificate runs out, names are gone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.link.credentials import save
from protocols.wire.handshake import Credentials
from tests.edge.centre import TOKEN, FakeCentre
from tests.edge.house import until
from tests.faults.lives import Ancestor, ended
from tests.faults.witness import (
    CountingField,
    carried_over,
    check_every_answer,
    check_numbers,
    counting_gateway,
    drained,
    said,
)
from tests.ports import free_port

pytestmark = pytest.mark.faults

Key = ec.EllipticCurvePrivateKey
AWAY_READS = 40
"""Reads of the device that pass while the centre cannot be reached."""


class Authority:
    """An operator's own certificate authority, for one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority of the test")
        now = datetime.now(UTC)
        self._own = self._sign(
            self._name, self._key, now - timedelta(days=9), now + timedelta(days=9), ca=True
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def certificate(self, name: str, *, days: float) -> tuple[Path, Path]:
        """Make a server certificate for this machine that ends in so many days; return it and its key."""
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(_name(name), key, now - timedelta(days=3), now + timedelta(days=days), ca=False)
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, secret

    def _sign(
        self, subject: x509.Name, key: Key, begin: datetime, end: datetime, *, ca: bool
    ) -> x509.Certificate:
        here = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("centre.test")]
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(here), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _reasons(folder: Path) -> list[str]:
    """Return the reasons that the gateway gave for not reaching the centre."""
    return [line["reason"] for line in said(folder, "centre does not take this")]


async def test_an_expired_certificate_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    port = free_port()
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    with Ancestor() as ancestor:
        async with CountingField() as field:
            path = counting_gateway(
                tmp_path, field.port, {"url": f"https://127.0.0.1:{port}", "ca_file": "authority.pem"}
            )
            expired = FakeCentre(port, tls=authority.certificate("expired", days=-1))
            with ended(ancestor.live(path)) as life:
                async with expired:
                    await until(lambda: field.answered(1) > AWAY_READS)
                assert expired.batches == {}
                async with FakeCentre(port, tls=authority.certificate("renewed", days=3)) as centre:
                    await until(lambda: len(centre.batches) > AWAY_READS / 4)
                    await drained(path)
                    await asyncio.to_thread(life.stop)
                    await carried_over(ancestor, path, centre, field)
                    check_numbers(centre)
                    assert check_every_answer(centre, field) > AWAY_READS
    assert any("certificate has expired" in reason for reason in _reasons(tmp_path)), _reasons(tmp_path)


async def test_names_are_gone_and_nothing_is_lost(tmp_path: Path) -> None:
    save(tmp_path / "state", Credentials(gateway="gw-test", token=TOKEN))
    gone = tmp_path / "names-are-gone"
    with Ancestor() as ancestor:
        async with CountingField() as field, FakeCentre() as centre:
            path = counting_gateway(tmp_path, field.port, f"http://centre.test:{centre.port}")
            gone.touch()
            with ended(ancestor.live(path, names=gone)) as life:
                await until(lambda: field.answered(1) > AWAY_READS)
                assert centre.batches == {}
                gone.unlink()
                await until(lambda: len(centre.batches) > AWAY_READS / 4)
                await drained(path)
                await asyncio.to_thread(life.stop)
            await carried_over(ancestor, path, centre, field, names=gone)
            check_numbers(centre)
            assert check_every_answer(centre, field) > AWAY_READS
    assert any("name resolution" in reason for reason in _reasons(tmp_path)), _reasons(tmp_path)
