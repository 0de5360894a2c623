"""A device profile as a CSV table, for a spreadsheet, and back: nothing is lost on the way.

    #id,my.meter                                  what is not a point, a line each
    #name.zh,三相电表
    key,name.zh,name.en,type,unit,modbus.fc,…     the columns
    volts,电压,Voltage,f32,V,4,…                   a point in each line

Other people's lists are taken as well: columns in any order and in Chinese, semicolons or tabs between them,
UTF-8 with or without its mark, UTF-16, GB18030. Every mistake has its line, its column and its repair.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Final

from edge.config.document import Document, Path_
from edge.config.load import check_profile
from edge.config.mistakes import nearest
from edge.tools.columns import Column, columns, named
from protocols.errors import ConfigError, Mistake, Rejected
from protocols.model.address.registry import ADDRESSES
from protocols.model.device import Profile

MOST_BYTES: Final = 8_000_000
MOST_POINTS: Final = 5_000
_ALWAYS: Final = ("key", "name.zh", "name.en", "type", "unit", "scale", "decimals", "min", "max")
_PLAIN: Final = ("id", "vendor", "model", "version", "kind", "protocol", "source")
_MANY: Final = ("probe", "golden")
_NOT_CSV: Final = ("a table of points in CSV", "save it as CSV (UTF-8), one point in each line")


def write(profile: Profile) -> str:
    """Return a profile as CSV, lines ended by CR LF as RFC 4180 has it."""
    record = profile.model_dump(mode="json", exclude_defaults=True)
    whole = {"labels", *ADDRESSES.find(profile.protocol).as_json}
    points = [_flat(point, whole) for point in record["points"]]
    known = columns(profile.protocol)
    used = [c for c in known.values() if c.name in _ALWAYS or any(c.place in point for point in points)]
    out = io.StringIO()
    table = csv.writer(out)
    for key in _PLAIN:
        if key in record:
            table.writerow([f"#{key}", Column((key,), "text").cell(record[key])])
    for language in ("zh", "en"):
        table.writerow([f"#name.{language}", Column(("name",), "text").cell(record["name"][language])])
    for key, value in record.items():
        if key not in (*_PLAIN, "name", "points"):
            for each in value if key in _MANY else [value]:
                table.writerow([f"#{key}", json.dumps(each, ensure_ascii=False)])
    table.writerow([column.name for column in used])
    for point in points:
        table.writerow([c.cell(point[c.place]) if c.place in point else "" for c in used])
    return out.getvalue()


def read(path: Path, **said: str) -> Profile:
    """Return the profile of a CSV file. Raises ConfigError with every mistake.

    `said` are parts of the profile that the table does not tell, or tells otherwise: id, protocol, …
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise ConfigError([Mistake(str(path), 0, 0, "", problem, _NOT_CSV[0], "correct its name")]) from error
    return parse(path, text_of(path, data), **said)


def parse(path: Path, text: str, **said: str) -> Profile:
    """The same of text that lies, or will lie, at `path`."""
    document = Document(str(path))
    table = _Table(document, said)
    try:
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(first), strict=True)
        before = 0
        for cells in lines:
            table.take(before + 1, cells)
            before = lines.line_num
    except csv.Error as error:
        document.mistakes.append(Mistake(str(path), before + 1, 1, "", f"this is no CSV: {error}", *_NOT_CSV))
    table.finish()
    if document.mistakes:
        raise ConfigError(document.mistakes)
    document.data = table.data
    profile = check_profile(document)
    if document.mistakes or profile is None:
        raise ConfigError(document.mistakes)
    return profile


