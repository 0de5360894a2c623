"""Owner departments (主管部门) of the city as a table: `id,name_zh,name_en`, in and out.

A department is only added or renamed here. It is not removed: sites and rights name it by its id.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Final

from central.city import cells
from central.city.fields import Fault
from central.city.records import Department
from central.city.tablefile import Mistake
from central.store.base import Database

Changed = tuple[Department | None, Department]
"""A department before, None where it is new, and after."""
COLUMNS: Final = ("id", "name_zh", "name_en")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_MOST: Final = 100
ALL: Final = "SELECT id, name_zh, name_en FROM departments ORDER BY id"
PUT: Final = """
INSERT INTO departments (id, name_zh, name_en) VALUES (%s, %s, %s)
ON CONFLICT (id) DO UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en
"""


def read(data: bytes) -> tuple[list[Department], list[Mistake]]:
    """Return the departments of a CSV file in UTF-8, and its mistakes by line and column."""
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            return [], [Mistake(1, "", f"首行应为 {','.join(COLUMNS)}", f"line 1 is: {','.join(COLUMNS)}")]
        lines = [(rows.line_num, row) for row in rows]
    except UnicodeDecodeError:
        return [], [Mistake(0, "", "文件不是 UTF-8；请另存为 UTF-8", "is not UTF-8; save it as UTF-8")]
    except csv.Error as error:
        return [], [Mistake(rows.line_num, "", f"此行不是 CSV：{error}", f"this line is no CSV: {error}")]
    found: dict[str, Department] = {}
    mistakes: list[Mistake] = []
    for line, row in lines:
        faults = _faults(row, found)
        mistakes += [Mistake(line, column, fault.zh, fault.en) for column, fault in faults.items()]
        if not faults:
            found[row["id"]] = Department(*(cells.unguard(row[column].strip()).strip() for column in COLUMNS))
    return list(found.values()), mistakes


def write(departments: Sequence[Department]) -> str:
    """Return them as a file that `read` takes."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    table.writerows([one.id, cells.guard(one.name_zh), cells.guard(one.name_en)] for one in departments)
    return out.getvalue()


async def departments(database: Database) -> list[Department]:
    """Return every department, by id."""
    async with database.pool.connection() as connection:
        rows = await (await connection.execute(ALL)).fetchall()
    return [Department(*map(str, row)) for row in rows]


async def put(database: Database, wanted: Sequence[Department]) -> list[Changed]:
    """Add departments, or rename those that are there; return what changed, before and after."""
    async with database.pool.connection() as connection, connection.transaction():
        await connection.execute("LOCK TABLE departments IN SHARE ROW EXCLUSIVE MODE")
        rows = await (await connection.execute(ALL)).fetchall()
        there = {str(row[0]): Department(*map(str, row)) for row in rows}
        changed = [(there.get(one.id), one) for one in wanted if there.get(one.id) != one]
        for _, one in changed:
            await connection.execute(PUT, (one.id, one.name_zh, one.name_en))
    return changed


def _faults(row: Mapping[str | None, object], found: Mapping[str, Department]) -> dict[str, Fault]:
    faults: dict[str, Fault] = {}
    if None in row or None in row.values():
        return {
            "": Fault(
                "应为三格；含逗号的文字须加引号", "three cells are expected; put text with commas in quotes"
            )
        }
    key = str(row["id"])
    if not _ID.fullmatch(key):
        faults["id"] = Fault(
            f"{key!r} 不能作代码；用小写字母、数字、- 和 _",
            f"{key!r} is no id; use small letters, digits, - and _",
        )
    elif key in found:
        faults["id"] = Fault(f"{key!r} 出现两次", f"{key!r} is there twice; remove one of the lines")
    for column in COLUMNS[1:]:
        length = len(str(row[column]).strip())
        if not 0 < length <= _MOST:
            faults[column] = Fault(f"应为 1 至 {_MOST} 个字", f"needs 1 to {_MOST} letters")
    return faults
