"""Settings of the centre: few, each with a safe default, each from one environment variable."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from protocols.errors import ConfigError, Mistake

DEFAULT_PORT = 8600
RATE = {"account": 100, "address": 20}
OIDC = "CITYNERVE_" + "OIDC_"
RETENTION_DAYS: Mapping[str, int] = {"critical": 3652, "standard": 731, "diagnostic": 90}
"""Ten years, two years, three months; leap days counted."""
LOOPBACK = ("127.0.0.0/8", "::1/128")
INSIDE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", *LOOPBACK)
"""What is for private use (RFC 1918, RFC 4193), and this machine."""
PICTURES: Mapping[str, int] = {"hours": 1, "days": 90, "mb": 4096}
ROLLUP_DAYS: Mapping[str, int] = {"1m": 3652, "1h": 0, "1d": 0}
"""0: for ever. A point takes 8,760 hourly rows a year, under a megabyte."""


def default_data_dir() -> Path:
    """Return where the centre keeps its database: `/var/lib/citynerve` for root, else the user's own."""
    if os.geteuid() == 0:
        return Path("/var/lib/citynerve")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "citynerve"


@dataclass(frozen=True, slots=True)
class Config:
    """How one centre runs.

    data_dir      folder of the embedded PostgreSQL (CITYNERVE_DATA)
    database_url  a PostgreSQL server instead of the embedded one (CITYNERVE_DATABASE_URL, or the path of a
                  file that holds it, CITYNERVE_DATABASE_URL_FILE: a password in a file is in no process list)
    host, port    where it listens (CITYNERVE_HOST, CITYNERVE_PORT); this machine only by default
    map_dir       folder with the city's GeoJSON for GET /map (CITYNERVE_MAP_DIR)
    map_style     address of a MapLibre style to draw instead, such as a national tile service's; pages
                  may then fetch from that one origin (CITYNERVE_MAP_STYLE)
    due_minutes   minutes until a case is due, by priority; what is left out keeps its default
                  (CITYNERVE_DUE_MINUTES=P1=30,P2=120,P3=480,P4=1440)
    key_figures   patterns of the point keys on the first screen, the more important first; none: the
                  product's own (CITYNERVE_KEY_FIGURES=*level*,*flow*)
    retention_days, rollup_days
                  days that readings stay by class, and rollups by width, 0 for ever; no rollup goes before
                  its readings (CITYNERVE_RETENTION=standard=400,diagnostic=30,
                  CITYNERVE_RETENTION_ROLLUPS=1m=4000)
    archive       readings are written to Parquet in `data_dir/archive` before they are deleted
                  (CITYNERVE_ARCHIVE=1)
    key_file      key that seals second factors; none: `security.key` in data_dir (CITYNERVE_KEY_FILE).
                  The same for every replica
    alarm_positions  operators who share the alarm list: a flood is more than 10 calls in 10 minutes for each
                  of them (CITYNERVE_ALARM_POSITIONS=1)
    status_from   networks that may ask /metrics and /healthz beside this machine; `*` is everybody
                  (CITYNERVE_STATUS_FROM=10.1.0.0/16)
    proxies       networks of proxies beside this machine whose word about where a request comes from is taken
                  (CITYNERVE_PROXIES=172.18.0.1)
    rate_account, rate_address
                  requests a second that the API takes in the long run from one account, and from one address
                  that does not say who it is; 0: any number (CITYNERVE_RATE=account=100,address=20)
    oidc          settings of the sign-in elsewhere, as they are; read by `central.security.oidc_settings`
    hooks_private networks of private addresses that webhooks and SMS gateways may lie in; none: only public
                  addresses are called (CITYNERVE_HOOKS_PRIVATE=10.20.0.0/16,192.168.7.5)
    mail_private  networks of private addresses that SMTP servers may lie in, instead of all that are private
                  use and this machine; `none`: only public ones (CITYNERVE_MAIL_PRIVATE=10.20.0.25)
    pictures      how long cameras' pictures stay: `hours` of the wall's, `days` of evidence and of what was
                  asked for, `mb` megabytes of all together (CITYNERVE_PICTURES=hours=1,days=90,mb=4096)
    secure        cookies only over https, and browsers told to come by https only for a year (HSTS); set
                  it behind TLS (CITYNERVE_SECURE=1)
    log_level     debug, info, warning or error (CITYNERVE_LOG_LEVEL)
    """

    data_dir: Path
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    map_dir: Path | None = None
    map_style: str | None = None
    due_minutes: Mapping[str, int] = field(default_factory=dict)
    key_figures: tuple[str, ...] = ()
    retention_days: Mapping[str, int] = field(default_factory=lambda: dict(RETENTION_DAYS))
    rollup_days: Mapping[str, int] = field(default_factory=lambda: dict(ROLLUP_DAYS))
    archive: bool = False
    status_from: tuple[str, ...] = LOOPBACK
    proxies: tuple[str, ...] = LOOPBACK
    key_file: Path | None = None
    hooks_private: tuple[str, ...] = ()
    mail_private: tuple[str, ...] = INSIDE
    alarm_positions: int = 1
    rate_account: int = RATE["account"]
    rate_address: int = RATE["address"]
    oidc: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, int] = field(default_factory=lambda: dict(PICTURES))
    secure: bool = False
    log_level: str = "info"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the environment; every wrong variable is reported at once by ConfigError."""
        mistakes: list[Mistake] = []

        def wrong(name: str, expected: str, repair: str) -> None:
            secret = name == "CITYNERVE_DATABASE_URL"
            problem = "this cannot be used" if secret else f"{environ[name]!r} cannot be used"
            mistakes.append(Mistake("environment", 0, 0, name, problem, expected, repair))

        port = DEFAULT_PORT
        if "CITYNERVE_PORT" in environ:
            text = environ["CITYNERVE_PORT"]
            if text.isdecimal() and int(text) < 65_536:
                port = int(text)
            else:
                wrong("CITYNERVE_PORT", "a TCP port, 0 to 65535", f"set CITYNERVE_PORT={DEFAULT_PORT}")
        url = environ.get("CITYNERVE_DATABASE_URL") or None
        if environ.get("CITYNERVE_DATABASE_URL_FILE"):
            try:
                url = Path(environ["CITYNERVE_DATABASE_URL_FILE"]).read_text().strip()
            except OSError as error:
                repair = f"{error.strerror}: name a file that this account may read"
                wrong("CITYNERVE_DATABASE_URL_FILE", "a file that holds the URL", repair)
        if url and not url.startswith(("postgresql://", "postgres://")):
            wrong(
                "CITYNERVE_DATABASE_URL",
                "postgresql://user:password@host:5432/database",
                "write the URL so, or unset it to use the embedded PostgreSQL",
            )
        level = environ.get("CITYNERVE_LOG_LEVEL", "info").lower()
        if level not in {"debug", "info", "warning", "error"}:
            wrong("CITYNERVE_LOG_LEVEL", "debug, info, warning or error", "set CITYNERVE_LOG_LEVEL=info")
        maps = environ.get("CITYNERVE_MAP_DIR") or None
        if maps and not Path(maps).is_dir():
            wrong("CITYNERVE_MAP_DIR", "a folder with GeoJSON files", "name an existing folder")
        style = environ.get("CITYNERVE_MAP_STYLE") or None
        if style and not _is_address(style):
            wrong(
                "CITYNERVE_MAP_STYLE",
                "the address of a MapLibre style, https://host/path/style.json",
                "write the whole address, or unset it to draw the city's own map",
            )
        due = _due_minutes(environ.get("CITYNERVE_DUE_MINUTES", ""))
        if due is None:
            wrong("CITYNERVE_DUE_MINUTES", "P1=30,P2=120 and so on, in minutes", "write it so, or unset it")
        kept, rolled = _retention(environ, wrong)
        positions = environ.get("CITYNERVE_ALARM_POSITIONS", "1")
        if not (positions.isdecimal() and 1 <= int(positions) <= 1000):
            wrong("CITYNERVE_ALARM_POSITIONS", "a number of operators, 1 to 1000", "write it so, or unset it")
        status_from = _networks(environ.get("CITYNERVE_STATUS_FROM", ""))
        if status_from is None:
            wrong("CITYNERVE_STATUS_FROM", "10.1.0.0/16,192.0.2.7 or *", "name networks so, or unset it")
        proxies = _proxies(environ.get("CITYNERVE_PROXIES", ""), wrong)
        rate = _rates(environ.get("CITYNERVE_RATE", ""))
        if rate is None:
            wrong("CITYNERVE_RATE", "account=100,address=20, requests a second", "write it so, or unset it")
        hooks_private, mail_private = _private(environ, wrong)
        pictures = _pictures(environ, wrong)
        if mistakes:
            raise ConfigError(mistakes)
        return cls(
            data_dir=Path(environ.get("CITYNERVE_DATA") or default_data_dir()),
            database_url=url,
            host=environ.get("CITYNERVE_HOST", "127.0.0.1"),
            port=port,
            map_dir=Path(maps) if maps else None,
            map_style=style,
            due_minutes=due or {},
            key_figures=tuple(filter(None, environ.get("CITYNERVE_KEY_FIGURES", "").split(","))),
            retention_days=kept,
            rollup_days=rolled,
            archive=_yes(environ.get("CITYNERVE_ARCHIVE", "")),
            hooks_private=hooks_private,
            mail_private=mail_private,
            alarm_positions=int(positions),
            status_from=status_from or LOOPBACK,
            proxies=proxies,
            rate_account=(rate or RATE)["account"],
            rate_address=(rate or RATE)["address"],
            oidc={name: value for name, value in environ.items() if name.startswith(OIDC)},
            pictures=pictures,
            secure=_yes(environ.get("CITYNERVE_SECURE", "")),
            key_file=Path(environ["CITYNERVE_KEY_FILE"]) if environ.get("CITYNERVE_KEY_FILE") else None,
            log_level=level,
        )


def _is_address(text: str) -> bool:
    """Say whether the text is an address that a browser can fetch, and that ends no header early."""
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc))


def _rates(text: str) -> dict[str, int] | None:
    """Return the rates in `account=100,address=20`; None where it is not written so."""
    rates = dict(RATE)
    for part in filter(None, text.split(",")):
        name, _, number = part.strip().partition("=")
        if name not in rates or not number.isdecimal():
            return None
        rates[name] = int(number)
    return rates


def _due_minutes(text: str) -> dict[str, int] | None:
    """Return the minutes by priority in `P1=30,P2=120`; None where it is not written so."""
    minutes: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        priority, _, number = part.strip().partition("=")
        if priority not in {"P1", "P2", "P3", "P4"} or not number.isdecimal() or not int(number):
            return None
        minutes[priority] = int(number)
    return minutes


def _numbers(text: str, defaults: Mapping[str, int]) -> dict[str, int] | None:
    """Return `name=number,…` laid over the defaults; None where it is not written so."""
    numbers = dict(defaults)
    for part in filter(None, text.split(",")):
        name, _, number = part.strip().partition("=")
        if name not in defaults or not number.isdecimal() or len(number) > 6:
            return None
        numbers[name] = int(number)
    return numbers


def _yes(text: str) -> bool:
    return text in {"1", "true", "yes"}


def _networks(text: str, always: tuple[str, ...] = LOOPBACK) -> tuple[str, ...] | None:
    """Return networks that always hold and those that are named; None where one is no network."""
    if text.strip() == "*":
        return ("0.0.0.0/0", "::/0")
    found = list(always)
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(str(ipaddress.ip_network(part)))
        except ValueError:
            return None
    return tuple(found)


def _proxies(text: str, wrong: Callable[[str, str, str], None]) -> tuple[str, ...]:
    """Return networks; not everybody: who may say where he comes from may ask as often as he likes."""
    found = None if "*" in text else _networks(text)
    if found is None:
        wrong("CITYNERVE_PROXIES", "the proxies' own addresses: 172.18.0.1", "write it so, or unset it")
    return found or LOOPBACK


def _private(
    environ: Mapping[str, str], wrong: Callable[[str, str, str], None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the private networks that may be called, and those that a mail server may lie in."""
    hooks = _networks(environ.get("CITYNERVE_HOOKS_PRIVATE", ""), ())
    if hooks is None:
        wrong("CITYNERVE_HOOKS_PRIVATE", "networks: 10.20.0.0/16,192.168.7.5", "write it so, or unset it")
    text = environ.get("CITYNERVE_MAIL_PRIVATE", "").strip()
    mail = () if text == "none" else _networks(text, ()) if text else INSIDE
    if mail is None:
        wrong(
            "CITYNERVE_MAIL_PRIVATE",
            "networks: 10.20.0.25,192.168.7.0/24; or none, for public mail servers only",
            "write it so, or unset it to allow every private network",
        )
    return hooks or (), mail or ()


