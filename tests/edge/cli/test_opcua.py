"""Trust by a person's word, typed at the gateway, with a secured simulator at the other end of the line."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from cryptography import x509

from edge.audit import entries
from edge.config.load import read_profile
from protocols.field.opcua.certificates import der
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.clock import now_us
from sim_devices.profiles import find_profile
from sim_devices.runner import Settings, simulating
from sim_devices.solo import SoloWorld
from tests.edge.cli.conftest import asked
from tests.edge.cli.test_bundle import unpacked
from tests.edge.house import running, until
from tests.protocols.field.opcua.authority import Authority

PASSWORD = "gatePw-5512xQ"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A simulated gate drive that asks for a user, on a loop of its own; its port."""
    folder = tmp_path_factory.mktemp("sim")
    loop = asyncio.new_event_loop()
    ready, ports = threading.Event(), list[int]()

    async def run() -> None:
        world = SoloWorld(find_profile("city.sluice_gate"), start_us=now_us())
        settings = Settings(opcua_folder=folder, opcua_credentials=("gateway", PASSWORD))
        async with simulating(world, settings) as simulation:
            ports.append(next(iter(simulation.ports.values())))
            ready.set()
            await stopped.wait()

    stopped = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="opcua-simulator")
    thread.start()
    assert ready.wait(120)
    yield ports[0]
    loop.call_soon_threadsafe(stopped.set)
    thread.join(60)
    loop.close()
    assert stat.S_IMODE((folder / "device" / "server.pem").stat().st_mode) == 0o600


def written(folder: Path, port: int, **settings: Any) -> Path:
    """Write a gateway file with one gate on a secured line."""
    (folder / "plc.secret").write_text(PASSWORD + "\n")
    name = {"zh": "闸", "en": "Gate"}
    secured = {
        "security_policy": "Aes256_Sha256_RsaPss",
        "username": "gateway",
        "password_file": "plc.secret",
    }
    data = {
        "gateway": {"id": "gw-test", "name": name},
        "state_dir": "state",
        "page": {"enabled": False},
        "sites": [{"key": "s", "name": name, "kind": "sluice_gate", "lon": 120.0, "lat": 30.0}],
        "connections": [
            {
                "key": "plc",
                "protocol": "opcua",
                "settings": {"url": f"opc.tcp://127.0.0.1:{port}", **secured, **settings},
            }
        ],
        "devices": [
            {"key": "gate", "site": "s", "name": name, "connection": "plc", "profile": "city.sluice_gate",
             "params": {"device": "device"}}
        ],
    }  # fmt: skip
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


def test_from_a_stranger_to_a_value(simulator: int, tmp_path: Path) -> None:
    path = written(tmp_path, simulator)
    assert asked("check", path, folder=tmp_path).returncode == 0
    unknown = asked("point", "read", path, "gate.position", "--direct", folder=tmp_path)
    assert unknown.returncode == 1
    shown = asked("opcua", "servers", path, "--ask", folder=tmp_path)
    assert "rejected  opc.tcp://127.0.0.1" in shown.stdout
    assert "nobody has trusted" in shown.stderr
    (record,) = json.loads(asked("opcua", "servers", path, "--json", folder=tmp_path).stdout)["certificates"]
    assert record["uris"] == ["urn:citynerve:sim:device"]
    assert f"SHA-256  {record['sha256']}" in shown.stdout
    mark = record["sha256"][:12]
    assert asked("opcua", "trust", path, "12345678", folder=tmp_path).returncode == 1
    trusted = asked("opcua", "trust", path, mark, folder=tmp_path)
    assert (trusted.returncode, record["sha256"] in trusted.stdout) == (0, True)
    read = asked("point", "read", path, "gate.position", "--direct", folder=tmp_path)
    assert (read.returncode, "Good" in read.stdout) == (0, True), read.stderr
    scanned = asked(
        "scan",
        "opcua",
        "plc",
        "--gateway",
        path,
        "--find",
        "position",
        "--profile",
        "acme.gate",
        folder=tmp_path,
    )
    assert scanned.returncode == 0, scanned.stderr
    (tmp_path / "acme.gate.yaml").write_text(scanned.stdout)
    profile, document = read_profile(tmp_path / "acme.gate.yaml")
    assert profile is not None, document.mistakes
    assert [OpcUaAddress.of(point).node for point in profile.points] == ["s=device.Position"]
    told = asked("audit", "show", path, folder=tmp_path).stdout
    assert "opcua-trust" in told
    assert asked("opcua", "distrust", path, mark, folder=tmp_path).returncode == 0
    assert asked("point", "read", path, "gate.position", "--direct", folder=tmp_path).returncode == 1
    assert asked("bundle", path, "--out", "b.tar.gz", folder=tmp_path).returncode == 0
    assert not [name for name, text in unpacked(tmp_path / "b.tar.gz").items() if PASSWORD in text]


