"""Device profile: what one device model offers, as a technician writes it in YAML.

One profile serves a driver (how to read it), the console (names, units, limits) and the simulator
(what to serve). Source of the record: `../shared/domain/field_protocols.md` section 7.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from protocols.errors import Rejected
from protocols.model.address.base import Address
from protocols.model.address.mqtt import MqttState
from protocols.model.address.registry import ADDRESSES
from protocols.model.alarm import MAX_SHELVE_S, AlarmKind, OnBad, Priority
from protocols.model.datatypes import DataType
from protocols.model.golden import Golden, Identity, Probe
from protocols.model.strict import Strict

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
PeriodClass = Literal["fast", "normal", "slow"]


class Text(Strict):
    """A name in both languages of the product."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


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
    """One measured, counted or commanded quantity of the model, without its address: `point_model` has that.

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
    alarms: tuple[AlarmDefault, ...] = ()
    doc_ref: str = ""
    verified: bool = False

    section: ClassVar[str] = ""
    """The key of its address, which is the protocol's name; `point_model` gives it."""

    @property
    def address(self) -> Address | None:
        """Where it lies on the wire; None of a point that the gateway makes itself."""
        return getattr(self, self.section) if self.section else None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.address is not None:
            try:
                self.address.check(self.type, writable=self.writable)
            except ValueError as error:
                raise ValueError(f"point {self.key!r}: {error}") from None
        return self

    def wire_bytes(self) -> int:
        """Return how many bytes a value fills where it lies in registers or a payload's layout; else 0."""
        return 0 if self.address is None else self.address.wire_bytes(self.type)


class Limits(Strict):
    """What the device bears. Periods in seconds, pauses in milliseconds."""

    max_registers: int = Field(default=125, ge=1, le=125)
    max_gap: int = Field(default=32, ge=0, le=125)
    timeout_ms: int = Field(default=1000, ge=10)
    retries: int = Field(default=1, ge=0, le=5)
    pause_after_connect_ms: int = Field(default=0, ge=0)
    pause_between_requests_ms: int = Field(default=0, ge=0)


class Profile(Strict):
    """A device model. `id` is also its file name.

    Validating one gives the `profile_model` of its protocol: points then have that protocol's address, and
    no other.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    vendor: str
    model: str
    name: Text
    version: int = Field(ge=1)
    kind: str = Field(description="device type on the map: pump, gate, level, meter, air, weather, camera, …")
    protocol: str
    limits: Limits = Limits()
    mqtt_state: MqttState | None = Field(default=None, description="where an MQTT device says it is there")
    points: tuple[PointProfile, ...] = Field(min_length=1)
    source: str = ""
    identity: Identity | None = Field(
        default=None, description="what it says of itself; vendor and model are looked for where left out"
    )
    probe: tuple[Probe, ...] = Field(default=(), description="values that tell it from other models")
    golden: tuple[Golden, ...] = Field(default=(), description="raw values and the readings they must become")

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_protocol(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if cls is not Profile or not isinstance(data, dict) or "protocol" not in data:
            return handler(data)
        try:
            model = profile_model(str(data["protocol"]))
        except Rejected as error:
            # Told alone: of an unknown protocol, every address would be a mistake too.
            wrong = PydanticCustomError("value_error", "{words}", {"words": str(error)})
            at = InitErrorDetails(type=wrong, loc=("protocol",), input=data["protocol"])
            raise ValidationError.from_exception_data(cls.__name__, [at]) from error
        return cast("Self", model.model_validate(data))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        seen: set[str] = set()
        for point in self.points:
            if point.key in seen:
                raise ValueError(f"point {point.key!r} is listed twice; give each point its own key")
            seen.add(point.key)
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


def point_model(protocol: str) -> type[PointProfile]:
    """Return the model of a point with the address of a protocol. Raises Rejected as `Seam.find` does."""
    return _point_model(protocol, ADDRESSES.find(protocol))


def profile_model(protocol: str) -> type[Profile]:
    """Return the model of profiles of a protocol. Raises Rejected as `Seam.find` does."""
    return _profile_model(point_model(protocol))


@cache
def _point_model(protocol: str, found: type[Address]) -> type[PointProfile]:
    if protocol in PointProfile.model_fields:
        raise Rejected("address-broken", f"a point has a setting {protocol!r}; call the protocol otherwise")
    address: Any = (found, Field(description=f"where it lies on the wire ({protocol})"))
    model = create_model("PointProfile", __base__=PointProfile, __module__=__name__, **{protocol: address})
    model.section = protocol
    return model


@cache
def _profile_model(point: type[PointProfile]) -> type[Profile]:
    points: Any = (tuple[point, ...], Field(min_length=1))  # type: ignore[valid-type]
    return create_model("Profile", __base__=Profile, __module__=__name__, points=points)
