"""The driver seam: everything the gateway needs of a protocol, on one screen.

One driver serves one connection (a Modbus line, an OPC UA server, a broker, a camera) and all
devices behind it. Promises, kept by every driver and tested by `tests/protocols/field/contract.py`:

- `open` is called once before anything else; `close` once, last, and never raises.
- `read` and `write` are never called at the same time; `listen` runs beside them.
- `read` answers for every point of its task, in one source time per block, and never invents a
  value: what could not be read comes back without a number and with a bad quality that says why.
- A silent or refusing device is a reading of bad quality; only a dead connection is an exception
  (ConnectionLost): the session then closes this driver and opens a new one after a pause.
- Values are raw: decoded by type and order, not scaled. Shaping belongs to the gateway.
- Nothing is logged here: errors are returned or raised, and the session logs them once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from protocols.errors import Rejected
from protocols.model.clock import Clock, now_us
from protocols.model.device import PeriodClass, PointProfile, Profile
from protocols.model.reading import PointIndexes, Readings

Sink = Callable[[Readings], None]
"""Takes what a driver pushes; never blocks and never raises."""


@dataclass(frozen=True, slots=True)
class BoundPoint:
    """A point of a real device. `index` is its place in the manifest: what `Readings.point` holds."""

    index: int
    device: str
    profile: PointProfile


@dataclass(frozen=True, slots=True)
class BoundDevice:
    """A device behind this connection, with the technician's parameters (unit id, topic name, …)."""

    key: str
    profile: Profile
    points: tuple[BoundPoint, ...]
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadTask:
    """Some points of one device that are read together. `requests` is what it costs on the line."""

    device: str
    period: PeriodClass
    points: PointIndexes
    requests: int
    plan: Any
    """The driver's own precompiled plan; nobody else looks inside."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture as a device gave it, and when it came."""

    taken_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device answered, in words, to a write that it confirmed and that cannot be read back."""

    text: str


@dataclass(frozen=True, slots=True)
class First:
    """What `citynerve-edge init` asks for a first line and a device on it, each with an example."""

    address: str = "HOST:PORT of the device"
    address_example: str = "192.0.2.10"
    identity: str = "the device's name there"
    identity_example: str = ""
    port: int = 0
    """The protocol's own port, taken where an address names none."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Where devices speak that nobody has declared: `{device}` in `topic` stands for the name of each.

    rule: whose it is. profile: what such a device is.
    """

    rule: str
    topic: str
    profile: Profile


Welcome = Callable[[str, str, bool], bool]
"""Hears (rule, device's name, whether it was said long ago: retained) of a device that nobody has declared.

Returns whether it will `join` soon, so that what it says is kept until then. Never blocks, never raises.
"""


def turn_away(rule: str, name: str, retained: bool) -> bool:
    """Let nobody in: the welcome of a driver that runs without a gateway."""
    del rule, name, retained
    return False


class Notes(Protocol):
    """What drivers have learnt of devices, kept over restarts by whoever runs them: plain data."""

    def get(self, device: str) -> dict[str, Any]:
        """Return what was put last; {} where nothing was."""

    def put(self, device: str, learnt: dict[str, Any]) -> None:
        """Keep it. Never blocks, never raises."""


class Forgetful:
    """Keeps nothing: notes for a driver that nobody keeps any for."""

    def get(self, device: str) -> dict[str, Any]:
        """Return {}."""
        del device
        return {}

    def put(self, device: str, learnt: dict[str, Any]) -> None:
        """Forget it."""


class Driver(ABC):
    """One connection. Built without touching the network; `open` is the first that does."""

    protocol: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]
    """What the technician writes under `connections:`, such as host, port, credentials."""
    Params: ClassVar[type[BaseModel]]
    """What the technician writes per device under `params:`, such as the unit id."""
    takes_pictures: ClassVar[bool] = False
    """Whether its devices are cameras: `last_shot` and `shoot` then work."""
    folder_setting: ClassVar[str] = ""
    """The setting that names the folder in which it keeps files, if it keeps any. Where a person leaves it
    out, it is a folder with the protocol's name in the gateway's state folder."""
    must_exist: ClassVar[tuple[str, ...]] = ()
    """Settings that name files without which it cannot run: one missing is a mistake in its file."""
    joins: ClassVar[bool] = False
    """Whether devices can join while the line is open: `watches`, `welcome` and `join` then work."""

    first: ClassVar[First] = First()

    def __init__(self, settings: BaseModel, devices: tuple[BoundDevice, ...], clock: Clock = now_us) -> None:
        self.settings = settings
        self.devices = devices
        self.clock = clock
        self.notes: Notes = Forgetful()
        """Given before `plan` by whoever keeps them."""
        self.watches: tuple[Watch, ...] = ()
        self.welcome: Welcome = turn_away
        """Both given before `open`, where devices may join by themselves."""

    @classmethod
    def check_watch(cls, watch: Watch) -> None:
        """Raise ValueError, in words, where devices of this protocol cannot be heard of that way."""
        del watch
        raise ValueError(
            f"devices that speak {cls.protocol} have to be asked; they do not join by themselves"
        )

    @classmethod
    def settings_at(cls, address: str) -> dict[str, Any]:
        """Return the settings of a line at an address as `first` asks for it. Raises Rejected."""
        host, _, port = address.partition(":")
        if not host or (port and not port.isdecimal()):
            example = f"192.0.2.10:{cls.first.port}"
            raise Rejected("address", f"{address!r} is no address; write it like {example}")
        return {"host": host, "port": int(port or cls.first.port)}

    @classmethod
    def params_named(cls, identity: str) -> dict[str, Any]:
        """Return the params of a device that `first` identifies. Raises Rejected."""
        return {"device": identity}

    @abstractmethod
    async def open(self) -> None:
        """Connect. Raises ConnectionLost, with host, port and the reason in words."""

    def plan(self) -> tuple[ReadTask, ...]:
        """Return what is to be polled; nothing for a driver whose devices speak by themselves."""
        return ()

    def question(self, task: ReadTask) -> dict[str, str | int]:
        """Return what a task asks of its device, in the protocol's own words, for a technician to check."""
        return {}

    def place(self, device: BoundDevice, point: BoundPoint) -> str:
        """Return where a point is heard, in the protocol's own words; empty where it is polled."""
        del device, point
        return ""

    async def read(self, task: ReadTask) -> Readings:
        """Read the points of one task now. Raises ConnectionLost only."""
        raise NotImplementedError(f"{self.protocol} has nothing to poll")

    async def join(self, devices: tuple[BoundDevice, ...]) -> None:
        """Take in more devices while the line is open; those that are in already are left as they are.

        What they said before, and was kept as `welcome` wanted, comes first. Raises ConnectionLost.
        """
        raise NotImplementedError(f"{self.protocol} takes its devices from the start")

    async def probe(self, task: ReadTask) -> bool:
        """Tell, as cheaply as the protocol can, whether a device that stayed silent would answer `task` now.

        True where only reading shows it. Raises ConnectionLost only.
        """
        del task
        return True

    async def listen(self, sink: Sink) -> None:  # noqa: B027 - most drivers poll, and hear nothing
        """Hand on what devices send, until cancelled. Returns at once where nothing is pushed.

        Raises ConnectionLost when the connection ends; points it can no longer vouch for have then
        been handed on with a bad or uncertain quality.
        """

    @abstractmethod
    async def write(self, point: BoundPoint, value: float | str) -> float | str | Answer | None:
        """Write a raw value once and return what the device then reads back, or None if it cannot.

        An Answer where it confirmed in words of its own, such as the outputs of a method.

        Raises DeviceRefused (nothing was written), DeviceTimeout (nobody knows), ConnectionLost.
        """

    def remarks(self) -> tuple[str, ...]:
        """Return, in sentences, what a technician should know of a line that works; asks nobody.

        Such as values that are polled as the server lets nobody subscribe. () where all is as it should be.
        """
        return ()

    def last_shot(self, device: str) -> Shot | None:
        """Return the newest picture that a read brought, or None; asks nobody."""
        return None

    async def shoot(self, device: str) -> Shot:
        """Take a picture now. Raises DeviceRefused, DeviceTimeout, with what the device answered in words."""
        raise NotImplementedError(f"{self.protocol} takes no pictures")

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connection; safe after a failed open, and never raises."""
