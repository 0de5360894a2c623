"""A real gateway with a real Modbus pump behind it, as processes, for those who look at its page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx2

from tests.ports import free_port

PASSWORD = "correct horse battery"
READY_S = 60

FILE = """\
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
"""  # noqa: E501 - as a technician writes it


@dataclass
class FieldGateway:
    """The gateway's folder, where its page is, and the process that serves it."""

    folder: Path
    port: int
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
def field_gateway(folder: Path) -> Iterator[FieldGateway]:
    """A pump, a gateway that reads it every half second, and a password on its page."""
    with (folder / "pump.log").open("wb") as log:
        pump = _run(
            log,
            *("sim_devices", "device", "city.pump", "--json", "--port", "0", "--param", "unit=1"),
            folder=folder,
        )
    try:
        gateway = FieldGateway(folder, free_port())
        text = FILE.format(page=gateway.port, pump=_port(folder / "pump.log", pump))
        (folder / "gateway.yaml").write_text(text, "utf-8")
        set_password(gateway)
        gateway.start()
        yield gateway
        gateway.stop()
    finally:
        pump.terminate()
        pump.wait(30)
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.kill()


def set_password(gateway: FieldGateway) -> None:
    """Set the page's password with the command that a technician uses."""
    subprocess.run(
        [sys.executable, "-m", "edge", "page", "password", "gateway.yaml"],
        cwd=gateway.folder, input=PASSWORD + "\n", text=True, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def _run(log: IO[bytes], *command: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=log, stderr=log
    )


def _port(log: Path, pump: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and pump.poll() is None:
        line = log.read_text("utf-8").partition("\n")
        if line[1]:
            port: int = json.loads(line[0])["endpoints"][0]["port"]
            return port
        time.sleep(0.1)
    raise AssertionError(f"no pump:\n{log.read_text('utf-8')}")
