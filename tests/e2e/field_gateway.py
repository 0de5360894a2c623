"""A real gateway with real devices behind it, as processes, for those who look at its page in a browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx2
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.e2e.browser import note_faults
from tests.e2e.conftest import SLOW_MS
from tests.ports import free_port

PASSWORD = "correct horse battery"
READY_S = 60
PHONE: ViewportSize = {"width": 390, "height": 844}
EXPECTED_ERRORS = re.compile(r"\b(401|422|429)\b|net::ERR_")
"""The browser itself logs refused requests; the page says them in words, and the tests look at those."""
SMALL_TARGETS = """
[...document.querySelectorAll('button, select, a.btn, nav a, textarea, input:not([type=checkbox])')]
  .filter((one) => one.offsetParent !== null)
  .map((one) => [one.dataset.testid ?? one.textContent.trim(), one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 43.5 || box.width < 43.5)
  .map(([name, box]) => `${name} ${box.width}x${box.height}`)
"""
"""Names and sizes of what a thumb would miss: less than 44 pixels high or wide."""
Open = Callable[..., Page]


@dataclass(frozen=True)
class Street:
    """A gateway file, with the ports of its page and its simulators in braces, and these by name."""

    file: str
    simulators: Mapping[str, tuple[str, ...]]


PUMP = Street(
    simulators={"pump": ("city.pump", "--param", "unit=1")},
    file="""\
gateway: {{id: gw-field, name: {{zh: 滨江泵站网关, en: Riverside gateway}}}}
state_dir: state
periods: {{fast: 0.5, normal: 0.5, slow: 1}}
batch: {{seconds: 0.25}}
page: {{port: {page}}}
sites:
  - {{key: ps-riverside, name: {{zh: 滨江泵站, en: Riverside pumping station}}, kind: pumping_station, lon: 118.3, lat: 30.9}}
connections:
  - {{key: line1, protocol: modbus, settings: {{host: 127.0.0.1, port: {pump}}}}}
devices:
  - key: pump1
    site: ps-riverside
    name: {{zh: 一号水泵, en: Pump 1}}
    connection: line1
    profile: city.pump
    params: {{unit: 1}}
    alarms:
      - {{key: warm, point: bearing-temp, kind: hi, limit: 1, priority: P2, name: {{zh: 轴承温度高, en: Bearing warm}}}}
""",  # noqa: E501 - as a technician writes it
)
NEWCOMERS = Street(
    simulators={
        "lamps": ("generic.single_lamp", "--param", "device=lamp-7"),
        "gate": ("city.sluice_gate", "--opcua-pki", "pki"),
    },
    file="""\
gateway: {{id: gw-quay, name: {{zh: 码头网关, en: Quay gateway}}}}
state_dir: state
batch: {{seconds: 0.25}}
page: {{port: {page}}}
sites:
  - {{key: quay, name: {{zh: 码头, en: Quay}}, kind: sluice_gate, lon: 118.3, lat: 30.9}}
connections:
  - {{key: broker, protocol: mqtt, settings: {{host: 127.0.0.1, port: {lamps}}}}}
  - key: plc
    protocol: opcua
    settings: {{url: "opc.tcp://127.0.0.1:{gate}/citynerve/device", security_policy: Aes256_Sha256_RsaPss}}
devices:
  - key: gate
    site: quay
    name: {{zh: 一号闸, en: Gate 1}}
    connection: plc
    profile: city.sluice_gate
    params: {{device: device}}
adoptions:
  - key: lamps
    connection: broker
    site: quay
    profile: generic.single_lamp
    topic: lamp/{{device}}/#
    allow: ["lamp-*"]
    deny: ["lamp-9*"]
    most: 2
    name: {{zh: "路灯 {{device}}", en: "Street lamp {{device}}"}}
""",
)
"""A secured server that nobody has trusted yet, and a broker on whose topics lamps join by a rule."""


@dataclass
class FieldGateway:
    """The gateway's folder, where its page and its simulators are, and the process that serves it."""

    folder: Path
    port: int
    simulators: Mapping[str, int]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the gateway, and wait until it serves its page."""
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = _run(log, "edge", "run", "gateway.yaml", folder=self.folder)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx2.get(f"{self.url}/api/session", trust_env=False).raise_for_status()
            except httpx2.TransportError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"no page:\n{self.log}")

    def stop(self) -> None:
        """Stop it as systemd does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "gateway.log").read_text("utf-8")


@contextmanager
def field_gateway(folder: Path, street: Street = PUMP) -> Iterator[FieldGateway]:
    """The devices of a street, a gateway that reads them, and a password on its page."""
    with ExitStack() as ended:
        running = {
            name: ended.enter_context(_simulator(folder, name, command))
            for name, command in street.simulators.items()
        }
        ports = {name: _port(folder / f"{name}.log", process) for name, process in running.items()}
        gateway = FieldGateway(folder, free_port(), ports)
        (folder / "gateway.yaml").write_text(street.file.format(page=gateway.port, **ports), "utf-8")
        set_password(gateway)
        try:
            gateway.start()
            yield gateway
            gateway.stop()
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.process.kill()


@contextmanager
def technician(gateway: FieldGateway, browser: Browser) -> Iterator[Open]:
    """Give a function that opens a page, signed in unless said otherwise; what it logs as error fails."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(path: str = "/", language: str = "en", *, sign_in: bool = True, **options: Any) -> Page:
        context = browser.new_context(
            viewport=PHONE, base_url=gateway.url, locale="en-GB", reduced_motion="reduce", has_touch=True,
            timezone_id="Asia/Shanghai", **options,
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(SLOW_MS)
        page = context.new_page()
        note_faults(page, errors, EXPECTED_ERRORS, ("error", "warning"))
        page.goto(f"/#/sign-in?next={path}")
        page.get_by_test_id(f"language-{language}").click()
        if sign_in:
            page.get_by_test_id("sign-in-password").fill(PASSWORD)
            page.get_by_test_id("sign-in-submit").click()
            page.get_by_test_id("nav-overview").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def set_password(gateway: FieldGateway) -> None:
    """Set the page's password with the command that a technician uses."""
    subprocess.run(
        [sys.executable, "-m", "edge", "page", "password", "gateway.yaml"],
        cwd=gateway.folder, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@contextmanager
def _simulator(folder: Path, name: str, command: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        process = _run(log, "sim_devices", "device", *command, "--json", "--port", "0", folder=folder)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _run(log: IO[bytes], *command: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=log, stderr=log
    )


def _port(log: Path, simulator: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and simulator.poll() is None:
        line = log.read_text("utf-8").partition("\n")
        if line[1]:
            port: int = json.loads(line[0])["endpoints"][0]["port"]
            return port
        time.sleep(0.1)
    raise AssertionError(f"no simulator:\n{log.read_text('utf-8')}")
