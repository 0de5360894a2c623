"""What the address of every protocol is, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self

from protocols.model.datatypes import DataType
from protocols.model.strict import Strict


class Placed(Protocol):
    """A point that may have an address: `PointProfile`."""

    @property
    def address(self) -> Address | None:
        """Where it lies on the wire."""


class Address(Strict):
    """What a person writes in a point under the protocol's name. Every protocol derives its own.

    Imports pydantic and this model, and nothing of the protocol's libraries.
    """

    params: ClassVar[Mapping[str, str | int]] = {}
    """What tells a device from the others of its line, with an example of each, such as `{"unit": 1}`: the
    page's form asks for them, a simulated device has them."""
    titles: ClassVar[Mapping[str, str]] = {}
    """Chinese titles of its columns in a point list (点表), and which key each is."""
    forms: ClassVar[tuple[str, ...]] = ()
    """Numbers that people may write in place of its keys; validation turns them into those."""
    in_hex: ClassVar[frozenset[str]] = frozenset()
    """Keys that manuals print as 0x2006: so they are written into files."""
    as_json: ClassVar[frozenset[str]] = frozenset()
    """Keys that have parts of their own and stay one column, in JSON."""

    @classmethod
    def of(cls, point: Placed) -> Self:
        """Return the address of a point of this protocol; TypeError for a point of another one."""
        found = point.address
        if not isinstance(found, cls):
            raise TypeError(f"{found!r} is no {cls.__name__}")
        return found

    def check(self, kind: DataType, *, writable: bool) -> None:
        """Raise ValueError (`problem; repair`) where no point of this type can lie here."""

    def wire_bytes(self, kind: DataType) -> int:
        """Return how many bytes a value fills where it lies in registers or a payload's layout; else 0.

        Golden vectors then give it in hex.
        """
        return 0
