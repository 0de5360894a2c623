"""Whom a gateway takes for its centre: a certificate of the right authority, or one with the right key.

    ca_file        pin                    what is believed
    ─────────────────────────────────────────────────────────────────────────────────────────────────────
    none           none                   the system's authorities, the name in the URL
    given          none                   the authorities in the file, the name in the URL
    given          of one of them         that authority alone, the name in the URL
    any            of the server's key    with a file: its authorities, the name, and this key;
                                          without: this key alone, whoever signed it, while it is valid

A pin is the SHA-256 of a public key (SubjectPublicKeyInfo, as in RFC 7469 clause 2.4): it outlives a
certificate that is renewed with the same key.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from protocols.errors import Rejected
from protocols.model.clock import Clock, now_us, to_datetime

if TYPE_CHECKING:
    from cryptography import x509

PIN: Final = re.compile(r"^sha256:[0-9a-f]{64}\Z")
Stamp = tuple[int, int, int]

_EXPIRED: Final = 10
_NOT_YET: Final = 9
_WRONG_HOST: Final = frozenset({62, 64})
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21, 24, 27})
"""Numbers of OpenSSL's X509_V_ERR_*, as `ssl.SSLCertVerificationError.verify_code` gives them."""


class UntrustedKey(ssl.SSLError):
    """The server's certificate is not the one that the pin names, or not valid now; `code` says which."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(1, message)


class Trust:
    """Makes TLS contexts for one centre. `stamp` changes when the authorities' file does."""

    def __init__(self, ca_file: Path | None = None, pin: str | None = None, clock: Clock = now_us) -> None:
        self._ca_file = ca_file
        self._pin = pin
        self._clock = clock

    def stamp(self) -> Stamp | None:
        """Return what tells one content of the file from the next; None without a file."""
        if self._ca_file is None:
            return None
        try:
            status = self._ca_file.stat()
        except OSError:
            return 0, 0, 0
        return status.st_mtime_ns, status.st_ino, status.st_size

    def context(self) -> ssl.SSLContext:
        """Build the trust as the files are now. Raises Rejected(`ca-file`) where they cannot be used."""
        if self._pin is None:
            return self._of_file()
        if self._ca_file is not None:
            pinned = [found for found in self._authorities() if pin_of(found) == self._pin]
            if pinned:
                text = "".join(ssl.DER_cert_to_PEM_cert(_der(found)) for found in pinned)
                context = ssl.create_default_context(cadata=text)
                # It is believed by itself, also where it is not the root of the operator's authorities.
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
                return context
        keyed = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
        if self._ca_file is None:
            # The key is the identity then: no authority and no name can add to it.
            keyed.check_hostname = False
            keyed.verify_mode = ssl.CERT_NONE
        else:
            keyed.load_verify_locations(cafile=str(self._ca_file))
        keyed.judge = self._judge
        keyed.sslobject_class = _PinnedObject
        return keyed

    def _of_file(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))
        except (OSError, ssl.SSLError) as error:
            raise self._unusable(str(error)) from error

    def _authorities(self) -> list[x509.Certificate]:
        assert self._ca_file is not None  # noqa: S101 - asked by the caller
        try:
            found: list[x509.Certificate] = _x509().load_pem_x509_certificates(self._ca_file.read_bytes())
        except (OSError, ValueError) as error:
            raise self._unusable(str(error)) from error
        return found

    def _unusable(self, reason: str) -> Rejected:
        return Rejected(
            "ca-file", f"{self._ca_file} holds no certificate of an authority ({reason}); put its PEM there"
        )

    def _judge(self, der: bytes | None) -> None:
        if der is None:
            raise UntrustedKey("pin-mismatch", "the server showed no certificate")
        certificate = _x509().load_der_x509_certificate(der)
        shown = pin_of(certificate)
        if shown != self._pin:
            raise UntrustedKey(
                "pin-mismatch",
                f"the server's key is {shown}, `centre.pin` is {self._pin}; compare both with the operator: "
                "if the key was changed on purpose, write the new pin (a pin of an authority needs "
                "`centre.ca_file` with its certificate), else somebody stands between",
            )
        now = to_datetime(self._clock())
        if certificate.not_valid_after_utc < now:
            raise UntrustedKey("certificate-expired", _expired(now))
        if certificate.not_valid_before_utc > now:
            raise UntrustedKey("certificate-not-yet-valid", _not_yet(now))


