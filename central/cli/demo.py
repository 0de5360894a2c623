"""`citynerve demo`: a simulated city, its gateways and the centre, on one command.

    city (sim_devices)  →  gateway files  →  centre  →  accounts, enrolment codes  →  gateways (edge)

Each part is a process of its own, on a leash: when this one ends, however it ends, they end too.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
import yaml

from central.casebook.demo import ensure_demo_units
from central.city import owners, tablefile
from central.city.book import Book
from central.city.registry import Registry
from central.city.transfer import plan as plan_import
from central.cli.processes import Crew, DemoFailed
from central.cli.serve import address, listen
from central.config import DEFAULT_PORT, Config
from central.kernel.bus import Bus
from central.link.gateways import Gateways
from central.live.latest import LatestBoard
from central.security.parts import Security
from central.security.roles import Role
from central.store.base import Database
from central.store.open import open_database
from protocols.model.clock import SECOND_US, now_us, to_datetime

PREFIX = "citynerve-demo-"
ACCOUNTS = (
    (Role.VIEWER, "访客 Viewer"),
    (Role.OPERATOR, "值班员 Operator"),
    (Role.SUPERVISOR, "值班长 Supervisor"),
    (Role.ENGINEER, "工程师 Engineer"),
    (Role.ADMIN, "管理员 Admin"),
)
DEPARTMENT = "drainage"
"""Whose duty officer has an account: an operator at the sites that this department owns, and nowhere else."""
PASSWORD = "linjiang-demo"  # noqa: S105 - of a city that does not exist, on this machine's own address
READY_S = 120.0
FRESH_S = 30
"""A gateway's readings flow while its newest one is not older than this."""

FLOW = """
SELECT p.gateway, count(*), count(*) FILTER (WHERE fresh.good)
FROM points p LEFT JOIN LATERAL (
    SELECT bool_or(r.quality >= 0 AND r.quality < 1073741824) AS good FROM readings r
    WHERE r.series = p.series AND r.time > %s
) fresh ON true
WHERE p.retired_at IS NULL GROUP BY p.gateway ORDER BY p.gateway
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for at the command line, and where it runs."""

    url: str
    folder: Path
    scenario: str
    browser: bool
    seconds: float | None
    control_port: int | None = None

    @property
    def centre(self) -> Config:
        """The centre's settings."""
        return Config(data_dir=self.folder / "centre")


def demo(
    port: Annotated[int, typer.Option(help="Port of the centre.")] = DEFAULT_PORT,
    seconds: Annotated[
        float | None,
        typer.Option("--for", help="End by itself after so many seconds; fails if readings do not flow."),
    ] = None,
    scenario: Annotated[str, typer.Option(help="What happens in the city: rainstorm or calm.")] = "rainstorm",
    browser: Annotated[bool, typer.Option(help="Open the console in a browser.")] = True,
    data: Annotated[
        Path | None, typer.Option(help="Keep the demo's data in this folder.", show_default=False)
    ] = None,
    control_port: Annotated[
        int | None,
        typer.Option(help="Port where the weather can be changed and faults set, by HTTP; none by default."),
    ] = None,
) -> None:
    """Show a city in a rainstorm: simulated devices, gateways and the centre. Ctrl-C ends everything."""
    # Bound for a moment now, so that a busy port is named before anything is started.
    with listen("127.0.0.1", port) as listener:
        url = address(listener)
    with _folder(data) as folder:
        asyncio.run(run(Plan(url, folder, scenario, browser, seconds, control_port)))


async def run(plan: Plan) -> None:
    """Run the demo until it is stopped or its time is over. Raises DemoFailed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        crew = await stack.enter_async_context(Crew.open(plan.folder / "logs"))
        started = loop.create_task(_start(plan, crew))
        stopped = loop.create_task(stop.wait())
        died = loop.create_task(crew.first_death())
        try:
            await asyncio.wait({started, stopped, died}, return_when=asyncio.FIRST_COMPLETED)
            if started.done() and not stopped.done():
                _announce(plan, started.result())
                ends = {stopped, died}
                await asyncio.wait(ends, timeout=plan.seconds, return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                raise DemoFailed(died.result())
            if stopped.done():
                typer.echo("Stopping the city …", err=True)
            else:
                await _check_flow(plan)
        finally:
            for task in (started, stopped, died):
                task.cancel()
            await asyncio.gather(started, stopped, died, return_exceptions=True)


async def _start(plan: Plan, crew: Crew) -> Sequence[Path]:
    """Start the parts in their order; return the gateways' files when all of them run."""
    files = plan.folder / "gateways"
    # Only what the city writes anew: with --data, what the gateways had not sent yet is still in there.
    for stale in (files / "ready", *files.glob("*.yaml")):
        stale.unlink(missing_ok=True)
    typer.echo("Starting the city of Linjiang (临江市), its centre and its gateways …", err=True)
    control = [] if plan.control_port is None else ["--control-port", str(plan.control_port)]
    await crew.start(
        "city", "-m", "sim_devices", "city", "--scenario", plan.scenario, "--port-base", "0",
        "--gateways-out", str(files), "--centre", plan.url, *control,
    )  # fmt: skip
    maps = _city_map()
    settings = {"CITYNERVE_DATA": str(plan.centre.data_dir), "CITYNERVE_DATABASE_URL": ""}
    if maps is not None:
        settings["CITYNERVE_MAP_DIR"] = str(maps)
    await crew.start("centre", "-m", "central", "serve", "--port", plan.url.rsplit(":", 1)[1], env=settings)
    await crew.until_answers(plan.url + "/healthz", READY_S)
    found = await _gateway_files(files)
    async with open_database(plan.centre, migrate=False, attach=True) as database:
        await _add_accounts(database, plan.centre)
        await _add_departments(database)
        codes = await _codes(database, [file.stem for file in found])
    password = {"DEMO_PAGE_PASSWORD": PASSWORD}
    enrol = ("-m", "edge", "enrol", "--page-password-env", *password)
    await asyncio.gather(*(crew.call(*enrol, str(file), codes[file.stem], env=password) for file in found))
    for file in found:
        await crew.start(file.stem, "-m", "edge", "run", str(file))
    async with open_database(plan.centre, migrate=False, attach=True) as database:
        await _give_owners(database)
    return found


