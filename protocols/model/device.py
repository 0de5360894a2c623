"""Device profile: what one device model offers, as a technician writes it in YAML.

One profile serves a driver (how to read it), the console (names, units, limits) and the simulator
(what to serve). Source of the record: `../shared/domain/field_protocols.md` section 7.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocols.model.alarm import MAX_SHELVE_S, AlarmKind, OnBad, Priority
from protocols.model.golden import Golden, Identity, Probe

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Protocol = Literal["modbus", "opcua", "mqtt", "sparkplug", "camera", "snmp"]
PeriodClass = Literal["fast", "normal", "slow"]
DataType = Literal[
    "bool",
    "i16",
    "u16",
    "i32",
    "u32",
    "i64",
    "u64",
    "f32",
    "f64",
    "sm16",
    "sm32",
    "bcd16",
    "bcd32",
    "date6",
    "date3",
    "unix32",
    "unix64",
    "ascii",
    "text",
]
WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

REGISTERS: dict[str, int] = {
    "bool": 1, "i16": 1, "u16": 1, "sm16": 1, "bcd16": 1, "i32": 2, "u32": 2, "f32": 2, "sm32": 2, "bcd32": 2,
    "i64": 4, "u64": 4, "f64": 4, "date6": 6, "date3": 3, "unix32": 2, "unix64": 4,
}  # fmt: skip
"""Registers that one value of a type occupies; `ascii` says its own `length`.

`sm16`, `sm32`: sign and magnitude. Date-times are seconds since 1970 by the device's own clock, of which
nobody knows the zone: `date6` year, month, day, hour, minute, second in a register each; `date3` two of them
in each (minute and second, day and hour, year and month); `unix32` seconds, `unix64` milliseconds.
"""
SNMP_TYPES = ("bool", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "text")


class Strict(BaseModel):
    """A model for people's files: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Strict):
    """A name in both languages of the product."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


def wire_place(register: str) -> tuple[int, int]:
    """Return function code and wire address of a manual's `40001` or `400001`. Raises ValueError."""
    table = {"0": 1, "1": 2, "3": 4, "4": 3}.get(register[:1])
    if table is None or not register.isdecimal() or len(register) not in (5, 6) or int(register[1:]) < 1:
        raise ValueError(
            f"register {register!r} is none like 40001 or 400001 (0 coils, 1 inputs, 3 input registers, "
            "4 holding registers); coils need quotes: '00001'"
        )
    return table, int(register[1:]) - 1


def _manuals(schema: dict[str, Any]) -> None:
    """Let editors know the forms of manuals."""
    schema["required"] = []
    schema["properties"]["register"] = {
        "description": "40001 or 400001, as manuals print it",
        "type": ["integer", "string"],
    }
    schema["properties"]["number"] = {"description": "register counted from 1, with `fc`", "type": "integer"}


class ModbusAddress(Strict):
    """Where a point lies. `address` is the wire address (0-based), whatever the manual prints.

    Two forms of manuals are taken instead and become it: `register` 40001 or 400001 (its first digit is the
    table, counted from 1), and `number` 1 (counted from 1, with `fc`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_manuals)

    fc: Literal[1, 2, 3, 4]
    address: int = Field(ge=0, le=65535)
    order: WordOrder = "ABCD"
    length: int = Field(default=0, ge=0, le=125, description="registers of an ascii value")
    bit: int | None = Field(default=None, ge=0, le=15, description="bit of the register, LSB = 0")
    counter: bool = Field(default=False, description="only counts up: a jump is read twice (torn words)")

    @model_validator(mode="before")
    @classmethod
    def _wire(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        found = dict(data)
        written = [name for name in ("address", "register", "number") if name in found]
        if len(written) > 1:
            raise ValueError(f"{' and '.join(written)} are given; keep one of them")
        if "register" in found:
            fc, found["address"] = wire_place(str(found.pop("register")))
            if found.setdefault("fc", fc) != fc:
                raise ValueError(f"fc {found['fc']} is not the table of the register; leave `fc` out")
        elif "number" in found:
            number = found.pop("number")
            if not isinstance(number, int) or not 1 <= number <= 65_536:
                raise ValueError(f"number {number!r} is none of a manual that counts from 1; give 1 to 65536")
            found["address"] = number - 1
        return found


class OpcUaInput(Strict):
    """One input argument of a method: a `value` of its own, or what the command brings, within limits."""

    value: float | str | None = Field(default=None, description="always this; left out: from the command")
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _limits(self) -> OpcUaInput:
        if self.value is not None and (self.min is not None or self.max is not None):
            raise ValueError("a fixed value needs no limits; remove min and max, or value")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max; correct one of them")
        return self


class OpcUaMethod(Strict):
    """A method that a command calls, on the object that is the point's `node`."""

    node: str = Field(pattern=r"^[sigb]=.+", description="the method's own node id, in the same namespace")
    inputs: tuple[OpcUaInput, ...] = Field(default=(), max_length=32)
    output: int = Field(default=0, ge=0, le=31, description="which output says whether it was done")
    ok: tuple[float | str, ...] = Field(default=(), description="values of that output that mean it was")


