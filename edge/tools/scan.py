"""Scans for the command line and the local page: each a stream of Progress and Found.

The protocols know how to ask (`protocols/field/*/scan.py`); here it is decided what of the answers helps:
which profile fits, which of a file's sections the finding belongs into. A protocol's stack is imported when
its scan begins. Nothing is written to any device.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from edge.tools.naming import with_metrics, with_profile
from protocols.errors import Rejected
from protocols.field.scanning import Found, Progress
from protocols.model.device import Limits, Profile

if TYPE_CHECKING:
    from protocols.field.base import Driver
    from protocols.field.modbus.scan import Ask
    from protocols.field.mqtt.broker import BrokerSettings

Events = AsyncIterator[Found | Progress]
Take = Callable[[Callable[["Driver"], Awaitable[Any]]], Awaitable[Any]]
"""`Session.ask` of a running gateway: does one thing on the line before the next read."""

Form = tuple[int, str]
"""Baud and parity of a serial line."""
LENT_UNITS = 8
"""So many units are asked in one go on a line that a running gateway lends; then it may poll again."""
UNITS = tuple(range(1, 248))
"""Unit ids of a serial line; a device without one behind it often answers to 0, 1 or 255."""


def through(take: Take, *, timeout_s: float = 0.5) -> Ask:
    """Return how to ask on a line that a running gateway polls: each question waits for its turn.

    Polling of that line stands still while a question is out, and never longer.
    """
    limits = Limits(timeout_ms=max(10, round(timeout_s * 1000)), retries=0)

    async def ask(request: Any) -> Any:
        async def probe(driver: Any) -> Any:
            return await driver.line.probe(request, limits)

        return await take(probe)

    return ask


def host_name(text: str) -> str:
    """Return a host that can be looked up. Raises Rejected (`address`): resolvers answer odd ones oddly."""
    try:
        if text and text.isprintable() and text.encode("idna"):
            return text
    except UnicodeError:
        pass
    raise Rejected("address", f"{text[:80]!r} is no host; give a name or an address such as 192.0.2.10")


def web_address(text: str, example: str) -> str:
    """Return a URL of `example`'s kind with a host in it. Raises Rejected (`address`)."""
    kinds = {"http", "https"} if example.startswith("http") else {urlsplit(example).scheme}
    try:
        parts = urlsplit(text)
        if parts.scheme in kinds and (parts.port is None or parts.port) and host_name(parts.hostname or ""):
            return text
    except (ValueError, Rejected):
        pass
    raise Rejected("address", f"{text[:80]!r} is no address; write it like {example}")


async def scan_modbus(
    host: str = "",
    port: int = 502,
    *,
    line: Mapping[str, Any] | None = None,
    forms: Sequence[Form] = (),
    units: Sequence[int] = UNITS,
    profiles: Iterable[Profile] = (),
    timeout_s: float = 0.5,
    pause_s: float = 0.02,
    thorough: bool = False,
    ask: Ask | None = None,
    take: Take | None = None,
) -> Events:
    """Yield the units that answer, each with its identity and the profiles that fit. Raises ConnectionLost.

    `line` are a Modbus line's settings where it is more than `host` and `port`; `forms` the speeds and
    parities of a serial one that are tried. Behind a serial gateway `timeout_s` must be longer than its own
    timeout, or its late answers hide the next units. A line that a running gateway polls is shared by `ask`
    (`through`), or lent by `take` while other forms are tried; without them the scan opens its own.
    """
    where = dict(line) if line is not None else {"host": host, "port": port}
    known = list(profiles)
    total = len(units) * max(len(forms), 1)
    for at, form in enumerate(forms or (None,)):
        here = where if form is None else {**where, "baud": form[0], "parity": form[1]}
        words = "" if form is None else f" at {form[0]} baud, parity {form[1]}"
        begun = at * len(units)

        async def asked(
            ask: Ask, some: Sequence[int], begun: int = begun, words: str = words, here: dict[str, Any] = here
        ) -> Events:
            for done, unit in enumerate(some, begun):
                yield Progress(done, total, f"unit {unit}{words}")
                alive = await _scan().probe(ask, unit, thorough=thorough)
                if alive is not None:
                    yield await _unit(ask, here, alive, known)

        if form is not None and take is not None:
            for first in range(0, len(units), LENT_UNITS):
                some = units[first : first + LENT_UNITS]
                for event in await _lent(
                    take, here, timeout_s, partial(asked, some=some, begun=begun + first)
                ):
                    yield event
        elif ask is not None:
            async for event in asked(ask, units):
                yield event
        else:
            async with own_line(here, timeout_s, pause_s) as own:
                async for event in asked(own, units):
                    yield event
    yield Progress(total, total, "done")