async def _gateway_files(folder: Path) -> Sequence[Path]:
    """Wait until the city serves and its gateway files are whole; return them."""
    deadline = asyncio.get_running_loop().time() + READY_S
    while not (folder / "ready").exists():
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"the city wrote no gateway files to {folder} within {READY_S:.0f} s")
        await asyncio.sleep(0.1)
    return await asyncio.to_thread(lambda: sorted(folder.glob("*.yaml")))


async def _add_accounts(database: Database, config: Config) -> None:
    accounts = Security.build(database, now_us, config).accounts
    for role, shown in ACCOUNTS:
        await accounts.ensure(role.value, shown, role, PASSWORD)
    await accounts.ensure(
        DEPARTMENT, "排水值班 Drainage duty", Role.OPERATOR, PASSWORD, departments=[DEPARTMENT]
    )
    async with database.session() as session:
        await ensure_demo_units(session)


async def _add_departments(database: Database) -> None:
    """Add the city's owner departments, as `citynerve registry departments` does."""
    if (folder := _city_folder()) is not None:
        found, _ = owners.read((folder / "departments.csv").read_bytes())
        await owners.put(database, found)


async def _give_owners(database: Database) -> None:
    """Give each site its department, as `citynerve registry import sites` does; nothing that a person gave.

    Sites are there once their gateway has declared them. Raises DemoFailed where one is not in READY_S.
    """
    folder = _city_folder()
    if folder is None:
        return
    given = tablefile.read("site", "csv", (folder / "owners.csv").read_bytes())
    book = Book(database, now_us)
    deadline = asyncio.get_running_loop().time() + READY_S
    while missing := {row.id for row in given.rows} - (states := await book.states("site")).keys():
        if asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"no gateway declared {', '.join(sorted(missing))} within {READY_S:.0f} s")
        await asyncio.sleep(0.2)
    made = plan_import("site", given, states, await book.known())
    edits = [edit for edit in made.edits if not states[edit.id]["department"]]
    await book.write(edits, actor="demo", reason="the city's departments")


async def _codes(database: Database, gateways: Sequence[str]) -> dict[str, str]:
    office = Gateways(database, Bus(), now_us, LatestBoard(now_us), Registry(database))
    return {name: (await office.new_code(name, "demo")).enrolment_code for name in gateways}


async def _check_flow(plan: Plan) -> None:
    """Print how many points are good. Raises DemoFailed where a gateway's readings do not flow in READY_S."""
    deadline = asyncio.get_running_loop().time() + READY_S
    async with (
        open_database(plan.centre, migrate=False, attach=True) as database,
        database.pool.connection() as connection,
    ):
        while True:
            since = to_datetime(now_us() - FRESH_S * SECOND_US)
            rows = await (await connection.execute(FLOW, (since,))).fetchall()
            silent = [str(gateway) for gateway, _, good in rows if not good]
            if rows and not silent:
                break
            if asyncio.get_running_loop().time() > deadline:
                raise DemoFailed(f"no readings flow from {', '.join(silent) or 'any gateway'}")
            await asyncio.sleep(0.5)
    for gateway, points, good in rows:
        typer.echo(f"{gateway}: {good} of {points} points have a good reading of the last {FRESH_S} s")


def _announce(plan: Plan, gateways: Sequence[Path]) -> None:
    ports = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["page"]["port"] for file in gateways}
    pages = "\n".join(f"  {name:<10} http://127.0.0.1:{port}" for name, port in ports.items())
    typer.echo(
        f"\n  CityNerve  {plan.url}\n"
        f"  Sign in as operator, admin, viewer or drainage, password {PASSWORD}\n"
        f"  登录：operator、admin、viewer 或 drainage，密码 {PASSWORD}\n\n"
        f"  The gateways' own pages, same password · 网关本地页面，密码相同：\n{pages}\n\n"
        f"  Logs and data: {plan.folder}\n"
        "  Ctrl-C ends everything.\n"
    )
    if plan.browser:
        webbrowser.open(plan.url)


def _city_map() -> Path | None:
    """Return the simulated city's map."""
    folder = _city_folder()
    return folder / "map" if folder is not None and (folder / "map").is_dir() else None


def _city_folder() -> Path | None:
    """Return the simulated city's folder, found without importing the city."""
    found = importlib.util.find_spec("sim_devices")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "city"
    return folder if folder.is_dir() else None


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """Yield the folder of this run: the one asked for, or a fresh one that goes away afterwards."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    # PostgreSQL's account must be able to enter, where root runs the demo; secrets inside are 0600.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove the folders of demos that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and folder.stat().st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)