class OpcUaAddress(Strict):
    """Node of a point: the namespace by URI and the identifier (`s=…`, `i=…`), `{device}` is filled in.

    sampling_ms and the deadbands are wishes to the server, deadband in the node's own raw unit.
    """

    namespace: str
    node: str = Field(pattern=r"^[sigb]=.+")
    part: str = Field(default="", description="part of an array or structure: [2], Speed, Motor.Phases[0]")
    rewrite: bool = Field(
        default=False, description="write the part by reading the whole value and writing it back, changed"
    )
    method: OpcUaMethod | None = Field(default=None, description="a command calls this method of the node")
    condition: str = Field(
        default="", description="name of an alarm of this source node, `*` for any: the point is its severity"
    )
    sampling_ms: float | None = Field(
        default=None, ge=-1, le=86_400_000, description="sampling interval; 0 as fast as the server can"
    )
    queue: int | None = Field(default=None, ge=1, le=10_000, description="values kept between two reports")
    deadband: float | None = Field(default=None, gt=0, description="smaller changes are not reported")
    deadband_percent: float | None = Field(
        default=None, gt=0, le=100, description="the same in per cent of the node's EURange"
    )

    @model_validator(mode="after")
    def _one_deadband(self) -> OpcUaAddress:
        if self.deadband is not None and self.deadband_percent is not None:
            raise ValueError("deadband and deadband_percent are two ways to say it; remove one of them")
        if self.rewrite and not self.part:
            raise ValueError("rewrite is about a part; give `part`, or remove rewrite")
        if sum((self.method is not None, bool(self.part), bool(self.condition))) > 1:
            raise ValueError("part, method and condition are three kinds of points; keep one of them")
        return self


class MqttBytes(Strict):
    """Where a value lies in a binary payload, and how; the point's type says what it is."""

    offset: int = Field(ge=0, le=65535)
    length: int = Field(default=0, ge=0, le=65535, description="bytes; those of the type where not given")
    order: WordOrder = Field(default="ABCD", description="ABCD is big-endian, DCBA little-endian")
    bit: int | None = Field(default=None, ge=0, le=63, description="one bit of the number, LSB = 0")


class MqttAddress(Strict):
    """Topic and place in the payload; `{device}` is filled in, paths are dotted (`a.b[0].c`)."""

    topic: str = Field(min_length=1)
    format: Literal["json", "csv", "bytes"] = Field(
        default="json", description="json, also for a payload that is the value itself"
    )
    json_path: str = Field(default="", description="of the value; of a row of CSV its column, [0] the first")
    separator: str = Field(default=",", min_length=1, max_length=1, description="between the columns of CSV")
    bytes: MqttBytes | None = Field(default=None, description="place in a binary payload")
    time_path: str = Field(default="", description="dotted path of the source time in the payload")
    time_zone: str = Field(
        default="UTC", description="of source times that name none: an IANA name such as Asia/Shanghai"
    )
    id_path: str = Field(
        default="", description="dotted path of the message's own id: one that came already is ignored"
    )
    command_topic: str = ""
    command_template: str = Field(default="", description='payload of a write, `{"on": {value}}`')
    response_topic: str = Field(default="", description="where the device answers commands")
    response_path: str = Field(default="", description="what of the answer says whether it was done")
    response_ok: str = Field(default="ok", description="that part of the answer when it was done")
    response_id_path: str = Field(
        default="", description="what of the answer repeats the command's {id}, where MQTT 5 does not"
    )

    @model_validator(mode="after")
    def _whole(self) -> MqttAddress:
        if (self.format == "bytes") != (self.bytes is not None):
            raise ValueError("a binary payload needs its place; give both `format: bytes` and `bytes: {…}`")
        if self.format == "bytes" and (self.json_path or self.time_path or self.id_path):
            raise ValueError("a binary payload has no paths; remove json_path, time_path and id_path")
        if self.format == "csv" and not self.json_path:
            raise ValueError('a row of CSV needs its column; give `json_path: "[0]"` for the first')
        if self.separator in '"\r\n' or self.separator == "\0":
            raise ValueError("the separator cannot be a quote or a line end; write `,`, `;` or a tab")
        try:
            self.zone()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{self.time_zone!r} is no time zone; write an IANA name such as Asia/Shanghai"
            ) from None
        if self.response_topic and not self.command_topic:
            raise ValueError("nobody answers where nothing is asked; give `command_topic` too")
        if self.response_id_path and "{id}" not in self.command_template:
            raise ValueError("response_id_path needs an id to repeat; put {id} into command_template")
        return self

    def zone(self) -> tzinfo:
        """Return the zone of times that name none. UTC needs no time zone database."""
        return UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone)


