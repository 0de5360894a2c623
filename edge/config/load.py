"""Reads a gateway file and the profiles it names; every mistake in all of them is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

import firmware_configs
from edge.config.acting import check_acting
from edge.config.adopting import Adopted, AdoptionEntry, members
from edge.config.claims import Claims, with_client_id
from edge.config.conditions import check_conditions, condition_ids
from edge.config.document import Document, Path_, parse, read
from edge.config.links import check_links
from edge.config.mistakes import explain, nearest
from edge.config.models import ConnectionEntry, DeviceEntry, GatewayFile, SiteEntry
from edge.config.picturing import check_cameras
from edge.config.rules import Link, check_rules, links
from edge.config.serving import check_page
from edge.config.texts import Texts
from protocols.errors import ConfigError, Rejected
from protocols.field.base import Driver
from protocols.field.registry import driver_class, protocols
from protocols.model.device import PointProfile, Profile, profile_model

SHIPPED_PROFILES: Final = Path(firmware_configs.__file__).parent / "profiles"
Entry = TypeVar("Entry", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A gateway file without mistakes, with what it refers to.

    `settings` and `params` are keyed by connection and device; `drivers` by protocol. `adopted` are the
    devices of `entry` that no person has written there. Relative paths in the file are meant from the
    folder it lies in, and are absolute here.
    """

    file: Path
    entry: GatewayFile
    profiles: Mapping[str, Profile]
    drivers: Mapping[str, type[Driver]]
    settings: Mapping[str, BaseModel]
    params: Mapping[str, Mapping[str, Any]]
    adopted: Mapping[str, Adopted]
    state_dir: Path
    ca_file: Path | None


def load(path: Path, standard: Sequence[PointProfile] = (), texts: Texts | None = None) -> Loaded:
    """Read the gateway file at `path`, or `texts` as if they lay there.

    `standard` are the points that every device has beside those of its profile (its health). Raises
    ConfigError with every mistake of the file and of the profiles it uses.
    """
    document = read(path) if texts is None else parse(path, texts.file)
    if document.data is None:
        raise ConfigError(document.mistakes)
    reader = _Reader(document, standard, None if texts is None else texts.profiles)
    reader.check()
    entry = _validated(document)
    mistakes = [*document.mistakes, *reader.profile_mistakes]
    if mistakes or entry is None:
        raise ConfigError(
            sorted(
                mistakes, key=lambda found: (found.file != str(path), found.file, found.line, found.column)
            )
        )
    here = path.resolve().parent
    ca_file = here / entry.centre.ca_file if entry.centre and entry.centre.ca_file else None
    return Loaded(
        file=path,
        entry=entry,
        profiles={name: profile for name, profile in reader.profiles.items() if profile},
        drivers=reader.drivers,
        settings=reader.settings,
        params=reader.params,
        adopted=reader.adopted,
        state_dir=here / entry.state_dir,
        ca_file=ca_file,
    )


def read_profile(path: Path, text: str | None = None) -> tuple[Profile | None, Document]:
    """Read one profile, from `text` where given; what is wrong with it is in the document's mistakes."""
    document = read(path) if text is None else parse(path, text)
    profile = None if document.data is None else check_profile(document)
    if profile is not None and profile.id != path.stem:
        document.mistake(
            ("id",),
            f"id {profile.id!r} is not the file's name",
            f"id: {path.stem}",
            "rename the file or the id",
        )
    return profile, document


def check_profile(document: Document) -> Profile | None:
    """Return the profile that a document is; its mistakes are noted there, and None is one that is none."""
    try:
        profile = Profile.model_validate(document.data)
    except ValidationError as error:
        explain(document, error, _model_of(document.data))
        return None
    for section, i, problem, repair in profile.unproved():
        document.mistake((section, i), problem, "what can be proved on the wire", repair)
    seen: set[str] = set()
    for i, point in enumerate(profile.points):
        _check_point(document, ("points", i), point)
        for j, alarm in enumerate(point.alarms):
            if alarm.key in seen:
                document.mistake(
                    ("points", i, "alarms", j, "key"),
                    f"alarm {alarm.key!r} is listed twice in this profile",
                    "each key once in a profile, because it names the rule of the device",
                    "give one of the two another key",
                )
            seen.add(alarm.key)
    return profile


