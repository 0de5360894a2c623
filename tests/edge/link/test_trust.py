"""TLS to a real server: who is believed, what is said of the others, and what needs no restart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import pytest

from edge.link.client import CentreClient, CentreError
from edge.link.credentials import FILE_NAME
from edge.link.enrol import enrol
from edge.link.trust import Trust
from protocols.errors import Rejected
from protocols.wire.handshake import Enrolment
from tests.edge.centre import CODE, FakeCentre
from tests.edge.link.authority import Authority, ServerFiles

DAY = dt.timedelta(days=1)
Shown = Callable[[Authority], ServerFiles]


def speaking(files: ServerFiles, port: int = 0) -> FakeCentre:
    """A centre with that certificate."""
    return FakeCentre(port, tls=(files.cert_file, files.key_file))


async def ask(client: CentreClient) -> None:
    """Spend a code: the one thing that needs no token."""
    await client.enrol(Enrolment(code=CODE, gateway="gw-test", software="test"))


async def refusal(url: str, trust: Trust) -> tuple[str, str]:
    """Return the code and the sentence with which a centre is not believed."""
    async with CentreClient(url, trust) as client:
        with pytest.raises(CentreError) as caught:
            await ask(client)
    assert caught.value.status == 0
    return caught.value.code, str(caught.value)


async def test_the_operators_authority_is_believed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.server()
    async with speaking(files) as centre:
        for trust in (
            Trust(authority.pem),
            Trust(authority.pem, authority.pin),
            Trust(authority.pem, files.pin),
            Trust(None, files.pin),
        ):
            async with CentreClient(centre.url, trust) as client:
                await ask(client)


@pytest.mark.parametrize(
    ("shown", "code", "words"),
    [
        (lambda authority: authority.server(ends=-DAY / 2), "certificate-expired", "renew it at the centre"),
        (lambda authority: authority.server(begins=DAY / 2), "certificate-not-yet-valid", "clock says"),
        (lambda authority: authority.server(address="127.0.0.9"), "wrong-host", "centre.url"),
    ],
)
async def test_a_certificate_that_is_not_right_is_named(
    tmp_path: Path, shown: Shown, code: str, words: str
) -> None:
    authority = Authority(tmp_path)
    async with speaking(shown(authority)) as centre:
        found, sentence = await refusal(centre.url, Trust(authority.pem))
        assert found == code
        assert words in sentence
        assert centre.url in sentence


@pytest.mark.parametrize(("begins", "ends", "code"), [(-2, -1, "expired"), (1, 2, "not-yet-valid")])
async def test_a_pinned_key_does_not_excuse_its_dates(
    tmp_path: Path, begins: int, ends: int, code: str
) -> None:
    files = Authority(tmp_path).server(begins=begins * DAY, ends=ends * DAY)
    async with speaking(files) as centre:
        found, _ = await refusal(centre.url, Trust(None, files.pin))
    assert found == f"certificate-{code}"


async def test_other_authorities_and_keys_are_not_believed(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    both = tmp_path / "both.pem"
    both.write_bytes(ours.pem.read_bytes() + theirs.pem.read_bytes())
    good, bad = ours.server(), theirs.server()
    async with speaking(bad) as centre:
        found = [
            await refusal(centre.url, Trust()),
            await refusal(centre.url, Trust(ours.pem)),
            # Both are in the file, and the pin takes one of them.
            await refusal(centre.url, Trust(both, ours.pin)),
            await refusal(centre.url, Trust(both, good.pin)),
            await refusal(centre.url, Trust(None, good.pin)),
        ]
    assert [code for code, _ in found] == ["unknown-authority"] * 3 + ["pin-mismatch"] * 2
    assert "centre.ca_file" in found[0][1]
    assert bad.pin in found[4][1]
    assert good.pin in found[4][1]


async def test_nothing_is_said_to_a_centre_that_is_not_believed(tmp_path: Path) -> None:
    files = Authority(tmp_path).server()
    async with speaking(files) as centre:
        with pytest.raises(CentreError):
            await enrol(centre.url, None, "gw-test", CODE, tmp_path, "sha256:" + "0" * 64)
        assert not (tmp_path / FILE_NAME).exists()
        assert not centre.problems
        await enrol(centre.url, None, "gw-test", CODE, tmp_path, files.pin)
    assert (tmp_path / FILE_NAME).exists()


async def test_a_renewed_certificate_needs_no_restart(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first = authority.server()
    pinned = Trust(None, first.pin)
    centre = speaking(first)
    async with centre:
        port = centre.port
        clients = [CentreClient(centre.url, Trust(authority.pem)), CentreClient(centre.url, pinned)]
        for client in clients:
            await ask(client)
    renewed = authority.server(key=first.key)
    assert renewed.cert_file != first.cert_file
    async with speaking(renewed, port):
        for client in clients:
            await ask(client)
            await client.__aexit__(None, None, None)


async def test_another_authority_on_disk_is_read_without_a_restart(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    file = tmp_path / "ca.pem"
    copyfile(theirs.pem, file)
    async with speaking(ours.server()) as centre, CentreClient(centre.url, Trust(file)) as client:
        with pytest.raises(CentreError, match=r"centre\.ca_file"):
            await ask(client)
        copyfile(ours.pem, file)
        await ask(client)
        # A file that is broken in the middle of a copy takes nothing away that worked.
        file.write_text("-----BEGIN", encoding="ascii")
        await ask(client)
        # An authority that was taken out is not believed any more, on connections of old neither.
        copyfile(theirs.pem, file)
        with pytest.raises(CentreError, match=r"centre\.ca_file"):
            await ask(client)


async def test_a_file_without_authorities_is_a_reason_not_an_end(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing", encoding="ascii")
    for pin in (None, "sha256:" + "0" * 64):
        with pytest.raises(Rejected, match=r"ca\.pem"):
            Trust(empty, pin).context()
        code, sentence = await refusal("https://127.0.0.1:1", Trust(empty, pin))
        assert code == "ca-file"
        assert "ca.pem" in sentence


async def test_names_and_ports_that_are_wrong_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    code, sentence = await refusal("https://centre.invalid:443", Trust(authority.pem))
    assert (code, "centre.invalid" in sentence) == ("unknown-name", True)
    async with FakeCentre() as plain:
        url = plain.url.replace("http:", "https:")
        code, sentence = await refusal(url, Trust(authority.pem))
    assert code == "tls"
    assert "HTTPS" in sentence
