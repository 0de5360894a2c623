"""Policies, users and trust, against a server that offers them all; a refusal is told in words."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.status_codes import StatusCodes
from cryptography.hazmat.primitives import serialization

from protocols.errors import ConnectionLost, Rejected
from protocols.field.base import Driver
from protocols.field.opcua.certificates import der, fingerprint, read_certificate
from protocols.field.opcua.own import RENEW_DAYS, VALID_DAYS, own
from protocols.field.opcua.trust import MOST_REJECTED, TrustList
from protocols.model.clock import SECOND_US, from_datetime, now_us
from protocols.model.quality import Quality
from tests.protocols.field.devices import Listening, bind, driver, profile
from tests.protocols.field.opcua.harness import OpcUaServer, Users, pair

DAY_US = 86_400 * SECOND_US


def made(server: OpcUaServer, folder: Path, clock: Any = now_us, **settings: Any) -> Driver:
    address = {"namespace": server.NAMESPACE, "node": "s=P1.Level"}
    device = bind(profile("opcua", [{"key": "level", "writable": True, "opcua": address}]), {})
    url = f"opc.tcp://127.0.0.1:{server.port}/"
    return driver("opcua", {"url": url, "pki_dir": str(folder), **settings}, device, clock=clock)


def trusted(server: OpcUaServer, folder: Path) -> None:
    """Do what a person does after a look at the fingerprint."""
    (folder / "trusted").mkdir(parents=True, exist_ok=True)
    data = der(server.certificate)
    (folder / "trusted" / f"{fingerprint(data)}.der").write_bytes(data)


@asynccontextmanager
async def opened(one: Driver) -> AsyncIterator[Driver]:
    try:
        await one.open()
        yield one
    finally:
        await one.close()


async def refused(one: Driver) -> ConnectionLost:
    with pytest.raises(ConnectionLost) as caught:
        async with opened(one):
            pass
    return caught.value


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One own certificate for all: a key takes a while."""
    folder = tmp_path_factory.mktemp("pki")
    own(folder, now_us())
    return folder


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
async def test_every_policy_reads_and_writes(
    opcua_server: OpcUaServer, pki: Path, policy: str, mode: str
) -> None:
    trusted(opcua_server, pki)
    async with opened(made(opcua_server, pki, security_policy=policy, security_mode=mode)) as one:
        heard = Listening(one)
        try:
            await heard.until(lambda h: h.last().get(0, (0.0, 1))[1] == Quality.GOOD, 60)
            assert await one.write(one.devices[0].points[0], 2.5) == 2.5
        finally:
            await heard.stop()


async def test_a_stranger_is_refused_shown_and_trusted_by_a_persons_word(
    opcua_server: OpcUaServer, tmp_path: Path
) -> None:
    secured = {"security_policy": "Basic256Sha256"}
    error = await refused(made(opcua_server, tmp_path, **secured))
    mark = fingerprint(der(opcua_server.certificate))
    assert error.quality == Quality.BAD_CERTIFICATE_UNTRUSTED
    assert mark in str(error)
    assert f"opcua trust FILE {mark[:16]}" in str(error)
    assert "CN=test" in str(error)
    assert "valid 20" in str(error)
    assert not (tmp_path / "own").exists(), "nothing of ours is shown to a stranger"
    known = TrustList(tmp_path)
    (entry,) = known.entries()
    assert (entry.verdict, entry.certificate.fingerprint, entry.changed) == ("rejected", mark, False)
    assert entry.urls == (f"opc.tcp://127.0.0.1:{opcua_server.port}/",)
    with pytest.raises(Rejected, match="8 digits or more"):
        known.trust(mark[:7])
    with pytest.raises(Rejected, match=mark[:16]):
        known.trust("00000000")
    known.trust(mark[:8].upper())
    async with opened(made(opcua_server, tmp_path, **secured)):
        pass
    known.distrust(mark)
    assert (
        await refused(made(opcua_server, tmp_path, **secured))
    ).quality == Quality.BAD_CERTIFICATE_UNTRUSTED


async def test_a_changed_certificate_is_a_loud_error(opcua_server: OpcUaServer, tmp_path: Path) -> None:
    secured = {"security_policy": "Aes256_Sha256_RsaPss"}
    trusted(opcua_server, tmp_path)
    async with opened(made(opcua_server, tmp_path, **secured)):
        pass
    before = fingerprint(der(opcua_server.certificate))
    await asyncio.to_thread(opcua_server.run, opcua_server.renew_certificate())
    error = await refused(made(opcua_server, tmp_path, **secured))
    assert "CERTIFICATE HAS CHANGED" in str(error)
    assert before in str(error)
    assert fingerprint(der(opcua_server.certificate)) in str(error)
    rejected = [entry for entry in TrustList(tmp_path).entries() if entry.verdict == "rejected"]
    assert [entry.changed for entry in rejected] == [True]
    TrustList(tmp_path).trust(rejected[0].certificate.fingerprint)
    async with opened(made(opcua_server, tmp_path, **secured)):
        pass


