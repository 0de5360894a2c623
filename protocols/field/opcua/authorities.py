"""Authorities that a person trusts with all the servers they sign, and the lists of what they revoked.

    pki_dir/authorities/FINGERPRINT.der   trusted by a person's word: its servers need none of their own
    pki_dir/revoked/FINGERPRINT.crl       the newest list of that authority

A chain is followed by names and signatures (RFC 5280, 6.1; OPC 10000-4, 6.1.3) from a server's certificate
over those that it sent along to an authority that is trusted. An authority signs for many servers, so that
its word counts for the host and the ApplicationUri that the certificate names, and for no other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.errors import ConnectionLost, Rejected
from protocols.field.opcua.certificates import Shown, der, fingerprint, moment, show
from protocols.field.opcua.own import write_private
from protocols.model.clock import to_datetime
from protocols.model.quality import Quality

_LONGEST: Final = 5
"""Certificates from a server to its authority."""
LEAST: Final = 8
"""Digits that name a certificate."""
MOST_BYTES: Final = 4_000_000
"""A revocation list of a large authority; a person may choose any file."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file that a person gave was: an authority, or the list of one; `subject` names the authority."""

    kind: str
    subject: str
    fingerprint: str
    detail: str


class Authorities:
    """The authorities of one folder. Small files, read anew each time: a person may change them meanwhile."""

    def __init__(self, pki_dir: Path) -> None:
        self._folder, self._lists = pki_dir / "authorities", pki_dir / "revoked"

    def all(self) -> list[x509.Certificate]:
        """Return the trusted authorities; files that hold none are left out."""
        found = []
        for path in sorted(self._folder.glob("*.der")):
            try:
                found.append(x509.load_der_x509_certificate(path.read_bytes()))
            except (OSError, ValueError):
                continue
        return found

    def shown(self) -> list[tuple[Shown, str]]:
        """Return each authority as a person sees it, with its revocation list in words, "" without one."""
        return [
            (show(one), "" if (revoked := self.listed(one)) is None else in_words(revoked))
            for one in self.all()
        ]

    def take(self, data: bytes, now_us: int) -> Taken:
        """Trust the authority of a file in PEM or DER, or take its revocation list. Raises Rejected."""
        if len(data) > MOST_BYTES:
            raise _no(f"it is larger than {MOST_BYTES} bytes")
        revoked = _crl(data)
        try:
            if revoked is not None:
                return self._take_list(revoked)
            pem = b"-----BEGIN" in data
            given = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        except ValueError as error:
            raise _no("it holds neither a certificate nor a revocation list in PEM or DER") from error
        if not _is_authority(given):
            raise _no(
                f"{show(given).subject} is no authority (basicConstraints CA is not set): a server's own "
                "certificate is trusted by its fingerprint, where the server shows it"
            )
        if moment(given, now_us):
            raise _no(f"the authority {moment(given, now_us)}")
        mark = fingerprint(der(given))
        self._write(self._folder / f"{mark}.der", der(given))
        return Taken("authority", show(given).subject, mark, show(given).in_words())

    def forget(self, mark: str) -> Shown | None:
        """Trust the authority of this fingerprint, or its beginning, no more; None where none is meant."""
        found = [one for one in self.all() if len(mark) >= LEAST and fingerprint(der(one)).startswith(mark)]
        if len(found) != 1:
            return None
        shown = show(found[0])
        try:
            (self._folder / f"{shown.fingerprint}.der").unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        return shown

    def vouches(self, chain: Sequence[x509.Certificate], now_us: int) -> x509.Certificate | None:
        """Return the trusted authority that a chain, the server's own certificate first, leads to.

        Raises ConnectionLost where one of the chain is revoked, whoever trusts it.
        """
        trusted, path = self.all(), [chain[0]]
        while len(path) < _LONGEST:
            here = path[-1]
            anchor = _signer(here, trusted, now_us, len(path) - 1)
            above = anchor or _signer(here, chain[1:], now_us, len(path) - 1)
            if above is None or above in path:
                return None
            self._not_revoked(here, above, now_us)
            if anchor is not None:
                return anchor
            path.append(above)
        return None

    def listed(self, authority: x509.Certificate) -> x509.CertificateRevocationList | None:
        """Return the revocation list of an authority, where a person gave one that it signed."""
        for found in self._crls():
            if found.issuer == authority.subject and _signed(found, authority):
                return found
        return None

    def _not_revoked(self, one: x509.Certificate, by: x509.Certificate, now_us: int) -> None:
        revoked = self.listed(by)
        entry = (
            None if revoked is None else revoked.get_revoked_certificate_by_serial_number(one.serial_number)
        )
        if entry is not None and entry.revocation_date_utc <= to_datetime(now_us):
            raise ConnectionLost(
                f"the certificate {show(one).in_words()} was REVOKED by {show(by).subject} on "
                f"{entry.revocation_date_utc:%Y-%m-%d}; let the server have a new one from there",
                Quality.BAD_CERTIFICATE_REVOKED,
            )

    def _take_list(self, given: x509.CertificateRevocationList) -> Taken:
        signer = next(
            (one for one in self.all() if one.subject == given.issuer and _signed(given, one)), None
        )
        if signer is None:
            raise _no(
                f"this revocation list is signed by {given.issuer.rfc4514_string()}, which is no trusted "
                "authority here; give that authority's certificate first"
            )
        mark = fingerprint(der(signer))
        before = self.listed(signer)
        if before is not None and before.last_update_utc > given.last_update_utc:
            raise _no(
                f"this revocation list is of {given.last_update_utc:%Y-%m-%d %H:%M} UTC, and a newer one of "
                f"{before.last_update_utc:%Y-%m-%d %H:%M} UTC is there"
            )
        self._write(self._lists / f"{mark}.crl", given.public_bytes(Encoding.DER))
        return Taken("revocations", show(signer).subject, mark, in_words(given))

    def _crls(self) -> Iterator[x509.CertificateRevocationList]:
        for path in sorted(self._lists.glob("*.crl")):
            try:
                found = _crl(path.read_bytes())
            except OSError:
                continue
            if found is not None:
                yield found

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_private(path, data)
        except OSError as error:
            raise _unwritable(path, error) from error


