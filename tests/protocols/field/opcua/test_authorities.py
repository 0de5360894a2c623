"""Trust by authority: whom it covers, whom it does not, and what each refusal tells to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from asyncua.crypto.cert_gen import generate_private_key
from cryptography import x509

from protocols.errors import ConnectionLost, Rejected
from protocols.field.opcua.authorities import Authorities
from protocols.field.opcua.certificates import chain, der, fingerprint
from protocols.field.opcua.own import own
from protocols.field.opcua.trust import TrustList
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from tests.protocols.field.devices import listening
from tests.protocols.field.opcua.authority import DAY, NOW, URI, Authority
from tests.protocols.field.opcua.harness import OpcUaServer
from tests.protocols.field.opcua.test_security import made, refused

URL = "opc.tcp://127.0.0.1:4840/"


@pytest.fixture(scope="module")
def works() -> Authority:
    return Authority()


@pytest.fixture
def pki(tmp_path: Path, works: Authority) -> Path:
    Authorities(tmp_path).take(works.pem(), now_us())
    return tmp_path


def judged(pki: Path, *shown: x509.Certificate, url: str = URL, uri: str = URI) -> tuple[int, str]:
    """Return the refusal's status and words; 0 where the server is trusted."""
    try:
        TrustList(pki).judge(url, shown, now_us(), uri=uri)
    except ConnectionLost as error:
        return error.quality, str(error)
    return 0, ""


def test_who_is_signed_by_a_trusted_authority_is_trusted(pki: Path, works: Authority) -> None:
    assert judged(pki, works.server()) == (0, "")
    code, why = judged(pki, Authority("works").server())
    assert code == Quality.BAD_CERTIFICATE_UNTRUSTED, "the same name, and another key"
    assert "HAS CHANGED" in why
    between = Authority("line 3", above=works)
    assert judged(pki, between.server(), between.certificate) == (0, "")
    assert judged(pki, between.server())[0] == Quality.BAD_CERTIFICATE_UNTRUSTED, "it did not send its chain"


def test_what_is_no_authority_vouches_for_nobody(pki: Path, works: Authority) -> None:
    false = Authority("plc")
    false.certificate = works.server()  # signed by the authority, but a server's
    assert judged(pki, false.server(), false.certificate)[0] == Quality.BAD_CERTIFICATE_UNTRUSTED
    ended = Authority("old", ends=-DAY)
    (pki / "authorities" / "old.der").write_bytes(der(ended.certificate))
    (pki / "authorities" / "torn.der").write_bytes(b"0\x82")
    assert judged(pki, ended.server())[0] == Quality.BAD_CERTIFICATE_UNTRUSTED
    for data, said in (
        (der(works.server()), "is no authority"),
        (ended.pem(), "has ended on"),
        (b"hello", "neither a certificate nor a revocation list"),
        (Authority("z").revokes([]), "give that authority's certificate first"),
    ):
        with pytest.raises(Rejected, match=said):
            Authorities(pki).take(data, now_us())


def test_its_word_counts_for_the_names_in_the_certificate(pki: Path, works: Authority) -> None:
    code, why = judged(pki, works.server(host="192.0.2.7"))
    assert code == Quality.BAD_CERTIFICATE_HOST_NAME_INVALID
    assert "issued for the host 192.0.2.7, and the url says 127.0.0.1" in why
    other = works.server(uri="urn:other")
    code, why = judged(pki, other)
    assert code == Quality.BAD_CERTIFICATE_URI_INVALID
    assert "urn:other" in why
    assert "opcua trust FILE" in why
    # A person may still trust that one alone; and a stranger's wrong names are told to him.
    TrustList(pki).trust(fingerprint(der(other)))
    assert judged(pki, other) == (0, "")
    assert "names do not fit" in judged(pki, Authority("x").server(uri="urn:other"))[1]


