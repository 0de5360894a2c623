"""Nodes that hold several points: arrays and structures, grown from the `part`s that a profile names.

    [0], [3]                     an array of four; what no point names is zero
    Speed, Motor.Phases[0].Amps  a structure of the server's own type, with structures and arrays in it

A float whose sensor failed is NaN in its place; any other point that says nothing makes the whole node bad.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua
from asyncua.common.manage_nodes import create_data_type, create_encoding
from asyncua.common.structures104 import new_struct_field
from asyncua.server.server import Server

from protocols.model.device import PointProfile

_STEP: Final = re.compile(r"\[(\d+)\]|\.?([^\W\d]\w*)")
_NAME: Final = re.compile(r"\W+")


@dataclass(slots=True)
class Shape:
    """A place in a value: a point, or an array or structure of further places."""

    kind: ua.VariantType
    """Of a point its type; Null for what has places in it."""
    point: PointProfile | None = None
    items: dict[int, Shape] = field(default_factory=dict)
    fields: dict[str, Shape] = field(default_factory=dict)
    type: ua.NodeId | None = None
    """Of a structure, its data type at the server."""

    def places(self) -> Iterator[tuple[tuple[int | str, ...], Shape]]:
        """Yield every place of a point with the way to it."""
        if self.point is not None:
            yield (), self
        for index, inner in self.items.items():
            yield from (((index, *way), place) for way, place in inner.places())
        for name, inner in self.fields.items():
            yield from (((name, *way), place) for way, place in inner.places())


def grown(points: Mapping[str, PointProfile], kind: Callable[[PointProfile], ua.VariantType]) -> Shape:
    """Return the shape that has all parts, by path. Raises ValueError for parts that no value can have."""
    root = Shape(ua.VariantType.Null)
    for path, point in points.items():
        at = root
        for index, name in _STEP.findall(path):
            inner: dict[Any, Shape] = at.items if index else at.fields
            at = inner.setdefault(int(index) if index else name, Shape(ua.VariantType.Null))
        at.kind, at.point = kind(point), point
    _consistent(root, ", ".join(points))
    return root


def _consistent(shape: Shape, parts: str) -> None:
    if sum((shape.point is not None, bool(shape.items), bool(shape.fields))) != 1:
        raise ValueError(f"{parts}: one of these parts is a value, an array and a structure at once")
    kinds = {(one.kind, bool(one.items), tuple(sorted(one.fields))) for one in shape.items.values()}
    if len(kinds) > 1:
        raise ValueError(f"{parts}: the elements of an array are of one type; give these points one `type`")
    if any(one.items for one in shape.items.values()):
        raise ValueError(f"{parts}: arrays of arrays are not simulated")
    for inner in (*shape.items.values(), *shape.fields.values()):
        _consistent(inner, parts)


async def declare(server: Server, shape: Shape, namespace: int, name: str) -> None:
    """Give the server a data type for each structure in a shape; `name` makes theirs unique."""
    for step, inner in (*shape.items.items(), *shape.fields.items()):
        await declare(server, inner, namespace, f"{name}_{step}")
    element = next(iter(shape.items.values()), None)
    if element is not None and element.fields:
        for other in shape.items.values():
            other.type = element.type
    if not shape.fields:
        return
    # By name, not by number: asyncua knows types of all servers of a process by their node ids.
    word = _NAME.sub("_", f"Sim_{name}")
    made = await create_data_type(
        server.nodes.base_structure_type, _id(namespace, word), ua.QualifiedName(word, namespace)
    )
    encoding = await create_encoding(
        made, _id(namespace, f"{word}.Binary"), ua.QualifiedName("Default Binary", 0)
    )
    definition = ua.StructureDefinition()
    definition.StructureType = ua.StructureType.Structure
    definition.BaseDataType = server.nodes.base_structure_type.nodeid
    definition.DefaultEncodingId = encoding.nodeid
    definition.Fields = [_field(key, inner) for key, inner in shape.fields.items()]
    await made.write_data_type_definition(definition)
    shape.type = made.nodeid


def variant(shape: Shape, value: Any) -> ua.Variant:
    """Return a whole value as the server holds it."""
    if shape.fields:
        return ua.Variant(value, ua.VariantType.ExtensionObject)
    element = next(iter(shape.items.values()))
    kind = ua.VariantType.ExtensionObject if element.fields else element.kind
    return ua.Variant(value, kind, is_array=True)


def built(shape: Shape, told: Callable[[PointProfile], Any]) -> Any:
    """Return the whole value from those of its points."""
    if shape.point is not None:
        return told(shape.point)
    if shape.fields:
        made = _structure(shape)
        for name, inner in shape.fields.items():
            setattr(made, name, built(inner, told))
        return made
    element = next(iter(shape.items.values()))
    return [
        built(shape.items[at], told) if at in shape.items else _nothing(element)
        for at in range(max(shape.items) + 1)
    ]


def at(value: Any, way: tuple[int | str, ...]) -> Any:
    """Return the part of a value. Raises LookupError or AttributeError where it has none."""
    for step in way:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


def same(kind: ua.VariantType, one: Any, other: Any) -> bool:
    """Tell whether two values of a type are one, as it goes over the wire."""
    if kind is ua.VariantType.Float:
        one, other = struct.pack("<f", one), struct.pack("<f", other)
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN is NaN here


def structured(shape: Shape) -> bool:
    """Tell whether there is a structure in a shape."""
    return bool(shape.fields) or any(structured(inner) for inner in shape.items.values())


def data_type(shape: Shape) -> ua.NodeId:
    """Return the data type of a node of this shape."""
    place = next(iter(shape.items.values())) if shape.items else shape
    return ua.NodeId(ua.Int32(place.kind.value)) if place.type is None else place.type


def _structure(shape: Shape) -> Any:
    """Return an empty structure of a shape whose type the server has loaded."""
    if shape.type is None:
        raise TypeError("the structure has not been declared")
    return ua.extension_objects_by_datatype[shape.type]()


def _nothing(shape: Shape) -> Any:
    """Return what stands where no point is."""
    if shape.fields:
        made = _structure(shape)
        for name, inner in shape.fields.items():
            setattr(made, name, [] if inner.items else _nothing(inner))
        return made
    return ua.get_default_value(shape.kind)


def _field(name: str, shape: Shape) -> ua.StructureField:
    return new_struct_field(name, data_type(shape), array=bool(shape.items))


def _id(namespace: int, name: str) -> ua.NodeId:
    return ua.NodeId.from_string(f"ns={namespace};s={name}")
