"""Certificates for a simulated Modbus/TCP Security device: an authority, the device's own, a gateway's.

Kept in a folder, so that a restarted simulator is the same device; made for tests and benches, never for a
real one: the authority's key is thrown away at once.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ROLE_OID = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
ROLE = "Operator"
"""What the gateway's certificate claims to be (Security v21, 8.1); the simulator enforces no roles."""
FILES = ("ca.pem", "device.pem", "device.key", "gateway.pem", "gateway.key")
_DAYS = 365


def server_context(folder: Path, host: str) -> ssl.SSLContext:
    """Return how the device proves itself, and asks the gateway to (Modbus/TCP Security v21, 7)."""
    make(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "device.pem", folder / "device.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def make(folder: Path, host: str) -> None:
    """Write the files where one is missing: `ca.pem`, `device.*` for `host`, `gateway.*` for the gateway."""
    if all((folder / name).is_file() for name in FILES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    root = ec.generate_private_key(ec.SECP256R1())

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def begun(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("citynerve-sim authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=_DAYS))
        )

    authority = (
        begun("citynerve-sim authority", root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root.public_key()), critical=False)
        .sign(root, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    for who in ("device", "gateway"):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            begun(f"citynerve-sim {who}", key)
            .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False
            )
        )
        if who == "gateway":
            role = bytes((0x0C, len(ROLE))) + ROLE.encode()
            builder = builder.add_extension(x509.UnrecognizedExtension(ROLE_OID, role), critical=False)
        signed = builder.sign(root, hashes.SHA256())
        (folder / f"{who}.pem").write_bytes(signed.public_bytes(Encoding.PEM))
        secret = folder / f"{who}.key"
        secret.touch(mode=0o600)
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
