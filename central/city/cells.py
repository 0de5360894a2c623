"""One cell of a table file: how tags, contacts and numbers stand in it, and how it is kept from acting.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula (CSV injection, OWASP). Such
text is written with an apostrophe before it and read without: every text comes back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from central.city.fields import CONTACT_PARTS, Fault, Field

_ACTS: Final = frozenset("=+-@\t\r")
_ESCAPED: Final = _ACTS | {"'"}
_BETWEEN: Final = re.compile("[;；\n]")


def guard(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula; `unguard` turns it back."""
    acts = text[:1] in _ACTS if text else False
    return f"'{text}" if acts or (text[:1] == "'" and text[1:2] in _ESCAPED and len(text) > 1) else text


def unguard(cell: str) -> str:
    """Return what was meant by a cell that `guard`, or a careful person, wrote."""
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in _ESCAPED else cell


def show(field: Field, value: Any) -> str:
    """Return a value as the text of a cell, not guarded yet for numbers, which cannot act."""
    if field.shape == "number":
        return "" if value is None else repr(float(value))
    if field.shape == "tags":
        return guard(";".join(value))
    if field.shape == "contacts":
        return guard(";".join(_contact(item) for item in value))
    return guard(value or "")


def parse(field: Field, cell: str) -> Any:
    """Return the value of a cell, ready to be checked; None where nothing stands. Raises Fault."""
    text = unguard(cell.strip()).strip() if field.shape != "number" else cell.strip()
    if not text:
        return None
    if field.shape == "tags":
        return _BETWEEN.split(text)
    if field.shape == "contacts":
        return [_parse_contact(part) for part in _BETWEEN.split(text) if part.strip()]
    return text


def _contact(contact: Mapping[str, str]) -> str:
    return "|".join(contact.get(part, "") for part in CONTACT_PARTS).rstrip("|")


def _parse_contact(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) > len(CONTACT_PARTS):
        raise Fault(
            f"联系人 {text!r} 有 {len(parts)} 段；应为 姓名|角色|电话|邮箱，多人以分号隔开",
            f"the contact {text!r} has {len(parts)} parts; write name|role|phone|email, then a semicolon",
        )
    return dict(zip(CONTACT_PARTS, [*parts, "", "", ""][: len(CONTACT_PARTS)], strict=True))
