"""Commands: from the centre's API to the read-back, and from a crossing sample to a local action's write.

Gateway, centre and field are processes of their own; the gateway reads 1,000 points twice a second
beside it. Times are differences of one machine's clock.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx2
import numpy as np

from edge.buffer.sqlite import SqliteBuffer
from protocols.model.alarm import AlarmEvent, AlarmTransition
from protocols.model.command import CommandOutcome, CommandState
from protocols.wire.batch import decode
from protocols.wire.channels import Stream
from tests.bench.field import field_process, write_gateway
from tests.bench.figure import Figure
from tests.bench.processes import (
    GATEWAY,
    PASSWORD,
    USER,
    Centre,
    centre_process,
    enrol,
    gateway_process,
)

UNITS, REGISTERS, PERIOD_S = 20, 50, 0.5
COMMANDS = 300
ACTING_S = 60.0
LIMIT = 300.0
"""Register 1 climbs over it every six seconds, and falls below it as often."""


def measure() -> list[Figure]:
    """Measure both ways."""
    with field_process(UNITS, REGISTERS, 0.1) as port:
        with centre_process() as centre:
            back, known = _sent(centre, port)
        acted = _acted(port)
    return [
        Figure("command: API → read-back, p50", float(np.quantile(back, 0.5)), "s"),
        Figure("command: API → read-back, p99", float(np.quantile(back, 0.99)), "s", 1, "s (issue)", "< 1"),
        Figure("command: API → verified at the API, p99", float(np.quantile(known, 0.99)), "s"),
        Figure("action: crossing sample → read-back, p50", float(np.quantile(acted, 0.5)) * 1e3, "ms"),
        Figure(
            "action: crossing sample → read-back, p99",
            float(np.quantile(acted, 0.99)) * 1e3,
            "ms",
            100,
            "ms (issue: to the write)",
            "< 100",
        ),
    ]


def _sent(centre: Centre, port: int) -> tuple[list[float], list[float]]:
    """Send commands one after the other; return seconds to the read-back, and until the API knows it."""
    centre.command("user", "add", USER, "--role", "operator", "--password-env", "BENCH_PASSWORD")
    back, known = [], []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        file = write_gateway(Path(folder), port, UNITS, REGISTERS, period_s=PERIOD_S, centre_url=centre.url)
        enrol(file, centre.code())
        with gateway_process(file), _signed_in(centre) as client:
            _until_writable(client)
            for n in range(COMMANDS):
                point = f"{GATEWAY}.unit{n % UNITS + 1}.r{REGISTERS - 1}"
                began, asked = time.perf_counter(), time.time()
                answer = client.post("/api/v1/commands", json={"point": point, "value": n % 100})
                answer.raise_for_status()
                command = _finished(client, answer.json()["id"])
                known.append(time.perf_counter() - began)
                if command["state"] != CommandState.VERIFIED:
                    raise RuntimeError(f"a command ended as {command['state']}: {command['detail']}")
                back.append(datetime.fromisoformat(str(command["finished_at"])).timestamp() - asked)
    return back, known


def _finished(client: httpx2.Client, name: str) -> dict[str, object]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        command: dict[str, object] = client.get(f"/api/v1/commands/{name}").json()
        if command["finished_at"] is not None:
            return command
        time.sleep(0.005)
    raise RuntimeError("a command was not answered within 30 s")


def _until_writable(client: httpx2.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = client.get("/api/v1/latest", params={"device": f"{GATEWAY}.unit{UNITS}"})
        if answer.status_code == 200 and answer.json()["items"]:
            return
        time.sleep(0.2)
    raise RuntimeError("no readings reach the centre")


@contextmanager
def _signed_in(centre: Centre) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=centre.url, trust_env=False, headers={"Origin": centre.url}) as client:
        client.post("/api/v1/session", json={"username": USER, "password": PASSWORD}).raise_for_status()
        yield client


def _acted(port: int) -> list[float]:
    """Let every unit's register 1 cross its limit for a minute; return seconds from sample to read-back."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        file = write_gateway(Path(folder), port, UNITS, REGISTERS, period_s=PERIOD_S, alarms=2, limit=LIMIT)
        actions = ["actions:"] + [
            f"  - {{key: {on}{n}, when: {{alarm: unit{n}.high-1, on: {on}}},"
            f" do: [{{point: unit{n}.r{REGISTERS - 1}, value: {value}}}]}}"
            for n in range(1, UNITS + 1)
            for on, value in (("raise", 1), ("clear", 0))
        ]
        file.write_text(file.read_text(encoding="utf-8") + "\n".join(actions) + "\n", encoding="utf-8")
        with gateway_process(file):
            time.sleep(ACTING_S)
        buffer = SqliteBuffer(Path(folder) / "state")
        try:
            steps, outcomes = _rows(buffer, "alarms"), _rows(buffer, "outcomes")
        finally:
            buffer.close()
    return _waits(steps, outcomes)


def _rows(buffer: SqliteBuffer, stream: Stream) -> list[object]:
    rows: list[object] = []
    for stored in buffer.pending(stream, limit=100_000):
        rows += list(decode(stored.data).payload)  # type: ignore[arg-type]
    return rows


def _waits(steps: list[object], outcomes: list[object]) -> list[float]:
    """Pair the steps of each unit's alarm with what its actions did, both in order."""
    waits: list[float] = []
    for n in range(1, UNITS + 1):
        crossings = [
            step.sample_us
            for step in steps
            if isinstance(step, AlarmTransition)
            and step.rule == f"unit{n}.high-1"
            and step.event in {AlarmEvent.ACT, AlarmEvent.CLR}
        ]
        done = [
            outcome.finished_us
            for outcome in outcomes
            if isinstance(outcome, CommandOutcome)
            and outcome.issued_by in {f"action:raise{n}", f"action:clear{n}"}
        ]
        # The last step may have come too late for its action to be written down before the end.
        waits += [(end - start) / 1e6 for start, end in zip(crossings, done, strict=False)]
    if not waits:
        raise RuntimeError("no action was done; run `python -m edge run` on the file by hand")
    return waits