class _Pinned(ssl.SSLContext):
    """A context whose connections show their certificate to `judge` before a byte is sent."""

    judge: Callable[[bytes | None], None]


class _PinnedObject(ssl.SSLObject):
    """See `ssl.SSLContext.sslobject_class`: what asyncio and anyio make of a context."""

    def do_handshake(self) -> None:
        super().do_handshake()
        context = self.context
        assert isinstance(context, _Pinned)  # noqa: S101 - made by it
        context.judge(self.getpeercert(binary_form=True))


def _x509() -> ModuleType:
    """Load what reads certificates: eight megabytes, which only a gateway with a pin shall pay for."""
    from cryptography import x509  # noqa: PLC0415

    return x509


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return certificate.public_bytes(Encoding.DER)


def pin_of(certificate: x509.Certificate) -> str:
    """Return the pin of a certificate's public key: `sha256:` and 64 hexadecimal digits."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(key).hexdigest()}"


def why_unreachable(url: str, error: BaseException, clock: Clock = now_us) -> tuple[str, str]:
    """Return (code, sentence with its repair) for what ended a connection.

    Codes: `certificate-expired`, `certificate-not-yet-valid`, `wrong-host`, `unknown-authority`,
    `pin-mismatch`, `tls`, `unknown-name`, `unreachable`.
    """
    host = urlsplit(url).hostname or url
    now = to_datetime(clock())
    for cause in _causes(error):
        match cause:
            case UntrustedKey():
                return cause.code, f"{url}: {cause.strerror or cause}"
            case ssl.SSLCertVerificationError():
                return _verification(url, host, cause, now)
            case ssl.SSLError():
                reason = cause.reason or str(cause)
                return "tls", f"{url}: no secure connection ({reason}); is this the centre's HTTPS port?"
            case socket.gaierror():
                return (
                    "unknown-name",
                    f"{url}: the name {host!r} cannot be resolved ({cause.strerror}); check the "
                    "gateway's DNS, or give the centre's address as a number",
                )
            case _:
                continue
    return "unreachable", f"{url}: {str(error) or type(error).__name__}"


def _verification(url: str, host: str, error: ssl.SSLCertVerificationError, now: datetime) -> tuple[str, str]:
    number = error.verify_code
    if number == _EXPIRED:
        return "certificate-expired", f"{url}: {_expired(now)}"
    if number == _NOT_YET:
        return "certificate-not-yet-valid", f"{url}: {_not_yet(now)}"
    if number in _WRONG_HOST:
        return (
            "wrong-host",
            f"{url}: the certificate is not for {host!r} ({error.verify_message}); use the name it was made "
            "for in `centre.url`, or add this one to it",
        )
    if number in _UNKNOWN_AUTHORITY:
        return (
            "unknown-authority",
            f"{url}: no authority that this gateway knows signed the certificate ({error.verify_message}); "
            "put the PEM of the operator's authority into `centre.ca_file`",
        )
    return "tls", f"{url}: the certificate cannot be trusted ({error.verify_message})"


def _expired(now: datetime) -> str:
    return (
        "the certificate has expired; renew it at the centre "
        f"(this gateway's clock says {now:%Y-%m-%d %H:%M} UTC)"
    )


def _not_yet(now: datetime) -> str:
    return (
        f"the certificate is not valid yet; this gateway's clock says {now:%Y-%m-%d %H:%M} UTC: set it, "
        "or make a certificate that begins earlier"
    )


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what led to it, the nearest first."""
    found: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in found:
        found.append(here)
        here = here.__cause__ or here.__context__
    return found