def _pictures(environ: Mapping[str, str], wrong: Callable[[str, str, str], None]) -> dict[str, int]:
    """Return how long cameras' pictures stay, and how many."""
    kept = _numbers(environ.get("CITYNERVE_PICTURES", ""), PICTURES)
    if kept is None or not all(kept.values()):
        wrong("CITYNERVE_PICTURES", "hours=1,days=90,mb=4096, none of them 0", "write it so, or unset it")
    return kept or dict(PICTURES)


def _retention(
    environ: Mapping[str, str], wrong: Callable[[str, str, str], None]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the days of readings by class and of rollups by width."""
    kept = _numbers(environ.get("CITYNERVE_RETENTION", ""), RETENTION_DAYS)
    if kept is None or not all(kept.values()):
        kept = dict(RETENTION_DAYS)
        wrong("CITYNERVE_RETENTION", "critical=3652,standard=731, in days", "write it so, or unset it")
    least = max(kept.values())
    longest = {name: days and max(days, least) for name, days in ROLLUP_DAYS.items()}
    rolled = _numbers(environ.get("CITYNERVE_RETENTION_ROLLUPS", ""), longest)
    if rolled is None or any(0 < days < least for days in rolled.values()):
        wrong(
            "CITYNERVE_RETENTION_ROLLUPS",
            f"1m=4000,1h=0 and so on: at least the {least} days of the readings, or 0, for ever",
            "write it so, or unset it",
        )
    return kept, rolled or longest