def test_dates_are_told_with_what_to_compare(pki: Path, works: Authority) -> None:
    code, why = judged(pki, works.server(begins=DAY, ends=2 * DAY))
    assert code == Quality.BAD_CERTIFICATE_TIME_INVALID
    assert "is valid only from" in why
    assert "and here it is" in why
    assert "has ended on" in judged(pki, works.server(begins=-2 * DAY, ends=-DAY))[1]


def test_what_is_revoked_is_refused_whoever_trusted_it(pki: Path, works: Authority) -> None:
    lost, kept = works.server(), works.server()
    folder = pki / "trusted"
    folder.mkdir()
    (folder / f"{fingerprint(der(lost))}.der").write_bytes(der(lost))
    assert judged(pki, lost) == (0, "")
    taken = Authorities(pki).take(works.revokes([lost]), now_us())
    assert (taken.kind, taken.detail.split(",")[0]) == ("revocations", "1 revoked")
    code, why = judged(pki, lost)
    assert code == Quality.BAD_CERTIFICATE_REVOKED
    assert "was REVOKED by CN=works" in why
    assert judged(pki, kept) == (0, "")
    with pytest.raises(Rejected, match="a newer one of"):
        Authorities(pki).take(works.revokes([], of=NOW - DAY), now_us())
    assert judged(pki, lost)[0] == Quality.BAD_CERTIFICATE_REVOKED
    # An authority below it may be revoked as well.
    between = Authority("line 4", above=works)
    Authorities(pki).take(works.revokes([between.certificate], of=NOW + DAY), now_us())
    assert judged(pki, between.server(), between.certificate)[0] == Quality.BAD_CERTIFICATE_REVOKED


def test_a_chain_is_read_as_servers_send_it(works: Authority) -> None:
    one = works.server()
    assert chain(der(one) + der(works.certificate)) == [one, works.certificate]
    assert chain(der(one) + b"\x01\x02") == [one]
    for broken in (b"", der(one)[:-1]):
        with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
            chain(broken)


async def test_a_renewed_certificate_of_the_authority_goes_on_by_itself(
    opcua_server: OpcUaServer, works: Authority, pki: Path
) -> None:
    own(pki, now_us())
    key = generate_private_key()

    async def show(certificate: x509.Certificate) -> None:
        await opcua_server.show_certificate(certificate, key)
        for transport in tuple(opcua_server.server.iserver.asyncio_transports):
            transport.abort()
        # As a server that restarts: it keeps no subscription of those who are gone.
        service = opcua_server.server.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))

    first, second = works.server(key=key), works.server(key=key)
    secured = {"security_policy": "Basic256Sha256"}
    try:
        await asyncio.to_thread(opcua_server.run, show(first))
        async with listening(made(opcua_server, pki, **secured)) as heard:
            await heard.until(lambda h: h.last().get(0, (0.0, 1))[1] == Quality.GOOD, 60)
            await asyncio.to_thread(opcua_server.run, show(second))
            async with asyncio.timeout(60):
                with pytest.raises(ConnectionLost):
                    await heard.task
            assert heard.last()[0][1] == Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
        async with listening(made(opcua_server, pki, **secured)) as heard:
            await heard.until(lambda h: h.last().get(0, (0.0, 1))[1] == Quality.GOOD, 60)
        Authorities(pki).take(works.revokes([second]), now_us())
        assert "REVOKED" in str(await refused(made(opcua_server, pki, **secured)))
    finally:
        await asyncio.to_thread(opcua_server.run, opcua_server.renew_certificate())


def test_the_trust_in_an_authority_is_taken_away_again(pki: Path, works: Authority) -> None:
    ((shown, listed),) = Authorities(pki).shown()
    assert (shown.subject, listed) == ("CN=works", "")
    assert TrustList(pki).distrust(shown.fingerprint[:8]) == shown
    assert judged(pki, works.server())[0] == Quality.BAD_CERTIFICATE_UNTRUSTED
    assert Authorities(pki).shown() == []