class MqttState(Strict):
    """Topic on which a device says that it is there, and its last will that it is gone."""

    topic: str = Field(min_length=1)
    json_path: str = ""
    online: str = Field(
        default="", description="what it says when it is there; left out: online, on, true, yes or 1"
    )


class SparkplugAddress(Strict):
    """Metric of an edge node or device by its name; `path` finds a part of a composite one (`[0].flow`)."""

    metric: str = Field(min_length=1, description="the metric's name as births tell it")
    path: str = Field(
        default="",
        description="element [3] of an array, cell [0].flow of a DataSet, member flow of a Template",
    )


class CameraAddress(Strict):
    """Which health figure of the camera the point shows."""

    measure: Literal[
        "online", "level", "cause", "latency_ms",
        "frame_age_s", "frame_bytes", "brightness", "exposure", "frozen", "black",
        "sharpness", "blurred", "likeness", "covered", "moved", "relearn",
        "first_packet_ms", "key_frame_ms", "key_frame_bytes", "fps", "kbps", "loss_percent",
        "clock_offset_s", "preset", "events", "motion", "tamper", "signal_loss", "digital_input",
        "fan_failure", "power_failure", "storage_failure", "temperature_critical",
    ]  # fmt: skip


class SnmpAddress(Strict):
    """Object of a point by its whole numeric id (a scalar ends in .0); `{index}` is a table's row."""

    oid: str = Field(
        pattern=r"^[012]\.\d{1,10}(\.(\d{1,10}|\{index\}))+$", description="1.3.6.1.2.1.33.1.2.4.0"
    )
    bit: int | None = Field(
        default=None,
        ge=0,
        le=255,
        description="bit of BITS, 0 is the first octet's highest; of a number, LSB = 0",
    )
    when_true: int = Field(default=1, description="number that means true in a bool; TruthValue says 1")
    when_false: int = Field(default=2, description="number that means false in a bool; TruthValue says 2")
    write_as: Literal["integer", "unsigned", "timeticks", "octets", "ip"] = Field(
        default="integer", description="the object's syntax, for writes"
    )

    @model_validator(mode="after")
    def _whole(self) -> SnmpAddress:
        if self.when_true == self.when_false:
            raise ValueError("when_true and when_false are the same number; give the object's two")
        return self


class AlarmDefault(Strict):
    """Alarm that every device of this model has unless its gateway file says otherwise.

    reference and parent name a point and an alarm of the same device; so does `this.key` in suppress_when.
    """

    key: Key
    kind: AlarmKind
    limit: float | None = Field(default=None, description="every kind but bad_quality has one")
    priority: Priority
    name: Text
    deadband: float = Field(default=0.0, ge=0)
    on_delay_s: float = Field(default=0.0, ge=0)
    off_delay_s: float = Field(default=0.0, ge=0)
    latching: bool = False
    ack_required: bool = True
    rtn_ack: bool = True
    category: str = "equipment"
    response: Text | None = None
    on_bad: OnBad = "hold"
    setpoint: float = 0.0
    reference: str = ""
    window_s: float = Field(default=60.0, gt=0, le=86_400)
    per: Literal["s", "min", "h"] = "s"
    realarm_s: float = Field(default=0.0, ge=0, le=7 * 86_400)
    max_shelve_s: float = Field(default=MAX_SHELVE_S, ge=0, le=7 * 86_400)
    parent: str = ""
    suppress_when: str = ""


