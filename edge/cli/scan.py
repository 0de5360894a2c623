"""`citynerve-edge scan modbus|opcua|mqtt|sparkplug|cameras|snmp`: who is there, before any file says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.cli.agents import snmp
from edge.cli.beside import Beside
from edge.cli.control import control
from edge.cli.findings import (
    CaFile,
    CertFile,
    Gateway,
    Host,
    KeyFile,
    KeySecret,
    Profiles,
    Secret,
    SecretEnv,
    Tls,
    User,
    address,
    collected,
    tell,
)
from edge.cli.terminal import FAILED, AsJson, reported
from edge.cli.words import plain
from edge.config.load import load
from edge.health import DEVICE_POINTS
from edge.opening import open_plan
from edge.tools.drafting import draft
from edge.tools.profiles import known_profiles
from edge.tools.scan import (
    Events,
    scan_cameras,
    scan_modbus,
    scan_mqtt,
    scan_opcua,
    scan_sparkplug,
)
from protocols.errors import Rejected

app = typer.Typer(
    help="Find out who is on a line: Modbus units, OPC UA nodes, MQTT, Sparkplug, cameras, SNMP. Reads only.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
MAX_UNITS = 256


@app.command("modbus")
def modbus(
    host: Annotated[
        str | None,
        typer.Argument(
            metavar="[HOST[:PORT]|PORT]", help="Address, or a serial port: /dev/serial/by-id/usb-…, COM3."
        ),
    ] = None,
    units: Annotated[str, typer.Option(help="Unit ids: 1-32, or 1,5,9-12.")] = "1-247",
    transport: Annotated[
        str | None,
        typer.Option(help="How it is spoken to: tcp, rtu-over-tcp, udp, tls; a serial port: rtu, ascii."),
    ] = None,
    baud: Annotated[
        str, typer.Option(help="Speeds of a serial port that are tried, with commas.", metavar="BAUDS")
    ] = "",
    parity: Annotated[
        str, typer.Option(help="Parities that are tried: none, even, odd, with commas.", metavar="PARITIES")
    ] = "",
    connection: Annotated[
        str | None, typer.Option(help="A line of the file of --gateway, with its settings.", metavar="KEY")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for each unit; longer than a serial gateway's own timeout.")
    ] = 0.5,
    pause: Annotated[float, typer.Option(help="Seconds of rest between two questions.")] = 0.02,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Also try coils and discrete inputs of silent units.")
    ] = False,
    profiles: Profiles = None,
    gateway: Gateway = None,
    as_json: AsJson = False,
) -> None:
    """Find the units of a Modbus line, their identity, and the profile that fits each.

    One question at a time; an exception counts as an answer. On a serial port every speed is tried with every
    parity; a gateway that runs lends its port for it, and polls between. Exit code 1 where nobody answers.

    \b
    Example: citynerve-edge scan modbus 192.0.2.10:502 --units 1-32

    \b
    Example: citynerve-edge scan modbus /dev/serial/by-id/usb-FTDI-if00 --baud 9600,19200 --parity none,even
    """
    with reported():
        ids = unit_ids(units)
        bauds, parities = numbers(baud), words(parity, ("none", "even", "odd"))
        line = modbus_line(host, transport, gateway, connection, serial=bool(bauds or parities))
        beside = running(gateway)
        found: Events
        if beside:
            if not connection and "host" not in line:
                raise Rejected(
                    "address", "a running gateway holds its serial ports; name the line: --connection KEY"
                )
            where = {"connection": connection} if connection else {key: line[key] for key in ("host", "port")}
            found = beside.scan(
                protocol="modbus", **where, units=list(ids), bauds=bauds, parities=parities,
                timeout_s=timeout, thorough=thorough,
            )  # fmt: skip
        else:
            # Where neither is said, the usual speed: a serial line has one.
            tried = [(one, form) for one in bauds or [9600] for form in parities or ["none"]]
            found = scan_modbus(
                line=line, forms=tried if bauds or parities else (), units=ids,
                profiles=known_profiles(profiles).values(),
                timeout_s=timeout, pause_s=pause, thorough=thorough,
            )  # fmt: skip
        tell(found, as_json, "no unit answered; check cable, speed and parity of the line, and --timeout")


@app.command("opcua")
def opcua(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="opc.tcp://host:4840; with --gateway also the key of a connection."
        ),
    ],
    nodes: Annotated[
        bool, typer.Option("--nodes/--no-nodes", help="Also browse variables and methods.")
    ] = True,
    most: Annotated[int, typer.Option(help="Stop after so many of them.", min=1)] = 2000,
    find: Annotated[
        str, typer.Option(help="Only what has this text in its path or node id.", metavar="TEXT")
    ] = "",
    as_profile: Annotated[
        str | None,
        typer.Option("--profile", help="Print a device profile with this id to start from.", metavar="ID"),
    ] = None,
    gateway: Annotated[
        Path | None,
        typer.Option(
            "--gateway", help="Gateway file whose connection gives security and user.", metavar="FILE"
        ),
    ] = None,
    username: User = None,
    password_file: Secret = None,
    profiles: Profiles = None,
    as_json: AsJson = False,
) -> None:
    """Show the servers and endpoints of an OPC UA address, with their security, its variables and methods.

    With --profile methods stand as comments below the points: take the # from those that shall be commands.

    \b
    Example: citynerve-edge scan opcua opc.tcp://192.0.2.10:4840 --find level

    \b
    Example: citynerve-edge scan opcua plc --gateway gateway.yaml --profile acme.plc
    """
    with reported():
        line: dict[str, Any] = {"url": url} if gateway is None else opcua_line(gateway, url)
        if username is not None:
            line |= {"username": username, "password_file": password_file}
        events = scan_opcua(
            **line, nodes=nodes or as_profile is not None, most=most, find=find,
            profiles=known_profiles(profiles).values(),
        )  # fmt: skip
        if as_profile is not None:
            _draft(events, as_profile)
        else:
            tell(events, as_json, "the server has no such variables or methods")


def opcua_line(file: Path, name: str) -> dict[str, Any]:
    """Return what a gateway file says of a connection, by its key or url. Raises Rejected, ConfigError."""
    plan = open_plan(file)
    for one in plan.connections:
        written = one.settings.model_dump(exclude_unset=True)
        if one.driver.protocol == "opcua" and name in (one.key, written["url"]):
            return written
    raise Rejected("connection", f"{file} has no OPC UA connection with the key or url {name!r}")


def _draft(events: Events, identity: str) -> None:
    """Print the profile of what was found; say what is left out."""
    nodes = [found for found in collected(events) if found.kind in ("node", "method")]
    text, left = draft(identity, nodes)
    for sentence in left:
        typer.echo(plain(sentence), err=True)
    if not text:
        typer.echo("no variable of a kind that can be a point", err=True)
        raise typer.Exit(FAILED)
    typer.echo(text, nl=False)


@app.command("mqtt")
def mqtt(
    host: Host,
    topic: Annotated[str, typer.Option(help="What to listen to; # is everything.")] = "#",
    seconds: Annotated[float, typer.Option(help="How long to listen.", min=0.1, max=3600)] = 10.0,
    username: User = None,
    password_file: Secret = None,
    password_env: SecretEnv = None,
    tls: Tls = False,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
    key_password_file: KeySecret = None,
    profiles: Profiles = None,
    as_json: AsJson = False,
) -> None:
    """Listen to a broker for some seconds; show topics, payloads, and the points they would become.

    Example: citynerve-edge scan mqtt 192.0.2.10 --seconds 30 --topic "city/#"
    """
    with reported():
        name, port = address(host, 8883 if tls else 1883)
        events = scan_mqtt(
            name, port, topic=topic, seconds=seconds, username=username, password_file=password_file,
            password_env=password_env, tls=tls, ca_file=ca_file, cert_file=cert_file, key_file=key_file,
            key_password_file=key_password_file,
            profiles=known_profiles(profiles).values(),
        )  # fmt: skip
        tell(events, as_json, f"nothing was heard in {seconds:g} s; listen longer with --seconds")


@app.command("sparkplug")
def sparkplug(
    host: Host,
    seconds: Annotated[float, typer.Option(help="How long to listen.", min=0.1, max=3600)] = 10.0,
    rebirth: Annotated[
        bool,
        typer.Option("--rebirth", help="Ask nodes whose birth was missed to repeat it: the one thing sent."),
    ] = False,
    username: User = None,
    password_file: Secret = None,
    password_env: SecretEnv = None,
    tls: Tls = False,
    ca_file: CaFile = None,
    cert_file: CertFile = None,
    key_file: KeyFile = None,
    key_password_file: KeySecret = None,
    profiles: Profiles = None,
    as_json: AsJson = False,
) -> None:
    """Listen to Sparkplug B edge nodes for some seconds; show nodes, devices and their metrics.

    Example: citynerve-edge scan sparkplug 192.0.2.10 --seconds 30 --rebirth
    """
    with reported():
        name, port = address(host, 8883 if tls else 1883)
        events = scan_sparkplug(
            name, port, seconds=seconds, rebirth=rebirth, username=username, password_file=password_file,
            password_env=password_env, tls=tls, ca_file=ca_file, cert_file=cert_file, key_file=key_file,
            key_password_file=key_password_file,
            profiles=known_profiles(profiles).values(),
        )  # fmt: skip
        tell(events, as_json, f"no edge node spoke in {seconds:g} s; listen longer, or add --rebirth")


@app.command("cameras")
def cameras(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="A camera whose snapshot is looked for: http://192.0.2.64"),
    ] = None,
    path: Annotated[list[str] | None, typer.Option(help="Snapshot path to try; repeat it for more.")] = None,
    seconds: Annotated[
        float, typer.Option(help="How long discovery waits for answers.", min=0.1, max=600)
    ] = 4.0,
    target: Annotated[
        str | None,
        typer.Option(help="Ask this one host, where multicast does not reach.", metavar="HOST[:PORT]"),
    ] = None,
    username: User = None,
    password_file: Secret = None,
    as_json: AsJson = False,
) -> None:
    """Find cameras by ONVIF discovery on this network, or a camera's snapshot path.

    Example: citynerve-edge scan cameras --seconds 10
    """
    with reported():
        events = scan_cameras(
            url, paths=tuple(path or ()), seconds=seconds, username=username, password_file=password_file,
            target=address(target, 3702) if target else None,
        )  # fmt: skip
        nobody = (
            "none of the known paths gives a picture; the manual names it" if url else "no camera answered"
        )
        tell(events, as_json, nobody)


app.command("snmp")(snmp)


def modbus_line(
    host: str | None, transport: str | None, gateway: Path | None, connection: str | None, *, serial: bool
) -> dict[str, Any]:
    """Return the settings of the Modbus line that was named. Raises Rejected, and ConfigError of a file."""
    if connection is not None:
        if gateway is None or host is not None:
            raise Rejected(
                "address", "--connection names a line of a file: give --gateway FILE and no address"
            )
        settings = load(gateway, DEVICE_POINTS).settings.get(connection)
        if settings is None:
            raise Rejected("address", f"{gateway} has no line {connection!r}")
        written: dict[str, Any] = settings.model_dump(exclude_unset=True)
        return written
    if host is None:
        raise Rejected("address", "say where: HOST[:PORT], a serial port, or --gateway FILE --connection KEY")
    if serial or host.startswith(("/", "./", "COM", "rfc2217://")):
        if transport not in (None, "rtu", "ascii"):
            raise Rejected("address", f"a serial port is spoken to by rtu or ascii, not by {transport}")
        # Seven bits are the standard's for ASCII (Serial Line V1.02, 2.5.2).
        bits = {"data_bits": 7} if transport == "ascii" else {}
        return {"transport": transport or "rtu", "device": host, **bits}
    if transport not in (None, "tcp", "rtu-over-tcp", "udp", "tls"):
        raise Rejected("address", f"--transport {transport!r} is none of tcp, rtu-over-tcp, udp, tls")
    name, port = address(host, 802 if transport == "tls" else 502)
    return {"host": name, "port": port} | ({"transport": transport} if transport else {})


def numbers(text: str) -> list[int]:
    """Return the whole numbers of `9600,19200`. Raises Rejected."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    for word in found:
        if not word.isdecimal() or not 300 <= int(word) <= 4_000_000:
            raise Rejected("baud", f"{word!r} is no speed; write it like 9600,19200")
    return [int(word) for word in found]


def words(text: str, known: Sequence[str]) -> list[str]:
    """Return the words of `none,even`, each one of `known`. Raises Rejected."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    for word in found:
        if word not in known:
            raise Rejected("parity", f"{word!r} is none of {', '.join(known)}")
    return found


def unit_ids(text: str) -> tuple[int, ...]:
    """Return the unit ids of `1-32` or `1,5,9-12`, each once. Raises Rejected."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise Rejected("units", f"{part!r} is no unit id; write it like 1-32 or 1,5,9-12")
        low, high = int(first), int(last or first)
        if low > high or high >= MAX_UNITS:
            raise Rejected("units", f"{part!r}: unit ids go from 0 to 255, the smaller first")
        found.update(dict.fromkeys(range(low, high + 1)))
    return tuple(found)


def running(file: Path | None) -> Beside | None:
    """Return the gateway of a file to scan with, None where none is named or it does not run.

    Many serial gateways serve one connection only: then the one that is polled must be shared.
    """
    if file is None:
        return None
    gateway = control(file)
    if not gateway.running:
        return None
    typer.echo("the gateway is running: it asks between its own reads, and polling goes on", err=True)
    return Beside(gateway)
