"""The audit trail: every entry on the disk, sealed to the one before, over rotation and power cuts."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audit import Audit, entries, verify
from edge.audit.trail import FILE_NAME, rotated
from protocols.errors import StorageError


def filled(folder: Path, n: int, **how: int) -> Audit:
    audit = Audit(folder, lambda: 1_000_000, **how)
    for i in range(1, n + 1):
        assert audit.note("local:root", "command", "pump1.run", f"value {i}") == i
    return audit


def test_what_is_noted_is_there_and_whole(tmp_path: Path) -> None:
    audit = filled(tmp_path, 3)
    proof = verify(tmp_path, audit.head())
    assert (proof.entries, proof.first, proof.last, proof.torn, proof.tampering) == (3, 1, 3, False, ())
    assert (proof.last, proof.head) == audit.head()
    assert [entry.detail for entry in entries(tmp_path, 2)] == ["value 2", "value 3"]
    assert oct(audit.path.stat().st_mode & 0o777) == "0o600"


def test_an_empty_trail_has_no_head(tmp_path: Path) -> None:
    assert Audit(tmp_path).head() == (0, "")
    assert verify(tmp_path).tampering == ()
    assert not (tmp_path / FILE_NAME).exists()


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_any_words_can_be_noted(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder = tmp_path_factory.mktemp("audit")
    audit = Audit(folder)
    for word in words:
        audit.note(word, word, word, word)
    assert verify(folder).tampering == ()
    assert len(entries(folder, 10)) == len(words)


def test_words_that_are_no_unicode_are_replaced(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.note("local:\udcff", "x", "y")
    assert entries(tmp_path, 1)[0].actor == "local:?"
    assert verify(tmp_path).tampering == ()


def test_the_chain_goes_on_after_a_restart_and_over_rotated_files(tmp_path: Path) -> None:
    filled(tmp_path, 20, max_bytes=2_000)
    again = Audit(tmp_path, max_bytes=2_000)
    assert again.head()[0] == 20
    assert again.note("a", "b", "c") == 21
    assert len(rotated(tmp_path)) >= 2
    assert verify(tmp_path, again.head()).tampering == ()
    assert verify(tmp_path).first == 1
    assert len(entries(tmp_path, 100)) == 21


def test_old_files_leave_and_the_rest_stays_whole(tmp_path: Path) -> None:
    audit = filled(tmp_path, 40, max_bytes=1_000, kept=2)
    assert len(rotated(tmp_path)) == 2
    assert audit.head()[0] == 40
    assert entries(tmp_path, 1)[0].n == 40


def test_a_torn_last_line_is_no_tampering_and_the_trail_goes_on(tmp_path: Path) -> None:
    head = filled(tmp_path, 2).head()
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"n":3,"time_us":1,"act')
    proof = verify(tmp_path, head)
    assert (proof.torn, proof.tampering, proof.last) == (True, (), 2)
    assert Audit(tmp_path).note("a", "b", "c") == 4
    proof = verify(tmp_path, head)
    assert (proof.torn, proof.tampering, proof.last) == (False, (), 4)
    assert [entry.what for entry in entries(tmp_path, 2)] == ["audit-recovered", "b"]


def test_a_line_that_lacks_only_its_end_is_kept(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    file = tmp_path / FILE_NAME
    os.truncate(file, file.stat().st_size - 1)
    assert verify(tmp_path).last == 2
    assert Audit(tmp_path).note("a", "b", "c") == 3
    assert verify(tmp_path).tampering == ()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = filled(tmp_path, 2)
    size = audit.path.stat().st_size
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 30:
            return real(file, data[:30])
        raise OSError(28, "No space left on device")

    def refuse(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        return full(file, data)

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(StorageError, match="Free some space"):
        audit.note("a", "b", "c")
    monkeypatch.undo()
    assert audit.path.stat().st_size == size
    assert audit.note("a", "b", "c") == 3
    assert verify(tmp_path).tampering == ()


def _noting(folder: Path, n: int) -> None:
    audit = Audit(folder, max_bytes=3_000)
    for i in range(n):
        audit.note(f"local:{os.getpid()}", "note", str(i))


def test_several_writers_share_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_noting, args=(tmp_path, 25)) for _ in range(2)]
    threads = [threading.Thread(target=_noting, args=(tmp_path, 25)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for thread in threads:
        thread.start()
    for worker in workers:
        worker.join(60)
    for thread in threads:
        thread.join(60)
    proof = verify(tmp_path)
    assert (proof.entries, proof.last, proof.tampering) == (100, 100, ())