class _Table:
    """The lines of a file become the record of a profile, each part with its place."""

    def __init__(self, document: Document, said: Mapping[str, str]) -> None:
        self.document = document
        self.data: dict[str, Any] = {"points": []}
        self._said = said
        self._columns: list[Column | None] | None = None
        document.places[()] = (1, 1)

    def take(self, line: int, cells: list[str]) -> None:
        if not any(cell.strip() for cell in cells):
            return
        if cells[0].startswith("#"):
            self._head(line, cells)
        elif self._columns is None:
            self._titles(line, cells)
        else:
            self._point(line, cells)

    def finish(self) -> None:
        """Fill in what nobody said, and name what is missing."""
        self.data |= self._said
        if self._columns is None:
            self._say(1, 1, "", "there is no line of column titles", *_NOT_CSV)
        identity = str(self.data.get("id", ""))
        defaults: dict[str, Any] = {
            "vendor": identity.partition(".")[0], "model": identity, "version": 1, "kind": "meter",
            "protocol": "modbus", "name": {"zh": identity, "en": identity},
        }  # fmt: skip
        self.data = {**defaults, **self.data}
        if not identity:
            self._say(
                1, 1, "id", "nobody says the id", "the profile's id", "add a first line `#id,maker.model`"
            )

    def _head(self, line: int, cells: list[str]) -> None:
        key, value = cells[0][1:].strip(), cells[1] if len(cells) > 1 else ""
        at: Path_ = (key,)
        if not value:
            return
        if key in ("name.zh", "name.en"):
            at = ("name", key[5:])
            self.data.setdefault("name", {})[key[5:]] = Column(at, "text").read(value)
        elif key == "version":
            self.data[key] = Column((key,), "number").read(value)
        elif key in _PLAIN:
            self.data[key] = Column((key,), "text").read(value)
        elif key in Profile.model_fields and key != "points":
            read = self._json(line, 2, key, value)
            if key in _MANY:
                at = (key, len(self.data.setdefault(key, [])))
                self.data[key].append(read)
            else:
                self.data[key] = read
        else:
            known = [*_PLAIN, "name.zh", "name.en", *(n for n in Profile.model_fields if n != "points")]
            self._say(line, 1, key, f"{key!r} is no part of a profile", "a part of it", nearest(key, known))
        self.document.places[at] = (line, 2)

    def _titles(self, line: int, cells: list[str]) -> None:
        protocol = str(self._said.get("protocol") or self.data.get("protocol") or "modbus")
        try:
            known = columns(protocol)
        except Rejected as error:
            # Told alone: without the protocol, no column and no cell can be judged.
            problem, _, repair = str(error).partition("; ")
            at = self.document.places.get(("protocol",), (line, 1))
            raise ConfigError(
                [Mistake(self.document.file, *at, "protocol", problem, "a known protocol", repair)]
            ) from error
        self._columns = []
        for number, title in enumerate(cells, 1):
            column = named(title, known, protocol)
            if column is None and title.strip():
                self._say(
                    line, number, title.strip(), f"there is no column {title.strip()!r}",
                    f"a column of {protocol} points", nearest(title.strip(), known),
                )  # fmt: skip
            elif column is not None and column in self._columns:
                self._say(line, number, column.name, "this column is here twice", "each once", "remove one")
            self._columns.append(column)
        if known["key"] not in self._columns:
            self._say(line, 1, "key", "there is no column `key`", "a key for each point", "add the column")

    def _point(self, line: int, cells: list[str]) -> None:
        titles = self._columns or []
        at = len(self.data["points"])
        if at >= MOST_POINTS:
            if at == MOST_POINTS:
                self._say(line, 1, "", f"more than {MOST_POINTS} points", "fewer", "make two profiles of it")
                self.data["points"].append({})
            return
        point: dict[str, Any] = {}
        self.data["points"].append(point)
        self.document.places[("points", at)] = (line, 1)
        for number, cell in enumerate(cells, 1):
            column = titles[number - 1] if number <= len(titles) else None
            if cell.strip() and column is None:
                self._say(
                    line, number, "", f"{cell.strip()[:30]!r} stands under no title", "a cell in each column",
                    "put a text with a comma in it into quotes",
                )  # fmt: skip
            if cell == "" or column is None:
                continue
            try:
                value = column.read(cell)
            except ValueError as error:
                self._say(line, number, column.name, *_cause(column, error))
                continue
            here = point
            for step in column.place[:-1]:
                here = here.setdefault(step, {})
            here[column.place[-1]] = value
            self.document.places[("points", at, *column.place)] = (line, number)
        name = point.get("name")
        if isinstance(name, dict) and len(name) == 1:
            (word,) = name.values()
            point["name"] = {"zh": word, "en": word}

    def _json(self, line: int, column: int, key: str, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            self._say(
                line, column, key, f"this is no JSON: {error}", "JSON, as an export writes it", "correct it"
            )
            return None

    def _say(self, line: int, column: int, path: str, problem: str, expected: str, repair: str) -> None:
        self.document.mistakes.append(
            Mistake(self.document.file, line, column, path, problem, expected, repair)
        )


def _cause(column: Column, error: ValueError) -> tuple[str, str, str]:
    if column.kind == "labels":
        problem, _, repair = str(error).partition("; ")
        return problem, "words for values", repair or "correct it"
    return f"this is no JSON: {error}", "JSON, as an export writes it", "correct it, or leave the cell empty"


def _flat(
    point: Mapping[str, Any], whole: Set[str], place: tuple[str, ...] = ()
) -> dict[tuple[str, ...], Any]:
    """Return a point's parts by their place; what is a column of its own stays whole."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in point.items():
        here = (*place, key)
        parted = isinstance(value, dict) and key not in whole
        found.update(_flat(value, whole, here) if parted else {here: value})
    return found


def _separator(titles: str) -> str:
    return max(",;\t", key=titles.count)


def text_of(path: Path, data: bytes) -> str:
    """Return the text of a file's bytes in whatever encoding spreadsheets write. Raises ConfigError."""
    if len(data) > MOST_BYTES:
        problem = f"{len(data)} bytes are no point list"
        raise ConfigError([Mistake(str(path), 0, 0, "", problem, f"at most {MOST_BYTES} bytes", _NOT_CSV[1])])
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            at = error.start
    line = data[:at].count(b"\n") + 1
    problem = f"byte 0x{data[at]:02X} in this line is neither UTF-8 nor GB18030"
    raise ConfigError([Mistake(str(path), line, 1, "", problem, "text", "save the file as CSV (UTF-8)")])
