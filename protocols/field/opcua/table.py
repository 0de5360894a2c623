"""The points of a connection as rows: which node each one is, and how it wants to be watched.

Namespaces are kept by URI and looked up at each connect: their indexes may change with a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from protocols.errors import ConfigError, Mistake
from protocols.field.base import BoundDevice, BoundPoint
from protocols.field.filling import fill_device
from protocols.field.opcua.parts import steps
from protocols.field.opcua.settings import OpcUaParams
from protocols.model.device import OpcUaAddress, PeriodClass

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
        self._identifiers: list[str] = []
        mistakes: list[Mistake] = []
        for device in devices:
            name = OpcUaParams.model_validate(dict(device.params)).device
            for point in device.points:
                address = point.profile.opcua
                if address is not None:
                    self.row_of[point.index] = len(self.points)
                    self.points.append(point)
                    self.addresses.append(address)
                    self._identifiers.append(fill_device(point, address.node, name))
                    mistakes += _unreadable(point, self._identifiers[-1])
        if mistakes:
            raise ConfigError(mistakes)
        self.nodes = [None] * len(self.points)

    def resolve(self, namespaces: Sequence[str]) -> None:
        """Find every node by the namespaces that the server has now."""
        indexes = {uri: index for index, uri in reversed(list(enumerate(namespaces)))}
        self.nodes = [
            _node(indexes[address.namespace], identifier) if address.namespace in indexes else None
            for address, identifier in zip(self.addresses, self._identifiers, strict=True)
        ]

    def structured(self) -> bool:
        """Tell whether a point is a field of a structure, so that the server's own types must be learned."""
        return any(isinstance(step, str) for address in self.addresses for step in steps(address.part))

    def found(self) -> list[int]:
        """Return the readable rows whose namespace the server has."""
        return [row for row, node in enumerate(self.nodes) if node is not None and self._readable(row)]

    def absent(self) -> list[int]:
        """Return the readable rows whose namespace the server does not have."""
        return [row for row, node in enumerate(self.nodes) if node is None and self._readable(row)]

    def _readable(self, row: int) -> bool:
        return self.points[row].profile.readable

    def sampling_ms(self, row: int) -> float:
        """Return the sampling interval to ask for."""
        wanted = self.addresses[row].sampling_ms
        return SAMPLING_MS[self.points[row].profile.period] if wanted is None else wanted


def _node(index: int, identifier: str) -> ua.NodeId:
    return ua.NodeId.from_string(f"ns={index};{identifier}")


def _unreadable(point: BoundPoint, identifier: str) -> list[Mistake]:
    part = "" if point.profile.opcua is None else point.profile.opcua.part
    found = []

    def mistake(key: str, problem: str, expected: str, repair: str) -> None:
        path = f"points.{point.profile.key}.opcua.{key}"
        found.append(Mistake(f"device {point.device}", 0, 0, path, problem, expected, repair))

    try:
        _node(1, identifier)
    except (UaError, ValueError):
        mistake(
            "node", f"{identifier!r} is no node id", "`s=TEXT`, `i=NUMBER`, `g=GUID` or `b=BASE64`",
            "write it as the server's own browser shows it, without `ns=`",
        )  # fmt: skip
    try:
        steps(part)
    except ValueError as error:
        mistake("part", str(error), "indexes in brackets, fields with dots between", "correct it")
    if part and point.profile.writable:
        mistake(
            "part", "a part of an array or structure cannot be written", "a point that is only read",
            "remove `writable`, or give the node of the part itself where the server has one",
        )  # fmt: skip
    return found
