"""Table files of the registry: CSV (RFC 4180) and GeoJSON (RFC 7946), each mistake at its place."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

from central.city import cells
from central.city.fields import FIELDS, HAVE_LIFE, Fault, Kind
from central.city.layers import State
from protocols.errors import Rejected

Format = Literal["csv", "geojson"]
MOST_BYTES: Final = 32 * 1024 * 1024
MOST_ROWS: Final = 200_000
_DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a file. line: of a CSV file, or the feature's number, from 1; 0: all of it."""

    line: int
    column: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Row:
    """One thing as a file has it: the columns that are there, values parsed and not yet checked."""

    line: int
    id: str
    cells: Mapping[str, Any]
    lifecycle: str | None = None


@dataclass(slots=True)
class Read:
    """What a file says. encoding: `utf-8` or `gb18030`, as it was found."""

    rows: list[Row] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    encoding: str = "utf-8"

    def wrong(self, line: int, column: str, fault: Fault) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(line, column, fault.zh, fault.en))


class Unreadable(Exception):
    """The file as a whole cannot be read."""

    def __init__(self, zh: str, en: str, line: int = 0) -> None:
        self.mistake = Mistake(line, "", zh, en)
        super().__init__(en)


def columns(kind: Kind, chosen: Sequence[str] | None = None) -> list[str]:
    """Return the columns of a kind's file, in their order; chosen: these only, after the id.

    Rejected(`bad-field`) for one that there is not.
    """
    known = ["id", *(item.name for item in FIELDS[kind]), *(["lifecycle"] if kind in HAVE_LIFE else [])]
    if chosen is None:
        return known
    if unknown := sorted(set(chosen) - set(known)):
        raise Rejected(
            "bad-field", f"{', '.join(unknown)}: no such column of a {kind}; there are {', '.join(known)}"
        )
    return ["id", *(name for name in dict.fromkeys(chosen) if name != "id")]


def read(kind: Kind, shape: Format, data: bytes) -> Read:
    """Read a file; what is wrong with it as a whole is its only mistake then."""
    try:
        if len(data) > MOST_BYTES:
            _refuse(
                f"文件有 {len(data)} 字节，最多 {MOST_BYTES} 字节；请分成几个文件",
                f"the file has {len(data)} bytes, more than {MOST_BYTES}; split it",
            )
        return _read_csv(kind, data) if shape == "csv" else _read_geojson(kind, data)
    except Unreadable as error:
        return Read(mistakes=[error.mistake])


def write_csv(kind: Kind, states: Iterable[State], chosen: Sequence[str] | None = None) -> Iterator[str]:
    """Yield the lines of a CSV file with a byte order mark, which Excel needs to see UTF-8.

    chosen: `columns`, of which it has these only; so has the next.
    """
    names, fields = columns(kind, chosen), {item.name: item for item in FIELDS[kind]}
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow(names)
    for state in states:
        writer.writerow(
            [cells.show(fields[name], state[name]) if name in fields else state[name] for name in names]
        )
        if buffer.tell() > 65_536:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def write_geojson(
    kind: Kind,
    states: Iterable[State],
    places: Mapping[str, tuple[float, float]],
    chosen: Sequence[str] | None = None,
) -> Iterator[str]:
    """Yield a FeatureCollection. places: where sites stand, for what has no place of its own."""
    names = [name for name in columns(kind, chosen) if name not in {"lon", "lat"}]
    yield '{"type":"FeatureCollection","features":['
    between = ""
    for state in states:
        own = state["lon"] is not None
        place = (state["lon"], state["lat"]) if own else places.get(state.get("site") or "")
        properties = {name: state[name] for name in names} | {"own_place": own}
        feature = {
            "type": "Feature",
            "id": state["id"],
            "geometry": None if place is None else {"type": "Point", "coordinates": list(place)},
            "properties": properties,
        }
        yield between + json.dumps(feature, ensure_ascii=False, separators=(",", ":"))
        between = ",\n"
    yield "]}\n"


def _refuse(zh: str, en: str, line: int = 0) -> NoReturn:
    raise Unreadable(zh, en, line)


def _decode(data: bytes) -> tuple[str, str]:
    """Return the text and its encoding. Spreadsheets in China save GBK, which GB 18030 includes."""
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("gb18030"), "gb18030"
    except UnicodeDecodeError as error:
        _refuse(
            f"第 {error.start} 字节既不是 UTF-8 也不是 GBK；请另存为“CSV UTF-8”",
            f"byte {error.start} is neither UTF-8 nor GBK; save the file as `CSV UTF-8`",
        )