async def test_on_the_page_a_server_is_trusted_by_a_persons_word(simulator: int, tmp_path: Path) -> None:
    path = written(tmp_path, simulator)
    async with running(path) as gateway:
        session = gateway.house.sessions["plc"]
        await until(lambda: "nobody has trusted" in session.reason)
        transport = httpx2.AsyncHTTPTransport(uds=str(tmp_path / "state" / "control.sock"))
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway", timeout=20) as local:
            (waits,) = (await local.get("/api/certificates/gate")).json()
            assert waits["sha256"] in session.reason
            assert waits["changed"] is False
            for sha256, status in (("0" * 64, 404), (waits["sha256"][:16], 422)):
                refused = await local.post("/api/certificates/gate", json={"sha256": sha256})
                assert refused.status_code == status, refused.text
            assert (await local.get("/api/certificates/nobody")).status_code == 404
            for data, status in ((b"hello", 422), (Authority().pem(), 200)):
                file = {"file": base64.b64encode(data).decode()}
                vouched = await local.post("/api/authorities/gate", json=file)
                assert vouched.status_code == status, vouched.text
            assert (vouched.json()["kind"], vouched.json()["subject"]) == ("authority", "CN=works")
            done = await local.post("/api/certificates/gate", json={"sha256": waits["sha256"]})
            assert done.status_code == 204, done.text
            await until(lambda: session.state == "online")
            assert (await local.get("/api/certificates/gate")).json() == []
        told = [entry for entry in entries(tmp_path / "state", 50) if entry.what == "opcua-trust"]
        assert [(entry.subject, entry.actor[:6]) for entry in told] == [(waits["sha256"], "local:")]


def test_the_own_certificate_is_shown_and_handed_over(tmp_path: Path) -> None:
    path = written(tmp_path, 1)
    shown = asked("opcua", "certificate", path, "--out", "gateway.der", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    certificate = x509.load_der_x509_certificate((tmp_path / "gateway.der").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert f"ApplicationUri {uri}" in shown.stdout
    assert asked("opcua", "servers", path, folder=tmp_path).stderr.startswith("no server has shown")


@pytest.mark.parametrize(
    ("settings", "line", "said"),
    [
        ({"security_policy": "Basic256"}, "security_policy: Basic256", "did you mean 'Basic256Sha256'"),
        ({"user_certificate": "a.pem", "user_key": "b"}, "password_file: plc.secret", "two ways to sign in"),
        ({"certificate": "c.der", "private_key": "k.pem"}, "certificate: c.der", "there is no file"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, settings: dict[str, Any], line: str, said: str
) -> None:
    path = written(tmp_path, 1, **settings)
    answer = asked("check", path, folder=tmp_path)
    at = 1 + next(n for n, text in enumerate(path.read_text().splitlines()) if text.strip() == line)
    assert answer.returncode == 2
    assert f"gateway.yaml:{at}:" in answer.stderr
    assert said in answer.stderr


def test_an_authority_is_trusted_from_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, 4840)
    works = Authority()
    (tmp_path / "ca.pem").write_bytes(works.pem())
    done = asked("opcua", "authority", path, "ca.pem", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "trusted authority: CN=works" in done.stdout
    (pem,) = (tmp_path / "state" / "opcua" / "authorities").iterdir()
    assert pem.read_bytes() == der(works.certificate)