def _scan() -> Any:
    from protocols.field.modbus import scan  # noqa: PLC0415 - pymodbus is loaded when it is needed

    return scan


def own_line(settings: Mapping[str, Any], timeout_s: float, pause_s: float) -> Any:
    """Return a line of the scan's own. Raises Rejected (`address`) for settings that are none."""
    if settings.get("host"):
        host_name(str(settings["host"]))
    try:
        return _scan().OwnLine(settings, timeout_s=timeout_s, pause_s=pause_s)
    except ValidationError as error:
        words = "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors())
        raise Rejected("address", f"this line cannot be opened: {words}") from error


async def _lent(
    take: Take, settings: Mapping[str, Any], timeout_s: float, asked: Callable[[Ask], Events]
) -> list[Found | Progress]:
    """Return the events of some units on a line that its gateway lends: polling stands still meanwhile."""
    from protocols.field.modbus import ModbusSettings  # noqa: PLC0415

    limits = Limits(timeout_ms=max(10, round(timeout_s * 1000)), retries=0)

    async def have(line: Any) -> list[Found | Progress]:
        async def ask(question: Any) -> Any:
            return await line.probe(question, limits)

        return [event async for event in asked(ask)]

    async def act(driver: Any) -> list[Found | Progress]:
        lent: list[Found | Progress] = await driver.lend(ModbusSettings.model_validate(settings), have)
        return lent

    events: list[Found | Progress] = await take(act)
    return events


async def _unit(ask: Ask, line: Mapping[str, Any], alive: Any, profiles: list[Profile]) -> Found:
    from edge.tools.fitting import fit_unit  # noqa: PLC0415 - beside the stack it needs
    from protocols.field.modbus import scan  # noqa: PLC0415

    async def read(fc: int, start: int, count: int) -> list[int] | str:
        return await scan.read(ask, alive.unit, fc, start, count)

    fits = await fit_unit(read, alive.identity, profiles)
    identity = " ".join(alive.identity.get(word, "") for word in ("vendor", "product", "revision")).strip()
    answers = ", ".join(f"FC{fc} {what}" for fc, what in alive.areas.items())
    best = f"; fits {fits[0].profile} ({fits[0].good} of {fits[0].tried} points)" if fits else ""
    detail = {
        "unit": alive.unit,
        "areas": {f"fc{fc}": what for fc, what in alive.areas.items()},
        "identity": alive.identity,
        "profiles": [
            {
                "profile": fit.profile,
                "name": fit.name,
                "good": fit.good,
                "tried": fit.tried,
                "score": fit.score,
            }
            for fit in fits[:5]
        ],
    }
    suggestion: dict[str, Any] = {
        "connections": {
            "protocol": "modbus",
            "settings": {
                key: str(value) if isinstance(value, Path) else value for key, value in line.items()
            },
        },
    }
    if fits:
        suggestion["devices"] = {"profile": fits[0].profile, "params": {"unit": alive.unit}}
    form = f" ({line['baud']} baud, parity {line['parity']})" if "parity" in line else ""
    title = f"unit {alive.unit}{form}: {identity or 'no identity'}{best} [{answers}]"
    return Found("unit", str(alive.unit), title, detail, suggestion)