def _model_of(record: object) -> type[Profile]:
    """Return the model that a wrong profile was held against."""
    protocol = record.get("protocol") if isinstance(record, dict) else None
    try:
        return profile_model(str(protocol))
    except Rejected:
        return Profile


def _check_point(document: Document, at: Path_, point: PointProfile) -> None:
    for low, high in (("min", "max"), ("write_min", "write_max")):
        least, most = getattr(point, low), getattr(point, high)
        if least is not None and most is not None and least >= most:
            document.mistake(
                (*at, low), f"{low} {least} is not below {high} {most}", f"{low} < {high}", "swap them"
            )
    if point.scale == 0:
        document.mistake(
            (*at, "scale"), "scale 0 loses the value", "a scale other than 0", "write 1 for no scaling"
        )
    if point.min is not None and point.max is not None and point.deadband >= point.max - point.min:
        document.mistake(
            (*at, "deadband"),
            f"deadband {point.deadband} is as wide as the range {point.min} to {point.max}",
            "a deadband well below the range",
            "write 1 % of the range or less",
        )


def _validated(document: Document) -> GatewayFile | None:
    try:
        return GatewayFile.model_validate(document.data)
    except ValidationError as error:
        explain(document, error, GatewayFile)
        return None


class _Reader:
    """Checks what pydantic cannot see: that names meet. Works on the entries that are whole by themselves."""

    def __init__(
        self, document: Document, standard: Sequence[PointProfile], own: Mapping[str, str] | None
    ) -> None:
        self.document = document
        self.own = own
        self.standard = tuple(standard)
        self.profiles: dict[str, Profile | None] = {}
        self.profile_mistakes: list[Any] = []
        self.drivers: dict[str, type[Driver]] = {}
        self.settings: dict[str, BaseModel] = {}
        self.params: dict[str, Mapping[str, Any]] = {}
        self.adopted: dict[str, Adopted] = {}
        self.points: dict[str, PointProfile] = {}
        self.rules: set[str] = set()
        self._cameras: dict[str, bool] = {}
        self._links: list[tuple[Path_, str, Link]] = []
        self._named = 0
        self._claims = Claims(document)
        self._folder = Path(document.file).resolve().parent
        self.data: Mapping[str, Any] = document.data if isinstance(document.data, dict) else {}

    def check(self) -> None:
        self._unique("sites")
        self._unique("connections")
        self._unique("devices")
        self._unique("adoptions")
        sites = self._keys("sites")
        protocols = self._connections()
        ca_file = self._mapping(self.data.get("centre")).get("ca_file")
        if isinstance(ca_file, str) and not (self._folder / ca_file).is_file():
            self.document.mistake(
                ("centre", "ca_file"),
                f"there is no file {ca_file!r}",
                "a PEM file with the centre's authority",
                "copy it here, or remove the line where the system knows the authority",
            )
        check_page(self.document, self._mapping(self.data.get("page")), self._folder)
        gateway_site = self._mapping(self.data.get("gateway")).get("site")
        if isinstance(gateway_site, str) and gateway_site not in sites:
            self._unknown(("gateway", "site"), "site", gateway_site, sites)
        list(self._entries("sites", SiteEntry))
        self._adopt(sites, protocols)
        for i, device in self._entries("devices", DeviceEntry):
            at: Path_ = ("devices", i)
            if device.site not in sites:
                self._unknown((*at, "site"), "site", device.site, sites)
            profile = self._profile((*at, "profile"), device.profile)
            protocol = protocols.get(device.connection)
            if device.connection not in protocols:
                self._unknown((*at, "connection"), "connection", device.connection, protocols)
            elif profile is not None and protocol is not None and profile.protocol != protocol:
                self._other_protocol((*at, "connection"), device, protocol, profile.protocol)
            if protocol is not None:
                self._params(i, device, protocol)
            driver = self.drivers.get(protocol or "")
            self._cameras[device.key] = driver is not None and driver.takes_pictures
            if profile is not None:
                self._names(device, profile)
                self._periods(i, device, profile)
                check_rules(self.document, (*at, "alarms"), device, profile, self.standard)
                self._links += (
                    ((*at, "alarms"), f"{device.key}.{link.key}", link)
                    for link in links(device, profile, self.standard)
                )
        # Names of a device that is wrong itself are not missing; its own mistake comes first.
        if self._named == len(self._list("devices")):
            check_conditions(self.document, self.data, self.points, self.rules)
            conditions = condition_ids(self.data)
            self.rules |= {rule for rule, _ in conditions}
            check_links(self.document, self._links, conditions, self.points, self.rules)
            check_acting(self.document, self.data, self.points, self.rules)
            check_cameras(self.document, self._list("devices"), self._cameras)

    def _other_protocol(
        self, at: Path_, entry: DeviceEntry | AdoptionEntry, spoken: str, wanted: str
    ) -> None:
        self.document.mistake(
            at,
            f"connection {entry.connection!r} speaks {spoken}, but profile {entry.profile!r} is for {wanted}",
            f"a {wanted} connection",
            "name another connection or another profile",
        )

    def _adopt(self, sites: list[str], protocols: Mapping[str, str | None]) -> None:
        """Check the rules by which devices join, and add those that have; a wrong rule brings none."""
        rules: list[AdoptionEntry] = []
        for i, rule in self._entries("adoptions", AdoptionEntry):
            at: Path_ = ("adoptions", i)
            before = len(self.document.mistakes)
            if rule.site not in sites:
                self._unknown((*at, "site"), "site", rule.site, sites)
            if rule.connection not in protocols:
                self._unknown((*at, "connection"), "connection", rule.connection, protocols)
            profile = self._profile((*at, "profile"), rule.profile)
            driver = self.drivers.get(protocols.get(rule.connection) or "")
            if profile is None or driver is None:
                continue
            if profile.protocol != driver.protocol:
                self._other_protocol((*at, "profile"), rule, driver.protocol, profile.protocol)
                continue
            try:
                driver.check_watch(rule.watch(profile))
            except ValueError as error:
                expected = "a topic in which `{device}` is the device's name, and a profile that uses it"
                self.document.mistake((*at, "topic"), str(error), expected, "correct the rule or the profile")
            if len(self.document.mistakes) == before:
                rules.append(rule)
        state = self._folder / str(self.data.get("state_dir", ""))
        joined = members(rules, state, self._keys("devices"))
        self.adopted = {key: one for key, (_, one) in joined.items()}
        if joined:
            devices = [*self._list("devices"), *(rule.device(one.name) for rule, one in joined.values())]
            self.document.data = self.data = {**self.data, "devices": devices}

    def _names(self, device: DeviceEntry, profile: Profile) -> None:
        """Note what other sections may refer to: the device's points, and its alarms in force."""
        self._named += 1
        points = (*profile.points, *self.standard)
        self.points |= {f"{device.key}.{point.key}": point for point in points}
        keys = {alarm.key for point in points for alarm in point.alarms}
        keys |= {entry.key for entry in device.alarms}
        keys -= {entry.key for entry in device.alarms if entry.disabled}
        self.rules |= {f"{device.key}.{key}" for key in keys}

    def _connections(self) -> dict[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(self._keys("connections"))
        gateway = self._mapping(self.data.get("gateway")).get("id")
        for i, connection in self._entries("connections", ConnectionEntry):
            at: Path_ = ("connections", i)
            found[connection.key] = connection.protocol
            driver = self._driver((*at, "protocol"), connection.protocol)
            if driver is None:
                continue
            try:
                given = with_client_id(driver, connection.settings, gateway, connection.key)
                settings = driver.Settings.model_validate(given)
            except ValidationError as error:
                explain(self.document, error, driver.Settings, (*at, "settings"))
            else:
                # A relative file is meant from the gateway file, wherever the process was started.
                files = {name: self._folder / value for name, value in settings if isinstance(value, Path)}
                self._files((*at, "settings"), driver, files)
                if driver.folder_setting and driver.folder_setting not in files:
                    state = self._folder / str(self.data.get("state_dir", ""))
                    files[driver.folder_setting] = state / driver.protocol
                self.settings[connection.key] = settings = settings.model_copy(update=files)
                self._claims.check((*at, "settings"), connection.key, settings)
        return found

    def _files(self, at: Path_, driver: type[Driver], files: Mapping[str, Path]) -> None:
        for name in driver.must_exist:
            if name in files and not files[name].is_file():
                self.document.mistake(
                    (*at, name),
                    f"there is no file {str(files[name])!r}",
                    "a file that the gateway's account can read",
                    "copy it there, or correct the path; a relative one is meant from this file",
                )

    def _driver(self, at: Path_, protocol: str) -> type[Driver] | None:
        if protocol not in self.drivers:
            try:
                self.drivers[protocol] = driver_class(protocol)
            except Rejected as error:
                problem, _, repair = str(error).partition("; ")
                if error.reason == "unknown-protocol":
                    repair = f"{nearest(protocol, protocols())} Else {repair.rpartition(' or ')[2]}"
                self.document.mistake(at, problem, "an installed driver", repair)
                return None
        return self.drivers[protocol]

    def _params(self, i: int, device: DeviceEntry, protocol: str) -> None:
        driver = self.drivers.get(protocol)
        if driver is None:
            return
        try:
            self.params[device.key] = driver.Params.model_validate(device.params).model_dump()
        except ValidationError as error:
            explain(self.document, error, driver.Params, ("devices", i, "params"))

    def _periods(self, i: int, device: DeviceEntry, profile: Profile) -> None:
        known = [point.key for point in profile.points]
        periods = {"fast": 1.0, "normal": 5.0, "slow": 60.0, **self._mapping(self.data.get("periods"))}
        allowed = {float(value) for value in periods.values() if isinstance(value, int | float)}
        for key, period in device.periods.items():
            at: Path_ = ("devices", i, "periods", key)
            if key not in known:
                self._unknown(at, "point", key, known)
            elif not isinstance(period, str) and period not in allowed:
                shown = ", ".join(f"{name} ({value:g} s)" for name, value in periods.items())
                self.document.mistake(
                    at,
                    f"{period:g} s is none of this gateway's periods",
                    f"one of {shown}",
                    "use one of these, or change `periods:` of the gateway",
                )

    def _profile(self, at: Path_, name: str) -> Profile | None:
        if name in self.profiles:
            return self.profiles[name]
        folders = [SHIPPED_PROFILES]
        own = self.data.get("profiles")
        if isinstance(own, str):
            folders.insert(0, self._folder / own)
        self.profiles[name] = None
        for folder in folders:
            path = folder / f"{name}.yaml"
            if self.own is None or folder is SHIPPED_PROFILES:
                text, exists = None, "/" not in name and path.is_file()
            else:
                text, exists = self.own.get(name), name in self.own
            if exists:
                profile, document = read_profile(path, text)
                self.profile_mistakes += document.mistakes
                self.profiles[name] = profile
                return profile
        known = [path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")]
        self._unknown(at, "profile", name, known)
        return None

    def _unknown(self, at: Path_, what: str, name: str, known: Iterable[str]) -> None:
        self.document.mistake(
            at, f"{what} {name!r} does not exist", f"the key of a {what}", nearest(name, known)
        )

    def _unique(self, section: str) -> None:
        first: dict[str, int] = {}
        for i, item in enumerate(self._list(section)):
            key = self._mapping(item).get("key")
            if not isinstance(key, str):
                continue
            if key in first:
                line, _ = self.document.place((section, first[key], "key"))
                self.document.mistake(
                    (section, i, "key"),
                    f"{section.removesuffix('s')} {key!r} exists already in line {line}",
                    "each key once",
                    "give one of the two another key",
                )
            first.setdefault(key, i)

    def _entries(self, section: str, model: type[Entry]) -> Iterator[tuple[int, Entry]]:
        for i, item in enumerate(self._list(section)):
            try:
                yield i, model.model_validate(item)
            except ValidationError:
                continue  # already reported with the whole file

    def _keys(self, section: str) -> list[str]:
        keys = (self._mapping(item).get("key") for item in self._list(section))
        return [key for key in keys if isinstance(key, str)]

    def _list(self, section: str) -> list[Any]:
        found = self.data.get(section)
        return found if isinstance(found, list) else []

    @staticmethod
    def _mapping(value: Any) -> Mapping[str, Any]:
        return value if isinstance(value, dict) else {}
