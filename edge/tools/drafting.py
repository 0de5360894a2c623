"""A device profile to start from, drafted from the variables that a scan of an OPC UA server found.

It is whole, so that `citynerve-edge check` takes it as it is; names, units, ranges and alarms are the
technician's. Nothing is writable until he says so: methods stand below it as comments, each a whole point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import yaml

from protocols.errors import Rejected
from protocols.field.scanning import Found
from protocols.model.datatypes import DataType
from protocols.model.device import Profile

_TYPES: Final[dict[str, DataType]] = {
    "Boolean": "bool", "SByte": "i16", "Byte": "u16", "Int16": "i16", "UInt16": "u16", "Int32": "i32",
    "UInt32": "u32", "Int64": "i64", "UInt64": "u64", "Float": "f32", "Double": "f64", "String": "text",
    "LocalizedText": "text",
}  # fmt: skip
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


def draft(identity: str, nodes: Iterable[Found]) -> tuple[str, list[str]]:
    """Return a profile as YAML, and a sentence for each variable or method that cannot be a point.

    "" where no variable can. Raises Rejected (`profile-id`).
    """
    if not _ID.fullmatch(identity):
        raise Rejected("profile-id", f"{identity!r} is no profile id; write it like maker.model")
    points: list[dict[str, Any]] = []
    left: list[str] = []
    keys: set[str] = set()
    commands: list[dict[str, Any]] = []
    for node in nodes:
        if node.kind == "method":
            command = _command(node, keys)
            if command is None:
                left.append(f"{node.title}: this method cannot be a command (namespace, or its arguments)")
            else:
                commands.append(command)
                keys.add(command["key"])
            continue
        kind = str(node.detail["type"])
        point = _TYPES.get(kind.removesuffix("[]"))
        path = str(node.detail["path"])
        if point is None:
            left.append(f"{path}: {kind} is left out; give its fields with `part:` where it is a structure")
            continue
        key = _key(path, keys)
        keys.add(key)
        name = path.rpartition("/")[2] or key
        points.append(
            {
                "key": key,
                "name": {"zh": name, "en": name},
                "type": point,
                **node_address(node),
                "doc_ref": path[:200],
            }
        )
    if not points:
        return "", left
    record = {
        "id": identity, "vendor": identity.partition(".")[0], "model": identity,
        "name": {"zh": identity, "en": identity}, "version": 1, "kind": "plc", "protocol": "opcua",
        "points": points,
    }  # fmt: skip
    Profile.model_validate(record)
    for command in commands:
        Profile.model_validate(record | {"points": [command]})
    return _yaml(record) + _commented(commands), left


def _command(method: Found, taken: set[str]) -> dict[str, Any] | None:
    """Return a point whose commands call a method; None where a profile cannot call it."""
    where = method_address(method)
    if not where:
        return None
    kinds = [_TYPES.get(one.rpartition(": ")[2]) for one in method.detail["inputs"]]
    path = str(method.detail["path"])
    name = path.rpartition("/")[2] or "method"
    # Without an input the command is 1; several inputs come as a list.
    of_one: DataType = kinds[0] or "f64" if kinds else "bool"
    return {
        "key": _key(path, taken),
        "name": {"zh": name, "en": name},
        "type": of_one if len(kinds) < 2 else "text",
        "writable": True,
        "readable": False,
        **where,
        "doc_ref": method.title[:200],
    }


def method_address(method: Found) -> dict[str, Any]:
    """Return the address entry of a found method; nothing where a profile cannot call it."""
    if not method.detail["callable"]:
        return {}
    called = {"node": method.detail["method"], "inputs": [{} for _ in method.detail["inputs"]]}
    return {
        "opcua": {"namespace": method.detail["namespace"], "node": method.detail["node"], "method": called}
    }


def _commented(commands: list[dict[str, Any]]) -> str:
    if not commands:
        return ""
    said = "\n# Methods: take the # from those that shall be commands; give their inputs min and max\n"
    return said + "".join(f"# {line}\n" for line in _yaml(commands).splitlines())


def _yaml(record: Any) -> str:
    text: str = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=110)
    return text


def node_address(node: Found) -> dict[str, Any]:
    """Return the address entry of a found variable, whatever profile it fits."""
    where = {"namespace": node.detail["namespace"], "node": node.detail["node"]}
    if str(node.detail["type"]).endswith("[]"):
        where["part"] = "[0]"
    return {"opcua": where}


def _key(path: str, taken: set[str]) -> str:
    """Return a key from the end of a path, with as much of what stands before as makes it one of its own."""
    words = [re.sub(r"[^a-z0-9_]+", "-", word.lower()).strip("-_") for word in path.split("/")]
    words = [word for word in words if word] or ["point"]
    for count in range(1, len(words) + 1):
        key = "-".join(words[-count:])[-60:].strip("-_")
        if key and key not in taken:
            return key
    number = 2
    while f"{words[-1][:56]}-{number}" in taken:
        number += 1
    return f"{words[-1][:56]}-{number}"
