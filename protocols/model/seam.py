"""A place where distributions join: built-in names, and those of one group of entry points.

What a name stands for is imported when it is first asked for, never before: a gateway that polls Modbus only
must not pay the memory of an OPC UA stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from protocols.errors import Rejected

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seam(Generic[T]):
    """Classes of one kind by the protocol that each is for."""

    kind: str
    """What a class of it is called in messages, such as `driver`."""
    group: str
    base: type
    built_in: Mapping[str, str]
    """Protocol -> `module:Class`. An entry point cannot take over one of these."""
    extra: str
    """The extra of `citynerve` that brings what the built-in ones need."""

    def protocols(self) -> tuple[str, ...]:
        """Return the names that `find` knows here, sorted; nothing is imported."""
        return tuple(sorted(self.built_in.keys() | {entry.name for entry in entry_points(group=self.group)}))

    def find(self, protocol: str) -> type[T]:
        """Return the class of a protocol, importing it now.

        Raises Rejected: `unknown-protocol`, or `<kind>-broken` where what is registered cannot be imported or
        is no such class.
        """
        place = self.built_in.get(protocol)
        if place is None:
            place = next((entry.value for entry in entry_points(group=self.group, name=protocol)), None)
        if place is None:
            raise Rejected(
                "unknown-protocol",
                f"no {self.kind} of protocol {protocol!r} is known here; "
                f"use one of {', '.join(self.protocols())}, "
                f"or install a package with an entry point {protocol!r} in the group {self.group!r}",
            )
        module, _, name = place.partition(":")
        broken = f"{self.kind}-broken"
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise Rejected(
                broken,
                f"the {self.kind} of {protocol!r} at {place!r} cannot be imported ({error}); "
                f"install the packages it needs (for the built-in ones: the extra `citynerve[{self.extra}]`)",
            ) from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise Rejected(broken, f"{place!r} is no {self.base.__name__}; correct its entry point")
        if getattr(found, "protocol", protocol) != protocol:
            raise Rejected(broken, f"{place!r} does not speak {protocol!r}; correct its entry point")
        return cast("type[T]", found)