class PointProfile(Strict):
    """One measured, counted or commanded quantity of the model.

    value = raw * scale + offset, rounded to `decimals`; outside [min, max] it becomes uncertain.
    """

    key: Key
    name: Text
    type: DataType
    unit: str = Field(default="1", description="UCUM code; 1 where the number has no unit")
    scale: float = 1.0
    offset: float = 0.0
    decimals: int | None = Field(default=None, ge=0, le=9)
    min: float | None = None
    max: float | None = None
    sentinels: tuple[float, ...] = ()
    deadband: float = Field(default=0.0, ge=0, description="smaller changes are not forwarded")
    period: PeriodClass = "normal"
    labels: dict[int, Text] = Field(default_factory=dict, description="words for the values of an enum")
    writable: bool = False
    write_min: float | None = None
    write_max: float | None = None
    readable: bool = True
    select: bool = Field(default=False, description="commands of the centre select it before they operate it")
    travel_s: float = Field(
        default=0.0, ge=0, le=3600, description="seconds until a write shows in the read-back"
    )
    modbus: ModbusAddress | None = None
    opcua: OpcUaAddress | None = None
    mqtt: MqttAddress | None = None
    sparkplug: SparkplugAddress | None = None
    camera: CameraAddress | None = None
    snmp: SnmpAddress | None = None
    alarms: tuple[AlarmDefault, ...] = ()
    doc_ref: str = ""
    verified: bool = False

    def wire_bytes(self) -> int:
        """Return how many bytes a value fills where it lies in registers or a payload's layout; else 0."""
        if self.modbus is not None and self.modbus.fc >= 3:
            registers = self.modbus.length if self.type == "ascii" else REGISTERS[self.type]
            return 2 if self.modbus.bit is not None else 2 * registers
        if self.mqtt is not None and self.mqtt.bytes is not None:
            fixed = 1 if self.type == "bool" else 2 * REGISTERS.get(self.type, 0)
            return self.mqtt.bytes.length or fixed
        return 0


class Limits(Strict):
    """What the device bears. Periods in seconds, pauses in milliseconds."""

    max_registers: int = Field(default=125, ge=1, le=125)
    max_gap: int = Field(default=32, ge=0, le=125)
    timeout_ms: int = Field(default=1000, ge=10)
    retries: int = Field(default=1, ge=0, le=5)
    pause_after_connect_ms: int = Field(default=0, ge=0)
    pause_between_requests_ms: int = Field(default=0, ge=0)


class Profile(Strict):
    """A device model. `id` is also its file name."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    vendor: str
    model: str
    name: Text
    version: int = Field(ge=1)
    kind: str = Field(description="device type on the map: pump, gate, level, meter, air, weather, camera, …")
    protocol: Protocol
    limits: Limits = Limits()
    mqtt_state: MqttState | None = Field(default=None, description="where an MQTT device says it is there")
    points: tuple[PointProfile, ...] = Field(min_length=1)
    source: str = ""
    identity: Identity | None = Field(
        default=None, description="what it says of itself; vendor and model are looked for where left out"
    )
    probe: tuple[Probe, ...] = Field(default=(), description="values that tell it from other models")
    golden: tuple[Golden, ...] = Field(default=(), description="raw values and the readings they must become")

    @model_validator(mode="after")
    def _whole(self) -> Profile:
        seen: set[str] = set()
        for point in self.points:
            if point.key in seen:
                raise ValueError(f"point {point.key!r} is listed twice; give each point its own key")
            seen.add(point.key)
            if getattr(point, self.protocol) is None:
                raise ValueError(
                    f"point {point.key!r} has no `{self.protocol}:` address; the profile's protocol needs one"
                )
            if point.mqtt and point.mqtt.bytes and point.type in ("f32", "f64") and point.mqtt.bytes.length:
                raise ValueError(f"point {point.key!r} is a float of fixed length; remove `length`")
            if point.snmp and point.type not in SNMP_TYPES:
                raise ValueError(
                    f"point {point.key!r}: SNMP has no {point.type}; use one of {', '.join(SNMP_TYPES)}"
                )
            if point.snmp and point.writable and point.snmp.bit is not None:
                raise ValueError(f"point {point.key!r}: a bit of an SNMP object cannot be written")
            if point.modbus and point.type == "ascii" and not point.modbus.length:
                raise ValueError(f"point {point.key!r} is ascii; say its `length` in registers")
        return self

    def unproved(self) -> Iterator[tuple[str, int, str, str]]:
        """Yield what is wrong with `probe` and `golden`: which of them, its number, the problem, the repair.

        Apart from validation, so that whoever reads the file can say the line.
        """
        for i, probe in enumerate(self.probe):
            if probe.point not in {point.key for point in self.points}:
                yield "probe", i, f"there is no point {probe.point!r}", "correct its name"
        for i, vector in enumerate(self.golden):
            try:
                self._check_vector(vector)
            except ValueError as error:
                problem, _, repair = str(error).partition("; ")
                yield "golden", i, problem, repair

    def _check_vector(self, vector: Golden) -> None:
        try:
            point = self.point(vector.point)
        except KeyError:
            raise ValueError(f"there is no point {vector.point!r}; correct its name") from None
        size = point.wire_bytes()
        if size:
            vector.data(size)
        text = point.type in ("ascii", "text")
        if vector.value is not None and isinstance(vector.value, str) != text:
            raise ValueError(f"point {point.key!r} is {point.type}; give {'text' if text else 'a number'}")

    def point(self, key: str) -> PointProfile:
        """Return the point of that key; KeyError where the model has none."""
        for point in self.points:
            if point.key == key:
                return point
        raise KeyError(key)
