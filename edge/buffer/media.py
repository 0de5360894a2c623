"""The stream `media` of the buffer: pictures that wait for the centre, one file each, beside the log.

    state_dir/media/{worth}-{made_us}-{boot}-{seq}.picture     0600, the bytes that are sent

Promises, tested by tests/edge/buffer/test_media.py:

- Pictures never take more than `keep_bytes`, and never stand in the way of readings: below twice the disk's
  reserve those of the wall go and none comes, below the reserve itself all of them go. The log thins its own
  readings only after that. Nothing of a picture is written into the log.
- What is given up first: pictures of the wall, then those somebody asked for, then evidence; each time the
  oldest. It is counted. Of the wall only the newest picture of a camera waits.
- Evidence, and what was asked for, survives a power cut once `put` has returned; the wall's pictures are
  not forced to disk, and a restart drops them: by then there are newer ones.
- Numbers rise within one boot; each process has a boot of its own.

Methods block on the disk; one thread at a time is let in.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from edge.buffer.file import free_bytes
from edge.durable import replace_file
from protocols.errors import Rejected, StorageError
from protocols.model.clock import Clock
from protocols.model.snapshot import CAUSES, Cause, Snapshot
from protocols.wire.handshake import PicturesStatus
from protocols.wire.media import Media, encode_media

FOLDER: Final = "media"
URGENCY: Final[tuple[Cause, ...]] = ("order", "alarm", "wall")
"""What is sent first: somebody waits for what he asked for."""
_SUFFIX: Final = ".picture"


@dataclass(frozen=True, slots=True)
class Held:
    """A picture that waits. boot and seq are its name at the centre; camera only where it is the wall's."""

    cause: Cause
    made_us: int
    boot: str
    seq: int
    size: int
    camera: str
    path: Path


class MediaShelf:
    """The pictures of one gateway. reserve: bytes of the disk that are left to others, as the log has it."""

    def __init__(
        self,
        state_dir: Path,
        clock: Clock,
        *,
        keep_bytes: int,
        reserve: int,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.folder = state_dir / FOLDER
        self.boot = secrets.token_hex(8)
        self.dropped = 0
        self._clock = clock
        self._keep = keep_bytes
        self._reserve = min(reserve, _eighth(state_dir))
        self._free = free
        self._seq = 0
        self._gate = threading.Lock()
        self._held: list[Held] = []
        self._log = structlog.get_logger("edge.buffer")
        self._find()

    def keep(self, keep_bytes: int, reserve: int) -> None:
        """Keep to other limits from now on."""
        with self._gate:
            self._keep, self._reserve = keep_bytes, min(reserve, _eighth(self.folder.parent))
            self._make_room(0)

    def put(self, snapshot: Snapshot) -> Held:
        """Store a picture. Raises Rejected(`no-room`), or StorageError where the disk fails."""
        with self._gate:
            self._seq += 1
            media = Media(boot=self.boot, seq=self._seq, made_us=self._clock(), snapshot=snapshot)
            data = encode_media(media)
            wall = snapshot.cause == "wall"
            for old in [one for one in self._held if wall and one.camera == snapshot.camera]:
                self._remove(old)
            self._require_room(snapshot.cause, len(data))
            name = f"{CAUSES.index(snapshot.cause)}-{media.made_us:020}-{self.boot}-{self._seq}{_SUFFIX}"
            path = self.folder / name
            try:
                if wall:
                    self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                        file.write(data)
                else:
                    replace_file(path, data)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise StorageError(f"{path}: {error.strerror}; the picture is not kept") from error
            camera = snapshot.camera if wall else ""
            held = Held(snapshot.cause, media.made_us, self.boot, self._seq, len(data), camera, path)
            self._held.append(held)
            return held

    def next(self) -> tuple[Held, bytes] | None:
        """Return the most urgent picture with its bytes; one whose file cannot be read is dropped."""
        with self._gate:
            while self._held:
                first = min(self._held, key=lambda one: (URGENCY.index(one.cause), one.made_us, one.seq))
                try:
                    return first, first.path.read_bytes()
                except OSError as error:
                    self._log.error("a picture cannot be read back", file=str(first.path), reason=str(error))
                    self._drop(first)
            return None

    def done(self, held: Held) -> None:
        """Forget a picture that the centre has."""
        with self._gate:
            self._remove(held)

    def give_up(self, held: Held) -> None:
        """Forget a picture that the centre will never take, and count it."""
        with self._gate:
            self._drop(held)

    def tend(self) -> None:
        """Give up pictures where the disk has become short for the readings."""
        with self._gate:
            self._make_room(0)

    def status(self) -> PicturesStatus:
        """Return what waits; from memory, at once."""
        held = list(self._held)
        return PicturesStatus(waiting=len(held), bytes=sum(one.size for one in held), dropped=self.dropped)

    def _require_room(self, cause: Cause, need: int) -> None:
        free = self._free(self._here())
        short = free - need < (2 if cause == "wall" else 1) * self._reserve
        if need > self._keep or short:
            self._make_room(0)
            self.dropped += 1
            why = "the disk is short of room" if short else f"it has {need} bytes, all may have {self._keep}"
            raise Rejected("no-room", f"the picture is not kept: {why}")
        worth = CAUSES.index(cause)
        # What is worth more is never given up for what is worth less.
        fixed = sum(one.size for one in self._held if CAUSES.index(one.cause) < worth)
        if fixed + need > self._keep:
            self.dropped += 1
            raise Rejected("no-room", "the picture is not kept: evidence fills what pictures may take")
        self._make_room(need)

    def _make_room(self, need: int) -> None:
        size = sum(one.size for one in self._held)
        free = self._free(self._here())
        for one in sorted(self._held, key=lambda one: (-CAUSES.index(one.cause), one.made_us, one.seq)):
            short = free < (2 if one.cause == "wall" else 1) * self._reserve
            if size + need <= self._keep and not short:
                return
            self._drop(one)
            size -= one.size
            free += one.size

    def _here(self) -> Path:
        here = self.folder
        while not here.exists():
            here = here.parent
        return here

    def _drop(self, held: Held) -> None:
        if self._remove(held):
            self.dropped += 1

    def _remove(self, held: Held) -> bool:
        if held not in self._held:
            return False
        self._held.remove(held)
        try:
            held.path.unlink(missing_ok=True)
        except OSError as error:
            self._log.error("a picture cannot be deleted", file=str(held.path), reason=str(error))
        return True

    def _find(self) -> None:
        """Take up what an earlier process left; of its wall nothing is worth sending now."""
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.iterdir()):
            parts = path.name.removesuffix(_SUFFIX).split("-")
            whole = path.name.endswith(_SUFFIX) and len(parts) == 4 and all(p.isalnum() for p in parts)
            try:
                if not whole or parts[0] not in {"0", "1"}:
                    path.unlink()  # the wall's, or half of one
                    continue
                size = path.stat().st_size
                worth, made_us, boot, seq = parts
                self._held.append(Held(CAUSES[int(worth)], int(made_us), boot, int(seq), size, "", path))
            except (OSError, ValueError) as error:
                self._log.error("a picture of before cannot be taken up", file=str(path), reason=str(error))
        self._make_room(0)


def _eighth(folder: Path) -> int:
    """Return an eighth of the disk, the most that is left to others of a small one (`edge.buffer.policy`)."""
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    return disk.f_blocks * disk.f_frsize // 8
