"""The columns of a point list: which part of a point each is, what it is called, how its cell is written.

Found in the point's model, so that a new setting is a column by itself. A cell holds a number, a word, or for
what has parts of its own (alarms, bits of a layout) JSON; empty means "as where it is not said".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from protocols.model.address.base import Address
from protocols.model.address.registry import ADDRESSES
from protocols.model.device import point_model

Place = tuple[str, ...]
Kind = Literal["text", "number", "numbers", "switch", "labels", "json"]
MARK: Final = "'"
"""Before a text that a spreadsheet would take for a formula, or trim: it is taken off again."""
_LAST: Final = ("alarms", "doc_ref", "verified")
_FORMULAS: Final = tuple("=+-@\t\r'")
_WHOLE: Final = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|[0-9]+)")
_SWITCH: Final = {"true": True, "yes": True, "是": True, "false": False, "no": False, "否": False}
_CHINESE: Final[dict[str, Place]] = {
    "标识": ("key",), "中文名": ("name", "zh"), "名称": ("name", "zh"), "英文名": ("name", "en"),
    "类型": ("type",),
    "单位": ("unit",), "系数": ("scale",), "偏移": ("offset",), "小数位": ("decimals",), "下限": ("min",),
    "上限": ("max",), "无效值": ("sentinels",), "死区": ("deadband",), "周期": ("period",),
    "可写": ("writable",),
    "写下限": ("write_min",), "写上限": ("write_max",), "取值": ("labels",), "报警": ("alarms",),
    "依据": ("doc_ref",), "已核实": ("verified",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where its cells belong in a point, and how they are written."""

    place: Place
    kind: Kind
    in_hex: bool = False

    @property
    def name(self) -> str:
        """Its title: `unit`, `name.zh`, `modbus.address`."""
        return ".".join(self.place)

    def cell(self, value: Any) -> str:
        """Return a value as a cell; `read` gives it back."""
        if self.kind == "text":
            return _guarded(str(value))
        if self.kind == "switch":
            return "true" if value else "false"
        if self.in_hex:
            return f"0x{value:04X}"
        if self.kind == "number":
            return _number(value)
        if self.kind == "numbers":
            return ";".join(_number(each) for each in value)
        if self.kind == "labels" and (plain := _labels(value)):
            return plain
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def read(self, cell: str) -> Any:
        """Return what a cell says; what it cannot be is left as it stands, for the model to refuse.

        Raises ValueError for JSON that is none.
        """
        if self.kind == "text":
            return cell[1:] if cell.startswith(MARK) else cell.strip()
        text = cell.strip()
        if self.kind == "switch":
            return _SWITCH.get(text.casefold(), text)
        if self.kind == "number":
            return _read_number(text)
        if self.kind == "numbers":
            return [_read_number(part.strip()) for part in text.split(";")]
        if self.kind == "labels" and not text.startswith("{"):
            return _read_labels(text)
        return json.loads(text)


def columns(protocol: str) -> dict[str, Column]:
    """Return every column of a protocol's point lists by its name: addresses beside what they are of.

    Raises Rejected as `Seam.find` does.
    """
    address = ADDRESSES.find(protocol)
    found = list(_of(point_model(protocol), (), address))
    found.sort(key=lambda column: column.place[0] in _LAST)
    found += [Column((protocol, name), "number") for name in address.forms]
    return {column.name: column for column in found}


def named(title: str, known: Mapping[str, Column], protocol: str) -> Column | None:
    """Return the column that a title means: its name, without the protocol, or in Chinese; None for none."""
    word = title.strip()
    for name in (
        word,
        f"{protocol}.{word}",
        ".".join(_CHINESE.get(word, ())),
        f"{protocol}.{ADDRESSES.find(protocol).titles.get(word)}",
        *([] if word != "name" else ["name.zh"]),
    ):
        if name in known:
            return known[name]
    return None


def _of(model: type[BaseModel], place: Place, address: type[Address]) -> Iterator[Column]:
    for name, field in model.model_fields.items():
        here = (*place, name)
        inner = _models(field.annotation)
        if here == ("labels",):
            yield Column(here, "labels")
        elif inner and get_origin(field.annotation) is not tuple and name not in address.as_json:
            yield from _of(inner[0], here, address)
        else:
            yield Column(here, _kind(field.annotation), name in address.in_hex and model is address)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _kind(annotation: Any) -> Kind:
    leaves = set(_leaves(annotation))
    if get_origin(annotation) is tuple and leaves <= {float, int, Ellipsis}:
        return "numbers"
    if get_origin(annotation) in (tuple, dict) or any(_is_model(leaf) for leaf in leaves):
        return "json"
    leaves -= {type(None)}
    if leaves == {bool}:
        return "switch"
    return "number" if leaves <= {int, float} or all(type(leaf) is int for leaf in leaves) else "text"


def _is_model(leaf: Any) -> bool:
    return isinstance(leaf, type) and issubclass(leaf, BaseModel)


def _leaves(annotation: Any) -> Iterator[Any]:
    parts: Sequence[Any] = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _leaves(part)


def _guarded(text: str) -> str:
    risky = not text or text.startswith(_FORMULAS) or text != text.strip()
    return MARK + text if risky else text


def _number(value: float) -> str:
    return (
        str(int(value))
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        else repr(value)
    )


def _read_number(text: str) -> int | float | str:
    if _WHOLE.fullmatch(text):
        return int(text, 16 if "x" in text.lower() else 10)
    try:
        return float(text)
    except ValueError:
        return text


def _labels(labels: Mapping[Any, Mapping[str, str]]) -> str:
    """Return `0=停|Off;1=开|On`; nothing where a word has one of the signs in it."""
    words = [word for each in labels.values() for word in (each["zh"], each["en"])]
    if any(set(word) & set("|;=") or word != word.strip() for word in words):
        return ""
    return ";".join(f"{key}={each['zh']}|{each['en']}" for key, each in labels.items())


def _read_labels(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in text.split(";"):
        key, equals, words = part.partition("=")
        zh, bar, en = words.partition("|")
        if not equals:
            raise ValueError(f"{part!r} is no label; write them as 0=停|Off;1=开|On")
        found[key.strip()] = {"zh": zh.strip(), "en": (en if bar else zh).strip()}
    return found
