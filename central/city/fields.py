"""What people may write about each kind of thing, and when a value is good. Says so in both languages."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["site", "gateway", "device", "point"]
KINDS: Final[tuple[Kind, ...]] = ("site", "gateway", "device", "point")
SITE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
DEVICE_ID: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})\.([a-z0-9][a-z0-9_-]{0,62})")
_CODE: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_GRID: Final = re.compile(r"\d{14,15}")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()-]{2,30}")
_EMAIL: Final = re.compile(r"[^\s@|;]{1,64}@[^\s@|;]{1,190}\.[^\s@|;.]{2,63}")
_LIST_MARK: Final = re.compile("[;；|\n]")
MOST_TAGS: Final = 30
MOST_CONTACTS: Final = 20
CONTACT_PARTS: Final = ("name", "role", "phone", "email")


class Fault(ValueError):
    """Why a value is not good and what would be, in 中文 and English."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        self.en = en
        super().__init__(en)


@dataclass(frozen=True, slots=True)
class Known:
    """What a value may point to."""

    sites: AbstractSet[str] = frozenset()
    departments: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that people may write. shape: how it stands in a table and in a file.

    declared: a gateway declares it too, and what people write stands over that; needed: never empty.
    """

    name: str
    shape: Literal["text", "number", "tags", "contacts", "reference"]
    clean: Callable[[Any, Known], Any]
    declared: bool = False
    needed: bool = False

    @property
    def empty(self) -> Any:
        """What stands where nobody wrote anything."""
        return {"text": "", "number": None, "tags": [], "contacts": [], "reference": None}[self.shape]


def _text(longest: int, lines: bool = False) -> Callable[[Any, Known], str]:
    def clean(value: Any, known: Known) -> str:
        if not isinstance(value, str):
            raise Fault("应为文字", "text is expected here")
        text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
        for character in text:
            if unicodedata.category(character) in {"Cc", "Cs"} and not (lines and character in "\n\t"):
                raise Fault(
                    f"含有不可用的字符 U+{ord(character):04X}，请删除",
                    f"has the character U+{ord(character):04X}, which cannot stand here; remove it",
                )
        if len(text) > longest:
            raise Fault(
                f"{len(text)} 字，最多 {longest} 字",
                f"has {len(text)} characters, at most {longest} are possible",
            )
        return text

    return clean


def _code(value: Any, known: Known) -> str:
    text = _text(63)(value, known)
    if text and not _CODE.fullmatch(text):
        raise Fault(
            f"{text!r} 不是类型代码；请用小写字母、数字、- 和 _，如 pumping_station",
            f"{text!r} is no type code; use lower-case letters, digits, - and _, such as pumping_station",
        )
    return text


def _grid(value: Any, known: Known) -> str:
    text = _text(20)(value, known)
    if text and not _GRID.fullmatch(text):
        raise Fault(
            f"{text!r} 不是单元网格编码；应为 15 位数字（区划 6 + 街道 3 + 社区 3 + 网格 3；旧编码 14 位）",
            f"{text!r} is no grid cell code; 15 digits are expected (division 6, street 3, community 3, "
            "cell 3; 14 in the older code)",
        )
    return text


def _degrees(limit: int) -> Callable[[Any, Known], float | None]:
    def clean(value: Any, known: Known) -> float | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not math.isfinite(number) or abs(number) > limit:
            raise Fault(
                f"{value!r} 不是度数；应为 -{limit} 到 {limit} 之间的十进制度（WGS 84）",
                f"{value!r} is not expected here; give decimal degrees from -{limit} to {limit}, WGS 84",
            )
        return number + 0.0

    return clean


def _site(value: Any, known: Known) -> str | None:
    text = _text(63)(value or "", known)
    if text and text not in known.sites:
        raise Fault(f"没有站点 {text!r}；请先登记该站点", f"there is no site {text!r}; register it first")
    return text or None


def _department(value: Any, known: Known) -> str:
    text = _text(63)(value, known)
    if text and text not in known.departments:
        raise Fault(
            f"没有部门 {text!r}；请先用 citynerve registry departments 添加",
            f"there is no department {text!r}; add it with citynerve registry departments first",
        )
    return text


def _tags(value: Any, known: Known) -> list[str]:
    if not isinstance(value, list | tuple):
        raise Fault("应为标签列表", "a list of tags is expected")
    tags: list[str] = []
    for item in value:
        tag = _text(40)(item, known)
        if _LIST_MARK.search(tag):
            raise Fault(f"标签 {tag!r} 不能含分号或 |", f"the tag {tag!r} must not hold a semicolon or |")
        if tag and tag not in tags:
            tags.append(tag)
    if len(tags) > MOST_TAGS:
        raise Fault(
            f"{len(tags)} 个标签，最多 {MOST_TAGS} 个", f"{len(tags)} tags; at most {MOST_TAGS} are possible"
        )
    return tags


def _contacts(value: Any, known: Known) -> list[dict[str, str]]:
    if not isinstance(value, list | tuple):
        raise Fault("应为联系人列表", "a list of contacts is expected")
    if len(value) > MOST_CONTACTS:
        raise Fault(
            f"{len(value)} 位联系人，最多 {MOST_CONTACTS} 位",
            f"{len(value)} contacts; at most {MOST_CONTACTS} are possible",
        )
    return [_contact(item, known) for item in value]


def _contact(item: Any, known: Known) -> dict[str, str]:
    if not isinstance(item, Mapping) or not set(item) <= set(CONTACT_PARTS):
        raise Fault("联系人应有姓名、角色、电话、邮箱", "a contact has a name, role, phone and email")
    contact = {part: _text(100)(item.get(part, ""), known) for part in CONTACT_PARTS}
    for part, text in contact.items():
        if _LIST_MARK.search(text):
            raise Fault(f"{text!r} 不能含分号或 |", f"{part} {text!r} must not hold a semicolon or |")
    if not contact["name"]:
        raise Fault("联系人缺姓名", "a contact needs a name")
    if contact["phone"] and not _PHONE.fullmatch(contact["phone"]):
        raise Fault(
            f"{contact['phone']!r} 不是电话号码",
            f"{contact['phone']!r} is no phone number; e.g. +86 138 0000 0000",
        )
    if contact["email"] and not _EMAIL.fullmatch(contact["email"]):
        raise Fault(
            f"{contact['email']!r} 不是邮箱地址",
            f"{contact['email']!r} is no e-mail address; e.g. name@city.example",
        )
    return contact


_NAMES = (
    Field("name_zh", "text", _text(200), declared=True, needed=True),
    Field("name_en", "text", _text(200), declared=True, needed=True),
)
_PLACE = (Field("lon", "number", _degrees(180)), Field("lat", "number", _degrees(90)))
_WORDS = (Field("tags", "tags", _tags), Field("note", "text", _text(2000, lines=True)))
_PLACED = (Field("grid_cell", "text", _grid), Field("contacts", "contacts", _contacts), *_WORDS)

FIELDS: Final[Mapping[Kind, tuple[Field, ...]]] = {
    "site": (
        *_NAMES,
        Field("kind", "text", _code, declared=True, needed=True),
        Field("district", "text", _text(100), declared=True),
        Field("department", "text", _department),
        Field("address", "text", _text(300)),
        Field("lon", "number", _degrees(180), declared=True, needed=True),
        Field("lat", "number", _degrees(90), declared=True, needed=True),
        *_PLACED,
    ),
    "gateway": (*_NAMES, Field("site", "reference", _site), *_PLACE, *_PLACED),
    "device": (
        Field("site", "reference", _site, needed=True),
        *_NAMES,
        Field("kind", "text", _code, declared=True, needed=True),
        Field("vendor", "text", _text(100), declared=True),
        Field("model", "text", _text(100), declared=True),
        Field("serial", "text", _text(100)),
        *_PLACE,
        *_PLACED,
    ),
    "point": (*_NAMES, *_WORDS),
}
HAVE_LIFE: Final[tuple[Kind, ...]] = ("site", "gateway", "device")