def _read_csv(kind: Kind, data: bytes) -> Read:
    text, encoding = _decode(data)
    found = Read(encoding=encoding)
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        _check_header(kind, header, found)
        if found.mistakes:
            return found
        line = reader.line_num + 1
        for values in reader:
            if any(value.strip() for value in values):
                _csv_row(kind, header, values, line, found)
            if len(found.rows) > MOST_ROWS:
                _refuse(
                    f"超过 {MOST_ROWS} 行；请分成几个文件",
                    f"more than {MOST_ROWS} rows; split the file",
                )
            line = reader.line_num + 1
    except csv.Error as error:
        found.wrong(line, "", Fault(f"此行不是 CSV：{error}", f"this line is no CSV: {error}"))
    return found


def _check_header(kind: Kind, header: list[str], found: Read) -> None:
    possible = columns(kind)
    if "id" not in header:
        names = ", ".join(possible)
        found.wrong(
            1,
            "id",
            Fault(f"首行须有列名，至少有 id；可用：{names}", f"line 1 names the columns: {names}"),
        )
    for name in sorted(set(header)):
        if name not in possible:
            names = ", ".join(possible)
            found.wrong(1, name, Fault(f"没有此列；可用：{names}", f"no such column; possible: {names}"))
        elif header.count(name) > 1:
            found.wrong(1, name, Fault("此列出现多次", "this column is there more than once"))


def _csv_row(kind: Kind, header: list[str], values: list[str], line: int, found: Read) -> None:
    if len(values) > len(header):
        found.wrong(
            line,
            "",
            Fault(
                f"有 {len(values)} 格，列名只有 {len(header)} 个；含逗号的文字须加引号",
                f"has {len(values)} cells for {len(header)} columns; put text with commas in quotes",
            ),
        )
        return
    given = dict(zip(header, values, strict=False))
    parsed: dict[str, Any] = {}
    for item in FIELDS[kind]:
        if item.name in given:
            try:
                parsed[item.name] = cells.parse(item, given[item.name])
            except Fault as fault:
                found.wrong(line, item.name, fault)
    state = given.get("lifecycle", "").strip() or None
    found.rows.append(Row(line, cells.unguard(given["id"].strip()).strip(), parsed, state))


def _read_geojson(kind: Kind, data: bytes) -> Read:
    if kind == "point":
        _refuse("测点没有坐标；请用 CSV", "points have no place of their own; use CSV")
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(
            f"第 {error.lineno} 行第 {error.colno} 列不是 JSON：{error.msg}",
            f"line {error.lineno}, column {error.colno} is no JSON: {error.msg}",
            error.lineno,
        )
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        _refuse(f"文件不是 UTF-8 的 JSON：{error}", f"the file is no JSON in UTF-8: {error}")
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        _refuse(
            "应为 GeoJSON FeatureCollection（RFC 7946）", "a GeoJSON FeatureCollection is expected (RFC 7946)"
        )
    if "crs" in document and "CRS84" not in json.dumps(document["crs"]):
        _refuse(
            "坐标须为 WGS 84 经纬度；RFC 7946 不用 crs，请转换后删除它",
            "coordinates are WGS 84 longitude and latitude; RFC 7946 knows no crs: convert, then remove it",
        )
    if len(features) > MOST_ROWS:
        _refuse(
            f"超过 {MOST_ROWS} 个要素；请分成几个文件",
            f"more than {MOST_ROWS} features; split it",
        )
    found = Read()
    for line, feature in enumerate(features, 1):
        _feature(kind, feature, line, found)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _feature(kind: Kind, feature: Any, line: int, found: Read) -> None:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict) or feature.get("type") != "Feature":
        found.wrong(line, "", Fault("应为带 properties 的 Feature", "a Feature with properties is expected"))
        return
    key = properties.get("id", feature.get("id"))
    if not isinstance(key, str):
        found.wrong(line, "id", Fault("缺 id（文字）", "the id is missing; it is text"))
        return
    parsed = {item.name: properties[item.name] for item in FIELDS[kind] if item.name in properties}
    known = {*columns(kind), "own_place"}
    for name in properties.keys() - known:
        found.wrong(line, str(name), Fault("没有此属性", "there is no such property"))
    for name in ("lon", "lat"):
        if name in parsed:
            found.wrong(line, name, Fault("坐标请写在 geometry", "the place stands in the geometry"))
    geometry = feature.get("geometry")
    if geometry is not None:
        place = geometry.get("coordinates") if isinstance(geometry, dict) else None
        if not isinstance(place, list) or len(place) < 2 or geometry.get("type") != "Point":
            found.wrong(line, "geometry", Fault("应为 Point 或 null", "a Point or null is expected"))
        elif properties.get("own_place") is False:
            parsed |= {"lon": None, "lat": None}
        else:
            parsed |= {"lon": place[0], "lat": place[1]}
    state = properties.get("lifecycle")
    if state is not None and not isinstance(state, str):
        found.wrong(line, "lifecycle", Fault("应为文字", "text is expected here"))
        state = None
    found.rows.append(Row(line, key, parsed, state))
