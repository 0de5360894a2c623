"""Mosquitto, the broker that the field uses most, as a process of its own: MQTT 3.1.1 and 5, TLS, passwords.

From Debian's package (200 kB of programs); aedes of npm weighs 30 MB with what it needs, and speaks no
MQTT 5. Where it is not installed its tests are skipped; .ci/run installs it.
"""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.protocols.field.proxy import ports

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
PASSWORDS = shutil.which("mosquitto_passwd")
USER, PASSWORD = "gateway", "correct horse"


class Mosquitto:
    """Four listeners: anonymous, with a password, TLS, and TLS that asks for a client certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain, self.signed, self.tls, self.mutual = ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        self.city, self.other = Authority("test city CA"), Authority("another CA")
        (folder / "ca.pem").write_bytes(self.city.pem)
        (folder / "other.pem").write_bytes(self.other.pem)
        (folder / "key-password").write_text("opens\n")
        for name in ("server", "client"):
            self.city.issue(folder, name)
        subprocess.run([str(PASSWORDS), "-c", "-b", str(folder / "passwords"), USER, PASSWORD], check=True)
        server = f"certfile {folder}/server.pem\nkeyfile {folder}/server.key\ncafile {folder}/ca.pem\n"
        (folder / "mosquitto.conf").write_text(
            "user root\nper_listener_settings true\nlog_dest none\n"
            f"persistence true\npersistence_location {folder}/\n"
            f"listener {self.plain} 127.0.0.1\nallow_anonymous true\n"
            f"listener {self.signed} 127.0.0.1\nallow_anonymous false\npassword_file {folder}/passwords\n"
            f"listener {self.tls} 127.0.0.1\nallow_anonymous true\n{server}"
            f"listener {self.mutual} 127.0.0.1\nallow_anonymous true\n{server}require_certificate true\n"
        )

    def start(self) -> None:
        """Start, and wait until it listens."""
        import socket  # noqa: PLC0415

        self._process = subprocess.Popen([str(PROGRAM), "-c", str(self.folder / "mosquitto.conf")])
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            assert self._process.poll() is None, "mosquitto ended"
            try:
                socket.create_connection(("127.0.0.1", self.mutual), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("mosquitto does not listen")

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop it in order: it writes down its sessions."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return a driver's settings for MQTT 5."""
        return {"host": "127.0.0.1", "port": self.plain, "version": "5", **more}


class Authority:
    """Signs certificates, each with a key and a serial number of its own."""

    def __init__(self, name: str) -> None:
        self._certificate, self._key = _certificate(name, None, None)
        self.pem = _pem(self._certificate)

    def issue(self, folder: Path, name: str) -> None:
        """Write NAME.pem and NAME.key; that of a client is locked."""
        made, key = _certificate(name, self._certificate, self._key)
        secret = serialization.BestAvailableEncryption(b"opens") if name == "client" else None
        (folder / f"{name}.pem").write_bytes(_pem(made))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                secret or serialization.NoEncryption(),
            )
        )


def _certificate(
    name: str, issuer: x509.Certificate | None, issuer_key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