async def test_a_certificate_outside_its_dates_needs_a_word_of_its_own(
    opcua_server: OpcUaServer, pki: Path
) -> None:
    trusted(opcua_server, pki)
    ends = from_datetime(opcua_server.certificate.not_valid_after_utc)
    late: dict[str, Any] = {"clock": lambda: ends + DAY_US, "security_policy": "Basic256Sha256"}
    error = await refused(made(opcua_server, pki, **late))
    assert error.quality == Quality.BAD_CERTIFICATE_TIME_INVALID
    assert "accept_expired" in str(error)
    async with opened(made(opcua_server, pki, accept_expired=True, **late)):
        pass


async def test_what_the_server_does_not_offer_is_told_with_what_it_does(
    opcua_server: OpcUaServer, pki: Path
) -> None:
    endpoints = opcua_server.server.iserver.endpoints
    kept = list(endpoints)
    endpoints[:] = [one for one in kept if not one.SecurityPolicyUri.endswith("RsaPss")]
    try:
        error = await refused(made(opcua_server, pki, security_policy="Aes256_Sha256_RsaPss"))
    finally:
        endpoints[:] = kept
    assert error.quality == Quality.BAD_SECURITY_POLICY_REJECTED
    assert "Basic256Sha256/SignAndEncrypt" in str(error)
    assert "None/None" in str(error)


