"""What a person may ask to be scanned, and the scan that answers it (`edge.tools.scan`).

With `connection` a line of the gateway file is scanned, with the credentials that the file names; they never
travel to an address that came over the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from edge.console.answers import Problem
from edge.house import House
from edge.session import Session
from edge.tools import scan
from edge.tools.agents import scan_snmp
from edge.tools.scan import Events, Form
from protocols.model.device import Profile

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Unit = Annotated[int, msgspec.Meta(ge=0, le=255)]
Baud = Annotated[int, msgspec.Meta(ge=300, le=4_000_000)]
ScanProtocol = Literal["modbus", "opcua", "mqtt", "sparkplug", "camera", "snmp"]


class ScanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which protocol, and where: `connection` names a line of the gateway file, else host, port or url.

    units: Modbus unit ids, all where not given. bauds, parities: of a serial line, tried one after the other
    while its polling stands still; as in the gateway file where not given. timeout_s: for one question.
    seconds: how long to listen (MQTT, Sparkplug), or to wait for answers (cameras). nodes: also list the
    variables of OPC UA servers. rebirth: ask Sparkplug nodes whose birth was missed to repeat it.
    walk: list the objects under this id that an SNMP agent has.
    """

    protocol: ScanProtocol
    connection: str = ""
    host: str = ""
    port: Port | None = None
    url: str = ""
    units: list[Unit] = []
    bauds: list[Baud] = []
    parities: list[Literal["none", "even", "odd"]] = []
    timeout_s: Annotated[float, msgspec.Meta(ge=0.05, le=10)] = 0.5
    thorough: bool = False
    nodes: bool = True
    topic: str = "#"
    rebirth: bool = False
    seconds: Annotated[float, msgspec.Meta(gt=0, le=300)] | None = None
    paths: list[str] = []
    walk: str = ""


def begin(house: House, wanted: ScanRequest, profiles: Iterable[Profile]) -> Events:
    """Return the events of a scan that has asked nothing yet. Raises Problem: `not-found`, `where`, `serial`.

    A Modbus line that this gateway polls is shared: each question waits for its turn between two reads,
    because a serial gateway often serves one connection only.
    """
    line = _line(house, wanted)
    match wanted.protocol:
        case "modbus":
            session = _session(house, wanted, line)
            where = (
                line
                if wanted.connection
                else {"host": _given(wanted.host, "host"), "port": wanted.port or 502}
            )
            return scan.scan_modbus(
                line=where,
                forms=_forms(wanted, where),
                units=wanted.units or scan.UNITS,
                profiles=profiles,
                timeout_s=wanted.timeout_s,
                thorough=wanted.thorough,
                ask=scan.through(session.ask, timeout_s=wanted.timeout_s) if session else None,
                take=session.ask if session else None,
            )
        case "opcua":
            return scan.scan_opcua(
                **{"url": _given(line.get("url", ""), "url")} | _security(line),
                nodes=wanted.nodes,
                profiles=profiles,
            )
        case "mqtt":
            return scan.scan_mqtt(
                **_broker(line),
                topic=wanted.topic,
                seconds=wanted.seconds or 10.0,
                profiles=profiles,
            )
        case "sparkplug":
            return scan.scan_sparkplug(
                **_broker(line),
                seconds=wanted.seconds or 10.0,
                rebirth=wanted.rebirth,
                profiles=profiles,
            )
        case "snmp":
            return scan_snmp(
                _given(line.get("host", ""), "host"),
                line.get("port"),
                walk=wanted.walk,
                timeout_s=max(wanted.timeout_s, 1.0),
                profiles=profiles,
                settings={name: line[name] for name in line if name not in ("host", "port", "url")},
            )
        case "camera":
            host = line.get("host", "")
            return scan.scan_cameras(
                line.get("base_url") or line.get("url") or None,
                paths=wanted.paths,
                seconds=wanted.seconds or 4.0,
                target=(host, line.get("port") or 3702) if host else None,
                username=line.get("username"),
                password_file=line.get("password_file"),
            )


def _security(line: dict[str, Any]) -> dict[str, Any]:
    """Return what a line of the gateway file says beside its address, as far as it says anything."""
    return {name: value for name, value in line.items() if name not in ("url", "host", "port")}


def _line(house: House, wanted: ScanRequest) -> dict[str, Any]:
    """Return where to scan: the settings of a line of the gateway file, or what the request says."""
    if not wanted.connection:
        return {"host": wanted.host, "port": wanted.port, "url": wanted.url}
    for connection in house.plan.connections:
        if connection.key == wanted.connection and connection.driver.protocol == wanted.protocol:
            # Settings of OPC UA and SNMP depend on each other: what nobody wrote must not be said again.
            return connection.settings.model_dump(exclude_unset=wanted.protocol in ("opcua", "snmp"))
    raise Problem(404, "not-found", f"this gateway has no {wanted.protocol} line {wanted.connection!r}")


_BROKER = (
    "host", "port", "version", "username", "password_file", "password_env", "tls", "ca_file", "check_name",
    "cert_file", "key_file", "key_password_file",
)  # fmt: skip


def _broker(line: dict[str, Any]) -> dict[str, Any]:
    """Return what a scan needs of a broker's line."""
    _given(line.get("host", ""), "host")
    return {name: line[name] for name in _BROKER if line.get(name) is not None}


def _session(house: House, wanted: ScanRequest, line: dict[str, Any]) -> Session | None:
    """Return the session of the Modbus line that is meant, by its key or by its host and port."""
    for one in house.plan.connections:
        if one.driver.protocol != "modbus":
            continue
        settings = one.settings.model_dump()
        place = (settings.get("host"), settings.get("port") or 502)
        by_place = settings.get("transport") == "tcp" and place == (line.get("host"), line.get("port") or 502)
        if one.key == wanted.connection or (not wanted.connection and by_place):
            return house.sessions[one.key]
    return None


def _forms(wanted: ScanRequest, line: dict[str, Any]) -> list[Form]:
    """Return the speeds and parities to try; nothing for the line as it is. Raises Problem (`serial`)."""
    if not wanted.bauds and not wanted.parities:
        return []
    if line.get("transport") not in ("rtu", "ascii"):
        raise Problem(
            422, "serial", "only a serial line (transport rtu or ascii) has speeds and parities to try"
        )
    bauds = wanted.bauds or [int(line.get("baud", 9600))]
    parities: list[str] = [*wanted.parities] or [str(line.get("parity", "none"))]
    return [(baud, parity) for baud in bauds for parity in parities]


def _given(value: str, name: str) -> str:
    if not value:
        raise Problem(422, "where", f"say where to scan: `connection`, or `{name}`")
    return value
