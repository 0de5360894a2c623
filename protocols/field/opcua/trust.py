"""Which servers a person trusts, one by one or by their authority, and what was seen where.

    pki_dir/trusted/FINGERPRINT.der    trusted by a person's word
    pki_dir/rejected/FINGERPRINT.der   shown by a server, and refused until a person says otherwise
    pki_dir/seen.json                  url → the certificate that was accepted there last, or refused

Nothing is ever trusted by itself, not even at the first connect; moving the file is the person's word, by
`citynerve-edge opcua trust` or by hand. Authorities, whose servers need no word of their own: `authorities`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography import x509

from protocols.errors import ConnectionLost, Rejected
from protocols.field.opcua.authorities import LEAST, Authorities, misnamed
from protocols.field.opcua.certificates import Shown, der, fingerprint, moment, show
from protocols.field.opcua.own import write_private
from protocols.model.quality import Quality

MOST_REJECTED: Final = 64
"""Certificates that are kept for a person to look at; a server that makes new ones must not fill a disk."""
Verdict = Literal["trusted", "rejected"]


class Seen(msgspec.Struct, kw_only=True):
    """By url: the fingerprint that was accepted last, and the one that was refused last."""

    accepted: dict[str, str] = {}
    refused: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate of the list; `urls` is where it was shown."""

    verdict: Verdict
    certificate: Shown
    urls: tuple[str, ...]
    changed: bool
    """Whether it came in place of another one that was trusted."""


class TrustList:
    """The list in one folder. Small files, read anew each time: a person may change them meanwhile."""

    def __init__(self, pki_dir: Path) -> None:
        self._folder = pki_dir
        self._seen_file = pki_dir / "seen.json"

    def judge(
        self,
        url: str,
        chain: Sequence[x509.Certificate],
        now_us: int,
        *,
        uri: str = "",
        accept_expired: bool = False,
    ) -> None:
        """Return where this server is trusted; else keep its certificate for a person. Raises ConnectionLost.

        `chain`: its own certificate, and those that it sent along. `uri`: what the server calls itself.
        """
        certificate, own, seen = chain[0], show(chain[0]), self._seen()
        try:
            authority = Authorities(self._folder).vouches(chain, now_us)
        except ConnectionLost as error:
            raise ConnectionLost(f"OPC UA {url}: {error}", error.quality) from error
        if not self._path("trusted", own.fingerprint).is_file():
            objection = _objection(url, certificate, authority, uri, seen.accepted.get(url))
            if objection is not None:
                self._refuse(url, certificate, own.fingerprint, seen)
                raise objection
        outside = moment(certificate, now_us)
        if outside and not accept_expired:
            raise ConnectionLost(
                f"OPC UA {url}: the server's certificate {outside} ({own.in_words()}); renew it "
                "at the server, check the clocks of both, or write `accept_expired: true`",
                Quality.BAD_CERTIFICATE_TIME_INVALID,
            )
        if seen.accepted.get(url) != own.fingerprint or url in seen.refused:
            seen.accepted[url] = own.fingerprint
            seen.refused.pop(url, None)
            self._note(seen)

    def entries(self) -> list[Entry]:
        """Return all certificates, refused ones first; files that hold no certificate are left out."""
        seen = self._seen()
        found = []
        verdicts: tuple[Verdict, ...] = ("rejected", "trusted")
        for verdict in verdicts:
            urls = seen.refused if verdict == "rejected" else seen.accepted
            for _, certificate in self._files(verdict):
                mark = certificate.fingerprint
                where = tuple(sorted(url for url, one in urls.items() if one == mark))
                changed = verdict == "rejected" and any(url in seen.accepted for url in where)
                found.append(Entry(verdict, certificate, where, changed))
        return found

    def trust(self, mark: str) -> Shown:
        """Trust a refused certificate, named by its fingerprint or the beginning of it. Raises Rejected."""
        return self._move(mark, "rejected", "trusted")

    def distrust(self, mark: str) -> Shown:
        """Take the trust away from a certificate or an authority again. Raises Rejected."""
        forgotten = Authorities(self._folder).forget(_plain(mark))
        return forgotten or self._move(mark, "trusted", "rejected")

    def _refuse(self, url: str, certificate: x509.Certificate, mark: str, seen: Seen) -> None:
        try:
            if not self._path("rejected", mark).is_file():
                write_private(self._path("rejected", mark), der(certificate))
                self._drop_oldest()
            if seen.refused.get(url) != mark:
                seen.refused[url] = mark
                self._note(seen)
        except OSError as error:
            raise self._unwritable(error) from error

    def _drop_oldest(self) -> None:
        files = sorted((self._folder / "rejected").glob("*.der"), key=lambda path: path.stat().st_mtime)
        for path in files[:-MOST_REJECTED]:
            path.unlink(missing_ok=True)

    def _move(self, mark: str, origin: Verdict, target: Verdict) -> Shown:
        wanted = _plain(mark)
        found = [(path, one) for path, one in self._files(origin) if one.fingerprint.startswith(wanted)]
        if len(wanted) < LEAST or len(found) != 1:
            known = ", ".join(one.fingerprint[:16] for _, one in self._files(origin)) or "none"
            problem = "fits several certificates" if len(found) > 1 else "names no certificate"
            raise Rejected(
                "fingerprint",
                f"{mark!r} {problem} among those {origin} in {self._folder}; give {LEAST} digits or more "
                f"of one of: {known}",
            )
        path, one = found[0]
        try:
            aim = self._path(target, one.fingerprint)
            aim.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.replace(aim)
        except OSError as error:
            raise Rejected(
                "cannot-write", f"{path}: {error.strerror}; run this as the gateway's user"
            ) from error
        return one

    def _files(self, verdict: Verdict) -> Iterator[tuple[Path, Shown]]:
        for path in sorted((self._folder / verdict).glob("*.der")):
            try:
                data = path.read_bytes()
                one = show(x509.load_der_x509_certificate(data))
            except (OSError, ValueError):
                continue
            if path.stem == fingerprint(data):
                yield path, one

    def _path(self, verdict: Verdict, mark: str) -> Path:
        return self._folder / verdict / f"{mark}.der"

    def _seen(self) -> Seen:
        try:
            return msgspec.json.decode(self._seen_file.read_bytes(), type=Seen)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            # It only says what changed; without it every refusal reads like the first one.
            return Seen()

    def _note(self, seen: Seen) -> None:
        try:
            write_private(self._seen_file, msgspec.json.encode(seen))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ConnectionLost:
        return ConnectionLost(
            f"the trust list in {self._folder} cannot be written: {error.strerror}; "
            "give the gateway's user the right to write there",
            Quality.BAD_CONFIGURATION_ERROR,
        )


