"""What was done to the trail is found and named: altered, removed, moved, cut off, written anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audit import Audit, verify
from edge.audit.trail import FILE_NAME, AuditEntry, rotated
from tests.edge.audit.test_trail import filled


def lines_of(folder: Path) -> list[bytes]:
    return (folder / FILE_NAME).read_bytes().splitlines(keepends=True)


def kinds(folder: Path, head: tuple[int, str] | None = None) -> list[tuple[str, int]]:
    return [(place.kind, place.line) for place in verify(folder, head).tampering]


def rewrite(line: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(line), **changes}).encode() + b"\n"


@pytest.mark.parametrize("field", ["time_us", "actor", "what", "subject", "detail", "prev", "hash"])
def test_an_altered_field_is_found_at_its_line(tmp_path: Path, field: str) -> None:
    filled(tmp_path, 4)
    lines = lines_of(tmp_path)
    value = {"time_us": 5, "prev": "00" * 32, "hash": "11" * 32}.get(field, "someone else")
    lines[1] = rewrite(lines[1], **{field: value})
    (tmp_path / FILE_NAME).write_bytes(b"".join(lines))
    assert ("altered", 2) in kinds(tmp_path)


def test_an_altered_and_resealed_line_breaks_the_next(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    lines = lines_of(tmp_path)
    entry = msgspec.structs.replace(msgspec.json.decode(lines[1], type=AuditEntry), actor="nobody")
    lines[1] = rewrite(lines[1], actor="nobody", hash=entry.sealed().hex())
    (tmp_path / FILE_NAME).write_bytes(b"".join(lines))
    assert kinds(tmp_path) == [("altered", 3)]


def test_a_trail_written_anew_needs_a_remembered_head(tmp_path: Path) -> None:
    head = filled(tmp_path, 3).head()
    (tmp_path / FILE_NAME).unlink()
    audit = Audit(tmp_path)
    for _ in range(4):
        audit.note("nobody", "nothing", "nowhere")
    assert kinds(tmp_path) == []
    assert kinds(tmp_path, head) == [("rewritten", 3)]


def test_a_cut_tail_needs_a_remembered_head(tmp_path: Path) -> None:
    head = filled(tmp_path, 5).head()
    (tmp_path / FILE_NAME).write_bytes(b"".join(lines_of(tmp_path)[:3]))
    assert kinds(tmp_path) == []
    assert kinds(tmp_path, head) == [("cut-off", 0)]
    Audit(tmp_path).note("a", "b", "c")
    Audit(tmp_path).note("a", "b", "c")
    assert kinds(tmp_path, head) == [("rewritten", 5)]


def test_a_removed_first_line_or_file_is_found(tmp_path: Path) -> None:
    filled(tmp_path, 20, max_bytes=2_000)
    rotated(tmp_path)[0].unlink()
    assert [kind for kind, _ in kinds(tmp_path)] == ["removed"]


@given(st.data())
def test_no_removal_swap_or_insertion_stays_unseen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("trail")
    n = data.draw(st.integers(3, 6))
    head = filled(folder, n).head()
    lines = lines_of(folder)
    deed = data.draw(st.sampled_from(["remove", "swap", "double", "garbage", "byte"]))
    i = data.draw(st.integers(0, n - 1))
    if deed == "remove":
        del lines[i]
    elif deed == "swap":
        j = data.draw(st.integers(0, n - 1).filter(lambda j: j != i))
        lines[i], lines[j] = lines[j], lines[i]
    elif deed == "double":
        lines.insert(data.draw(st.integers(0, n)), lines[i])
    elif deed == "garbage":
        lines.insert(i, b"no entry\n")
    else:
        raw = bytearray(lines[i])
        at = data.draw(st.integers(0, len(raw) - 2))
        raw[at] ^= 1 << data.draw(st.integers(0, 6))
        lines[i] = bytes(raw)
    (folder / FILE_NAME).write_bytes(b"".join(lines))
    assert verify(folder, head).tampering, deed