@pytest.mark.parametrize("policy", ["None", "Basic256Sha256"])
async def test_a_user_name_signs_in_and_his_password_is_nowhere(
    opcua_server: OpcUaServer, pki: Path, tmp_path: Path, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted(opcua_server, pki)
    secret = tmp_path / "opcua.secret"
    secret.write_text(Users.PASSWORD + "\n")
    user = {"username": Users.NAME, "security_policy": policy}
    opcua_server.users.seen.clear()
    async with opened(made(opcua_server, pki, password_file=str(secret), **user)) as one:
        assert opcua_server.users.seen == [Users.NAME]
        assert Users.PASSWORD not in repr(vars(one))
    monkeypatch.setenv("GATE_PASSWORD", Users.PASSWORD)
    async with opened(made(opcua_server, pki, password_env="GATE_PASSWORD", **user)):
        assert len(opcua_server.users.seen) == 2
    monkeypatch.setenv("GATE_PASSWORD", "wrong-Word-88")
    error = await refused(made(opcua_server, pki, password_env="GATE_PASSWORD", **user))
    assert error.quality == Quality.BAD_USER_ACCESS_DENIED
    assert "check username and password" in str(error)
    assert "wrong-Word-88" not in str(error)
    monkeypatch.delenv("GATE_PASSWORD")
    assert "GATE_PASSWORD" in str(
        await refused(made(opcua_server, pki, password_env="GATE_PASSWORD", **user))
    )


async def test_a_password_is_encrypted_for_nobody_that_no_person_trusts(
    opcua_server: OpcUaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", Users.PASSWORD)
    opcua_server.users.seen.clear()
    settings = {"username": Users.NAME, "password_env": "GATE_PASSWORD"}
    error = await refused(made(opcua_server, tmp_path, **settings))
    assert error.quality == Quality.BAD_CERTIFICATE_UNTRUSTED
    # A server that wants it in clear is told nothing at all, unless a person allowed it.
    await asyncio.to_thread(opcua_server.run, in_clear(opcua_server, True))
    try:
        trusted(opcua_server, tmp_path)
        error = await refused(made(opcua_server, tmp_path, **settings))
        assert error.quality == Quality.BAD_SECURITY_CHECKS_FAILED
        assert "plain_password" in str(error)
        assert opcua_server.users.seen == []
        async with opened(made(opcua_server, tmp_path, plain_password=True, **settings)):
            assert opcua_server.users.seen == [Users.NAME]
    finally:
        await asyncio.to_thread(opcua_server.run, in_clear(opcua_server, False))


async def in_clear(server: OpcUaServer, clear: bool) -> None:
    """Let the endpoint without security ask for passwords in clear, or as it did before."""
    for endpoint in server.server.iserver.endpoints:
        if endpoint.SecurityMode == ua.MessageSecurityMode.None_:
            for token in endpoint.UserIdentityTokens:
                if token.TokenType == ua.UserTokenType.UserName:
                    name = "None" if clear else "Basic256Sha256"
                    token.SecurityPolicyUri = f"http://opcfoundation.org/UA/SecurityPolicy#{name}"


async def test_a_user_certificate_signs_in(opcua_server: OpcUaServer, pki: Path, tmp_path: Path) -> None:
    trusted(opcua_server, pki)
    certificate, key = pair("urn:test:user")
    opcua_server.users.certificates.add(der(certificate))
    opcua_server.users.seen.clear()
    (tmp_path / "user.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "user.key").write_bytes(key)
    user = {"user_certificate": str(tmp_path / "user.pem"), "user_key": str(tmp_path / "user.key")}
    async with opened(made(opcua_server, pki, security_policy="Basic256Sha256", **user)):
        assert opcua_server.users.seen == ["certificate"]


async def test_the_own_certificate_is_private_and_renewed_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four keys, none of which opens a channel: short ones are made in a tenth of the time.
    monkeypatch.setattr("protocols.field.opcua.own.KEY_BITS", 1024)
    start = now_us()
    (first,) = own(tmp_path, start)
    assert own(tmp_path, start + DAY_US)[0].certificate == first.certificate
    for path in (tmp_path / "own").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert first.uri.startswith("urn:")
    assert read_certificate(tmp_path / "own" / "certificate.der", "x") == first.certificate
    later = start + (VALID_DAYS - RENEW_DAYS + 1) * DAY_US
    fresh, before = own(tmp_path, later)
    assert fresh.certificate != first.certificate
    assert before.certificate == first.certificate
    assert fresh.uri == first.uri
    # Its old one ends; a damaged half is no pair.
    (left,) = own(tmp_path, start + (VALID_DAYS + 1) * DAY_US)
    assert left.certificate == fresh.certificate
    (tmp_path / "own" / "key.pem").write_bytes((tmp_path / "own" / "previous.pem").read_bytes())
    assert own(tmp_path, later)[0].certificate != fresh.certificate


async def test_a_server_that_knows_only_the_old_certificate_is_shown_the_old_one(
    opcua_server: OpcUaServer, tmp_path: Path
) -> None:
    trusted(opcua_server, tmp_path)
    (old,) = own(tmp_path, now_us() - (VALID_DAYS - RENEW_DAYS + 1) * DAY_US)
    shown: list[bytes] = []

    async def only_the_old(certificate: Any, _: Any) -> None:
        shown.append(der(certificate))
        if certificate != old.certificate:
            raise ServiceError(StatusCodes.BadCertificateUntrusted)

    opcua_server.server.iserver.certificate_validator = only_the_old
    try:
        async with opened(made(opcua_server, tmp_path, security_policy="Basic256Sha256")):
            assert len(shown) == 2
            assert shown[1] == der(old.certificate)
        for name in ("previous.der", "previous.pem"):
            (tmp_path / "own" / name).unlink()
        error = await refused(made(opcua_server, tmp_path, security_policy="Basic256Sha256"))
    finally:
        opcua_server.server.iserver.certificate_validator = None
    assert error.quality == Quality.BAD_CERTIFICATE_UNTRUSTED
    assert f"{tmp_path}/own/certificate.der" in str(error)


def test_a_server_that_makes_ever_new_certificates_fills_no_disk(tmp_path: Path) -> None:
    certificate, _ = pair("urn:x")
    known = TrustList(tmp_path)
    (tmp_path / "rejected").mkdir()
    for number in range(MOST_REJECTED + 5):
        (tmp_path / "rejected" / f"{number:064x}.der").write_bytes(b"x")
    with pytest.raises(ConnectionLost):
        known.judge("opc.tcp://x", [certificate], now_us())
    assert len(list((tmp_path / "rejected").iterdir())) == MOST_REJECTED
    assert datetime.fromisoformat(known.entries()[0].certificate.not_after.isoformat())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"security_policy": "Basic256"}, "Basic256Sha256"),
        ({"security_mode": "Sign"}, "security_policy"),
        ({"url": "opc.tcp://me:secret@host"}, "password_file"),
        ({"username": "u", "user_certificate": "a", "user_key": "b"}, "two ways"),
        ({"password_env": "X"}, "username"),
        ({"username": "u", "password_env": "X", "password_file": "y"}, "remove one"),
        ({"user_key": "b"}, "go together"),
        ({"certificate": "b"}, "go together"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        driver("opcua", {"url": "opc.tcp://127.0.0.1:1/", **settings})