def _objection(
    url: str, certificate: x509.Certificate, authority: x509.Certificate | None, uri: str, before: str | None
) -> ConnectionLost | None:
    """Return why a certificate that nobody trusted by itself is refused; None where its authority vouches."""
    own, wrong = show(certificate), misnamed(certificate, url, uri)
    if authority is None:
        also = "" if wrong is None else f". Its names do not fit either: {wrong.why}"
        return ConnectionLost(f"{_stranger(url, own, before)}{also}", Quality.BAD_CERTIFICATE_UNTRUSTED)
    if wrong is None:
        return None
    return ConnectionLost(
        f"OPC UA {url}: the server's certificate comes from {show(authority).subject}, which is trusted, but "
        f"{wrong.why}. Or trust it alone: {own.in_words()}, {_say(own)}",
        wrong.code,
    )


def _stranger(url: str, own: Shown, before: str | None) -> str:
    if before is None or before == own.fingerprint:
        return (
            f"OPC UA {url}: nobody has trusted the server's certificate yet: {own.in_words()}; "
            f"compare it with what the server itself shows, then {_say(own)}"
        )
    return (
        f"OPC UA {url}: THE SERVER'S CERTIFICATE HAS CHANGED: it was SHA-256 {before}, now it is "
        f"{own.in_words()}; somebody may be standing in between. Ask the server's keeper whether it was "
        f"renewed; only then {_say(own)}"
    )


def _plain(mark: str) -> str:
    """Return the digits of a fingerprint, however a person writes it."""
    return mark.lower().replace(":", "").replace(" ", "").removeprefix("sha256")


def _say(own: Shown) -> str:
    return f"`citynerve-edge opcua trust FILE {own.fingerprint[:16]}`"
