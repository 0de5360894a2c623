"""The stream `media` of the buffer: its promises, and that its budget holds whatever comes."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.buffer.media import MediaShelf
from protocols.errors import Rejected
from protocols.model.snapshot import CAUSES, Cause, Snapshot
from protocols.wire.media import decode_media

HEAD = b"\xff\xd8\xff"
AMPLE = 1 << 40
FOLDERS = count()


def shot(cause: Cause, size: int = 100, camera: str = "cam1") -> Snapshot:
    return Snapshot(camera=camera, taken_us=5, cause=cause, data=HEAD + bytes(size))


def shelf(folder: Path, keep: int = 10_000, free: int = AMPLE, reserve: int = 1000) -> MediaShelf:
    ticks = count(1_000_000)
    return MediaShelf(folder, lambda: next(ticks), keep_bytes=keep, reserve=reserve, free=lambda _: free)


def causes(shelf: MediaShelf) -> list[Cause]:
    """Empty it in the order in which it is sent."""
    found: list[Cause] = []
    while (waiting := shelf.next()) is not None:
        found.append(waiting[0].cause)
        shelf.done(waiting[0])
    return found


def test_evidence_and_orders_are_found_again_as_the_same_bytes(tmp_path: Path) -> None:
    before = shelf(tmp_path)
    for cause in CAUSES:
        before.put(shot(cause))
    first = before.next()
    again = shelf(tmp_path)
    assert again.boot != before.boot
    found = again.next()
    assert first is not None
    assert found is not None
    assert (found[1], found[0].boot, found[0].seq) == (first[1], before.boot, first[0].seq)
    media = decode_media(found[1])
    assert (media.boot, media.seq, media.snapshot) == (before.boot, 2, shot("order"))
    assert causes(again) == ["order", "alarm"]  # the wall has newer pictures by now
    assert not list(again.folder.iterdir())


def test_files_are_for_nobody_else(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    for cause in CAUSES:
        assert made.put(shot(cause)).path.stat().st_mode & 0o777 == 0o600
    assert made.folder.stat().st_mode & 0o777 == 0o700


def test_of_the_wall_only_the_newest_of_a_camera_waits(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    for camera in ("cam1", "cam2", "cam1"):
        made.put(shot("wall", camera=camera))
    waiting = made.next()
    assert made.status().waiting == 2
    assert waiting is not None
    assert decode_media(waiting[1]).snapshot.camera == "cam2"
    assert made.dropped == 0  # it was overtaken, not given up


def test_what_somebody_waits_for_goes_first_and_the_wall_last(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    for cause in ("wall", "alarm", "order", "alarm"):
        made.put(shot(cause))
    assert causes(made) == ["order", "alarm", "alarm", "wall"]


def test_evidence_displaces_the_wall_and_never_the_other_way(tmp_path: Path) -> None:
    made = shelf(tmp_path, keep=1500)
    made.put(shot("wall", 700))
    made.put(shot("alarm", 400))
    made.put(shot("alarm", 500))
    assert made.dropped == 1
    with pytest.raises(Rejected, match="evidence fills"):
        made.put(shot("wall", 700))
    assert causes(made) == ["alarm", "alarm"]


@pytest.mark.parametrize(("free", "left"), [(2500, ["alarm", "wall"]), (1500, ["alarm"]), (500, [])])
def test_a_disk_that_becomes_short_is_left_to_the_readings(
    tmp_path: Path, free: int, left: list[Cause]
) -> None:
    disk = [AMPLE]
    made = MediaShelf(tmp_path, lambda: 7, keep_bytes=10_000, reserve=1000, free=lambda _: disk[0])
    made.put(shot("wall"))
    made.put(shot("alarm"))
    disk[0] = free
    made.tend()
    assert causes(made) == left
    if not left:
        with pytest.raises(Rejected, match="disk is short"):
            made.put(shot("alarm"))


def test_halves_and_strangers_in_the_folder_are_cleared_away(tmp_path: Path) -> None:
    made = shelf(tmp_path)
    made.put(shot("alarm"))
    (made.folder / ".0-1-x-1.picture.new").write_bytes(b"half")
    (made.folder / "notes.txt").write_bytes(b"?")
    assert causes(shelf(tmp_path)) == ["alarm"]


puts = st.tuples(st.sampled_from(CAUSES), st.integers(1, 3000), st.sampled_from(["cam1", "cam2", "cam3"]))


@given(st.lists(st.one_of(puts, st.just("send"), st.just("restart")), max_size=40), st.integers(1500, 8000))
@settings(max_examples=60, deadline=None)
def test_the_budget_holds_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | tuple[Cause, int, str]], keep: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"shelf{next(FOLDERS)}"
    made = shelf(folder, keep)
    names: set[tuple[str, int]] = set()
    for step in steps:
        worth = [one.cause for one in made._held]
        if step == "send":
            waiting = made.next()
            if waiting is not None:
                made.done(waiting[0])
        elif step == "restart":
            made = shelf(folder, keep)
        elif isinstance(step, tuple):
            with suppress(Rejected):
                held = made.put(shot(step[0], step[1], step[2]))
                assert (held.boot, held.seq) not in names
                names.add((held.boot, held.seq))
            # Nothing is given up for something of less worth.
            for cause in CAUSES[: CAUSES.index(step[0])]:
                assert [one.cause for one in made._held].count(cause) == worth.count(cause)
        files = list(made.folder.iterdir()) if made.folder.exists() else []
        assert sum(path.stat().st_size for path in files) == made.status().bytes <= keep
        assert len(files) == made.status().waiting
