"""A storm of 50,000 alarms in five minutes through four real gateways, counted on both sides.

5,000 registers go up ten times each, half a minute apart. Nothing may be lost: what the devices did is
counted at the devices, and at the centre its occurrences, raised and returned. Meanwhile a browser
has the alarm list open (`tests.bench.storm_console`). `--scale 0.2` is a minute of it, less than 0.1 a
short storm of a thousand.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from central.store.embedded import SOCKET_NAME, server_url
from tests.bench.field import write_gateway
from tests.bench.figure import Figure
from tests.bench.processes import USER, Centre, centre_process, enrol, gateway_process, signed_in
from tests.bench.storm_console import Console, console
from tests.bench.storm_field import LIMIT, StormProcess, storm_process

PRIORITIES = ("P3", "P4", "P3", "P4", "P2", "P3", "P4", "P3", "P4", "P1")
"""A fifth of them open events."""
REGISTERS = 50
PATIENCE_S = 120.0
HEARD = "SELECT count(DISTINCT r.series) FROM readings r JOIN points p USING (series) WHERE p.key LIKE 'r%'"
TOLD = "SELECT count(*) FROM alarm_journal WHERE event = 'CLR'"
"""How far it is, at little cost to the server that is measured."""
LOOK_S = 1.0
STILL_S = 60.0
COUNT = """
SELECT count(*), count(*) FILTER (WHERE acts = 1), count(*) FILTER (WHERE clears = 1), count(DISTINCT point)
FROM (SELECT a.point, count(*) FILTER (WHERE j.event = 'ACT' AND j.number IS NOT NULL) AS acts,
        count(*) FILTER (WHERE j.event = 'CLR') AS clears
    FROM alarms a JOIN alarm_journal j ON j.alarm = a.id
    WHERE a.gateway LIKE 'gw-storm-%' AND a.kind = 'hi' GROUP BY a.id) each
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a storm; a cycle is so long, s."""

    gateways: int
    units: int
    """Of each gateway."""
    cycles: int
    cycle_s: float

    @property
    def alarms(self) -> int:
        """How many there will be."""
        return self.gateways * self.units * REGISTERS * self.cycles


FULL = Size(4, 25, 10, 30.0)
SHORT = Size(1, 10, 2, 2.0)
LEAST = 0.1
"""Of the full size: as many alarms a second, for a tenth of the time. Below it, the short storm."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Both sides. raised, returned: the centre's occurrences with exactly one such step of the gateway."""

    devices: int
    centre: int
    raised: int
    returned: int
    points: int
    behind_s: float
    """From the last move of a device until the centre had everything."""


def measure(scale: float = 1.0, data: Path | None = None) -> list[Figure]:
    """Let the storm pass, and look at the list meanwhile."""
    size = replace(FULL, cycles=round(FULL.cycles * scale)) if scale >= LEAST else SHORT
    with running(size, data) as (centre, field):
        centre.command("user", "add", USER, "--role", "operator", "--password-env", "BENCH_PASSWORD")
        with signed_in(centre) as client, console(centre) as screen:
            counted = pass_over(centre, field, size, screen)
            listed = client.get("/api/v1/alarms", params={"state": "open", "limit": 1}).json()["total"]
    return [*_figures(size, counted, listed), *screen.figures()]


def _figures(size: Size, counted: Counted, listed: int | None) -> list[Figure]:
    name = f"storm of {size.alarms:,} in {size.cycles * size.cycle_s:.0f} s"
    return [
        Figure(f"{name}, load average", os.getloadavg()[0], ""),
        Figure(
            "storm: occurrences at the centre", counted.centre, "", counted.devices, "at the devices", "1.00"
        ),
        Figure(
            "storm: of them raised by one step", counted.raised, "", counted.devices, "at the devices", "1.00"
        ),
        Figure("storm: and returned by one", counted.returned, "", counted.devices, "at the devices", "1.00"),
        Figure(
            "storm: points that told all", counted.points, "", size.alarms / size.cycles, "points", "1.00"
        ),
        Figure("storm: all at the centre, after its end", counted.behind_s, "s"),
        Figure("storm: still listed as open", listed or 0, ""),
    ]


@contextmanager
def running(size: Size, data: Path | None = None) -> Iterator[tuple[Centre, StormProcess]]:
    """Run the centre, the devices and their gateways until all of it is read."""
    units = size.gateways * size.units
    with ExitStack() as stack:
        centre = stack.enter_context(centre_process(data))
        field = stack.enter_context(storm_process(units, REGISTERS, size.cycles, size.cycle_s))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        names = [f"gw-storm-{number}" for number in range(1, size.gateways + 1)]
        for number, name in enumerate(names):
            folder = home / name
            folder.mkdir()
            file = write_gateway(
                folder, field.port, size.units, REGISTERS, period_s=min(1.0, size.cycle_s / 8),
                alarms=REGISTERS, limit=LIMIT, centre_url=centre.url, gateway=name,
                first=1 + number * size.units, priorities=PRIORITIES,
            )  # fmt: skip
            enrol(file, centre.code(name))
            stack.enter_context(gateway_process(file))
        _until_read(centre, units * REGISTERS)
        yield centre, field


def pass_over(centre: Centre, field: StormProcess, size: Size, screen: Console | None = None) -> Counted:
    """Let the storm begin; return what both sides counted when the centre had everything, or no more came."""
    field.begin()
    if screen is not None:
        screen.work(size.cycles * size.cycle_s)
    devices = field.rises()
    over = moved = time.monotonic()
    with _database(centre) as connection:
        told = 0
        while told < devices and time.monotonic() - moved < STILL_S:
            time.sleep(LOOK_S)
            row = connection.execute(TOLD).fetchone()
            if row is not None and row[0] > told:
                told, moved = int(row[0]), time.monotonic()
        counted = connection.execute(COUNT).fetchone()
    assert counted is not None
    known, raised, returned, points = (int(number) for number in counted)
    return Counted(devices, known, raised, returned, points, behind_s=moved - over)


def _database(centre: Centre) -> psycopg.Connection:
    line = (centre.folder / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    assert (Path(line) / SOCKET_NAME).exists()
    return psycopg.connect(server_url(Path(line)), autocommit=True)


def _until_read(centre: Centre, points: int) -> None:
    """Wait until every point has been heard."""
    deadline = time.monotonic() + PATIENCE_S
    with _database(centre) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(HEARD).fetchone()
            if row is not None and row[0] >= points:
                return
            time.sleep(0.3)
    raise RuntimeError("the gateways' values do not reach the centre; look at their gateway.log")
