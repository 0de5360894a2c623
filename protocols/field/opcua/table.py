"""The points of a connection as rows: which node each one is, and how it wants to be watched.

Namespaces are kept by URI and looked up at each connect: their indexes may change with a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from protocols.errors import ConfigError, Mistake
from protocols.field.base import BoundDevice, BoundPoint
from protocols.field.filling import fill_device
from protocols.field.opcua.parts import steps
from protocols.field.opcua.settings import OpcUaParams
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.device import PeriodClass

SAMPLING_MS: Final[dict[PeriodClass, float]] = {"fast": 250.0, "normal": 1000.0, "slow": 5000.0}
POLL_S: Final[dict[PeriodClass, float]] = {"fast": 1.0, "normal": 5.0, "slow": 60.0}
"""How often a point is read where the server does not report it by itself."""


class Table:
    """Rows are the points in their order here; they are also the client handles of monitored items."""

    def __init__(self, devices: Sequence[BoundDevice]) -> None:
        self.points: list[BoundPoint] = []
        self.addresses: list[OpcUaAddress] = []
        self.row_of: dict[int, int] = {}
        """By a point's index, its row."""
        self.nodes: list[ua.NodeId | None] = []
        """By row; None where the server has no such namespace."""
        self.methods: dict[int, ua.NodeId | None] = {}
        """By row of a command that calls one: the method's node."""
        self.strange = False
        """Whether fields of the server's structures cannot be told apart."""
        self._identifiers: list[str] = []
        self._called: dict[int, str] = {}
        mistakes: list[Mistake] = []
        for device in devices:
            name = OpcUaParams.model_validate(dict(device.params)).device
            for point in device.points:
                address = OpcUaAddress.of(point.profile)
                self.row_of[point.index] = len(self.points)
                self.points.append(point)
                self.addresses.append(address)
                self._identifiers.append(fill_device(point, address.node, name))
                mistakes += _unreadable(point, self._identifiers[-1])
                if address.method is not None:
                    called = fill_device(point, address.method.node, name)
                    self._called[self.row_of[point.index]] = called
                    mistakes += _uncallable(point, called)
        if mistakes:
            raise ConfigError(mistakes)
        self.nodes = [None] * len(self.points)

    def identifier(self, point: BoundPoint) -> str:
        """Return a point's node id without its namespace."""
        return self._identifiers[self.row_of[point.index]]

    def resolve(self, namespaces: Sequence[str]) -> None:
        """Find every node by the namespaces that the server has now."""
        indexes = {uri: index for index, uri in reversed(list(enumerate(namespaces)))}
        self.nodes = [
            _node(indexes[address.namespace], identifier) if address.namespace in indexes else None
            for address, identifier in zip(self.addresses, self._identifiers, strict=True)
        ]
        for row, called in self._called.items():
            index = indexes.get(self.addresses[row].namespace)
            self.methods[row] = None if index is None else _node(index, called)

    def name(self, row: int) -> str:
        """Return the name of a row's point, as people write it."""
        return f"{self.points[row].device}.{self.points[row].profile.key}"

    def structured(self) -> bool:
        """Tell whether a point is a field of a structure, so that the server's own types must be learned."""
        return any(isinstance(step, str) for address in self.addresses for step in steps(address.part))

    def found(self) -> list[int]:
        """Return the rows with a value to read whose namespace the server has."""
        return [row for row, node in enumerate(self.nodes) if node is not None and self._valued(row)]

    def absent(self) -> list[int]:
        """Return the readable rows whose namespace the server does not have."""
        return [row for row, node in enumerate(self.nodes) if node is None and self._readable(row)]

    def conditions(self) -> list[int]:
        """Return the readable rows that show alarms of the server, whatever namespaces it has."""
        return [
            row for row in range(len(self.points)) if self.addresses[row].condition and self._readable(row)
        ]

    def valued(self, rows: Iterable[int]) -> list[int]:
        """Return those of some rows that have a value to read."""
        return [row for row in rows if self._valued(row)]

    def _valued(self, row: int) -> bool:
        return self._readable(row) and not self.addresses[row].condition

    def _readable(self, row: int) -> bool:
        return self.points[row].profile.readable

    def sampling_ms(self, row: int) -> float:
        """Return the sampling interval to ask for."""
        wanted = self.addresses[row].sampling_ms
        return SAMPLING_MS[self.points[row].profile.period] if wanted is None else wanted


def _node(index: int, identifier: str) -> ua.NodeId:
    return ua.NodeId.from_string(f"ns={index};{identifier}")


def _unreadable(point: BoundPoint, identifier: str) -> list[Mistake]:
    address = OpcUaAddress.of(point.profile)
    found = []
    if not _is_node(identifier):
        found.append(_no_node(point, "node", identifier))
    try:
        wanted = steps(address.part)
    except ValueError as error:
        expected = "indexes in brackets, fields with dots between"
        return [*found, _mistake(point, "part", str(error), expected, "correct it")]
    if address.condition and point.profile.writable and point.profile.readable:
        found.append(
            _mistake(
                point, "condition", "what shows a server's alarm cannot be written",
                "a second point with `readable: false`, which acknowledges it", "split the point",
            )
        )  # fmt: skip
    fields = any(isinstance(step, str) for step in wanted)
    if fields and point.profile.writable and not address.rewrite:
        found.append(
            _mistake(
                point, "part", "a field of a structure can be written with the whole structure only",
                "`rewrite: true`, which reads the whole value and writes it back with the field changed",
                "add it where nobody else writes the other fields meanwhile, or remove `writable`",
            )
        )  # fmt: skip
    return found


def _uncallable(point: BoundPoint, identifier: str) -> list[Mistake]:
    found = []
    if not _is_node(identifier):
        found.append(_no_node(point, "method.node", identifier))
    if point.profile.readable or not point.profile.writable:
        found.append(
            _mistake(
                point, "method", "a method is called and never read",
                "`writable: true` and `readable: false`", "write both",
            )
        )  # fmt: skip
    method = OpcUaAddress.of(point.profile).method
    free = [] if method is None else [one for one in method.inputs if one.value is None]
    if len(free) > 1 and point.profile.type != "text":
        found.append(
            _mistake(
                point, "method.inputs", f"{len(free)} arguments come with the command, which has one value",
                "`type: text`, whose commands are lists such as [12.5, 3]",
                "write that type, or give all arguments but one a `value`",
            )
        )  # fmt: skip
    return found


def _is_node(identifier: str) -> bool:
    try:
        _node(1, identifier)
    except (UaError, ValueError):
        return False
    return True


def _no_node(point: BoundPoint, key: str, identifier: str) -> Mistake:
    return _mistake(
        point, key, f"{identifier!r} is no node id", "`s=TEXT`, `i=NUMBER`, `g=GUID` or `b=BASE64`",
        "write it as the server's own browser shows it, without `ns=`",
    )  # fmt: skip


def _mistake(point: BoundPoint, key: str, problem: str, expected: str, repair: str) -> Mistake:
    path = f"points.{point.profile.key}.opcua.{key}"
    return Mistake(f"device {point.device}", 0, 0, path, problem, expected, repair)