def in_words(revoked: x509.CertificateRevocationList) -> str:
    """Return how many a list revokes, and of when it is."""
    until = revoked.next_update_utc
    end = f", the next one was promised for {until:%Y-%m-%d} UTC" if until else ""
    return f"{len(revoked)} revoked, of {revoked.last_update_utc:%Y-%m-%d} UTC{end}"


class Misnamed(NamedTuple):
    """What is wrong with a certificate's names and how to repair it, with the status code."""

    why: str
    code: int


def misnamed(certificate: x509.Certificate, url: str, uri: str) -> Misnamed | None:
    """Return what is wrong with a certificate's names; None where they fit.

    `uri` is the ApplicationUri that the server tells of itself, "" where it is not known.
    """
    names = show(certificate)
    host = (urlsplit(url).hostname or "").lower()
    if uri and uri not in names.uris:
        return Misnamed(
            f"it is issued for the application {', '.join(names.uris) or 'of no name'}, and the server calls "
            f"itself {uri}; let it be issued for that URI, or correct the ApplicationUri at the server",
            Quality.BAD_CERTIFICATE_URI_INVALID,
        )
    if _address(host) not in {_address(one.lower()) for one in names.hosts}:
        return Misnamed(
            f"it is issued for the host {', '.join(names.hosts) or 'of no name'}, and the url says {host}; "
            "write the url with a name of the certificate, or let it be issued for this one",
            Quality.BAD_CERTIFICATE_HOST_NAME_INVALID,
        )
    return None


def _address(host: str) -> str:
    """Return an IP address as all write it; names as they are."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _signer(
    one: x509.Certificate, among: Sequence[x509.Certificate], now_us: int, below: int
) -> x509.Certificate | None:
    """Return the authority among some that signed a certificate, with so many authorities below itself."""
    for above in among:
        if above.subject == one.issuer and _is_authority(above, below) and not moment(above, now_us):
            try:
                one.verify_directly_issued_by(above)
            except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
                continue
            return above
    return None


def _is_authority(one: x509.Certificate, below: int = 0) -> bool:
    try:
        basic = one.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    if not basic.ca or (basic.path_length is not None and basic.path_length < below):
        return False
    try:
        return one.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _signed(revoked: x509.CertificateRevocationList, by: x509.Certificate) -> bool:
    key = by.public_key()
    try:
        return revoked.is_signature_valid(key)  # type: ignore[arg-type]
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _crl(data: bytes) -> x509.CertificateRevocationList | None:
    try:
        if b"-----BEGIN X509 CRL" in data:
            return x509.load_pem_x509_crl(data)
        return x509.load_der_x509_crl(data)
    except ValueError:
        return None


def _unwritable(path: Path, error: OSError) -> Rejected:
    return Rejected("cannot-write", f"{path}: {error.strerror}; run this as the gateway's user")


def _no(why: str) -> Rejected:
    return Rejected("no-authority", f"the file was not taken: {why}")