async def scan_opcua(
    url: str,
    *,
    nodes: bool = True,
    most: int = 2000,
    find: str = "",
    profiles: Iterable[Profile] = (),
    **security: Any,
) -> Events:
    """Yield servers, endpoints with their security, and with `nodes` what it has. Raises ConnectionLost.

    `security`: settings of the connection beside the url (`OpcUaSettings`), such as username.
    """
    from protocols.field.opcua import OpcUaSettings, scan  # noqa: PLC0415 - asyncua weighs 90 MB

    try:
        settings = OpcUaSettings(url=web_address(url, "opc.tcp://192.0.2.10:4840"), **security)
    except ValidationError as error:
        raise Rejected("settings", in_words(error)) from error
    async for event in scan.discover(settings.url):
        yield event
    if nodes:
        known = list(profiles)
        written = settings.model_dump(mode="json", exclude_unset=True, exclude={"pki_dir"})
        connection = {"protocol": "opcua", "settings": written}
        async for event in scan.browse(settings, most=most, find=find):
            yield with_profile(event, connection, known) if isinstance(event, Found) else event


async def scan_mqtt(
    host: str,
    port: int | None = None,
    *,
    topic: str = "#",
    seconds: float = 10.0,
    profiles: Iterable[Profile] = (),
    **settings: Any,
) -> Events:
    """Yield the topics heard in some seconds, each with its mapping or its profile. Raises ConnectionLost.

    `settings` are further ones of the broker, as a gateway file says them: sign-in, TLS, version.
    """
    from protocols.field.mqtt import scan  # noqa: PLC0415 - aiomqtt is loaded when it is needed

    known = list(profiles)
    broker, connection = _broker("mqtt", host, port, settings)
    async for event in scan.listen(broker, topic=topic, seconds=seconds):
        yield with_profile(event, connection, known) if isinstance(event, Found) else event


async def scan_sparkplug(
    host: str,
    port: int | None = None,
    *,
    seconds: float = 10.0,
    rebirth: bool = False,
    profiles: Iterable[Profile] = (),
    **settings: Any,
) -> Events:
    """Yield edge nodes and devices heard in some seconds, with their metrics. Raises ConnectionLost.

    `rebirth` asks nodes whose births were missed to repeat them; nothing else is ever published.
    """
    from protocols.field.sparkplug import scan  # noqa: PLC0415 - loaded when it is needed

    known = list(profiles)
    broker, connection = _broker("sparkplug", host, port, settings)
    async for event in scan.listen(broker, seconds=seconds, rebirth=rebirth):
        yield with_metrics(event, connection, known) if isinstance(event, Found) else event


def _broker(
    protocol: str, host: str, port: int | None, settings: Mapping[str, Any]
) -> tuple[BrokerSettings, dict[str, Any]]:
    """Return a broker's settings, and a gateway file's entry for it. Raises Rejected (`settings`)."""
    from protocols.field.mqtt.broker import BrokerSettings  # noqa: PLC0415 - loaded when it is needed

    given = {name: value for name, value in settings.items() if value is not None}
    if not given.get("tls"):
        given.pop("tls", None)
    given = {"host": host_name(host), **({"port": port} if port else {}), **given}
    try:
        broker = BrokerSettings.model_validate(given)
    except ValidationError as error:
        raise Rejected("settings", in_words(error)) from error
    entry = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    return broker, {"protocol": protocol, "settings": {**entry, "port": broker.port}}


def in_words(error: ValidationError) -> str:
    """Return what settings lack, as one sentence."""
    return "; ".join(str(item["msg"]).removeprefix("Value error, ") for item in error.errors())


async def scan_cameras(
    base_url: str | None = None,
    *,
    paths: Sequence[str] = (),
    seconds: float = 4.0,
    target: tuple[str, int] | None = None,
    username: str | None = None,
    password_file: Path | None = None,
    timeout_s: float = 3.0,
) -> Events:
    """Yield cameras: with `base_url` its snapshot `paths` (or usual ones) and what it says by ONVIF, else
    what answers ONVIF discovery.

    `target` asks one host instead of the whole network. Raises ConnectionLost.
    """
    if base_url is not None:
        from protocols.field.camera import scan  # noqa: PLC0415 - Pillow is loaded when it is needed

        address = web_address(base_url, "http://192.0.2.64")
        account: dict[str, Any] = {"username": username, "password_file": password_file}
        probed = scan.probe(address, paths=paths or scan.PATHS, timeout_s=timeout_s, **account)
        async for event in probed:
            yield event
        found = scan.identify(address, timeout_s=timeout_s, **account)
    else:
        from protocols.field.camera import discovery  # noqa: PLC0415

        found = discovery.discover(seconds, target or discovery.GROUP)
    async for event in found:
        yield event
