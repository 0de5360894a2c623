"""One camera as the driver knows it: where its pictures are, what they showed, how far up the ladder it is.

snapshot (each read) ─→ picture figures          stream look (each quarter of an hour) ─→ stream figures
OPTIONS (each read), DESCRIBE (each five minutes)  ─→ level and cause, at once when a rung breaks
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.field.base import Shot
from protocols.field.camera.decoding import KeyFrames
from protocols.field.camera.ladder import Cause, Fallen, Level
from protocols.field.camera.measures import Reference, Verdict
from protocols.field.camera.picture import History, Picture
from protocols.field.camera.stream import Look
from protocols.model.quality import Quality


@dataclass(slots=True)
class Figures:
    """What was measured together, and when. why: the quality of everything that is not in it."""

    time_us: int = 0
    values: dict[str, float] = field(default_factory=dict)
    why: int = Quality.BAD_WAITING_FOR_INITIAL_DATA


class Watched:
    """The state of one camera. Times of the loop are monotonic seconds."""

    def __init__(self, device: str, path: str | None, stream: str | None) -> None:
        self.device = device
        self.path, self.stream = path, stream
        self.by_stream = path is None
        """Whether it is online when its stream is; else when its snapshot is."""
        self.unknown: Fallen | None = None
        """Why nobody knows where its pictures are."""
        self.reference = Reference()
        self.history = History()
        self.keys = KeyFrames()
        self.shot: Shot | None = None
        self.level, self.cause = Level.UNREACHABLE, Cause.NONE
        self.words = ""
        self.seen = False
        """Whether the level is known: something was asked, and there was an answer or none."""
        self.picture, self.streaming = Figures(), Figures()
        self.look_at = self.describe_at = 0.0

    def fall(self, level: Level, cause: Cause, words: str) -> None:
        """Note the rung that broke."""
        self.level, self.cause, self.words, self.seen = level, cause, words, True

    def show(self, picture: Picture, size: int, headers: Mapping[str, str], now_us: int) -> dict[str, float]:
        """Measure a picture; return its figures, and stand on one of the two top rungs."""
        self.history.add(picture, now_us)
        verdict = self.reference.judge(picture, now_us)
        figures = {
            "online": 1.0,
            "brightness": picture.brightness,
            "frame_age_s": self.history.age_s(picture, headers, now_us),
            "frame_bytes": float(size),
            "black": float(verdict.black),
            "exposure": float(verdict.exposure),
        }
        known: dict[str, float | bool | None] = {
            "frozen": self.history.frozen,
            "sharpness": None if verdict.sharpness is None else 100 * verdict.sharpness,
            "blurred": verdict.blurred,
            "likeness": verdict.likeness,
            "covered": verdict.covered,
            "moved": verdict.moved,
        }
        figures |= {name: float(value) for name, value in known.items() if value is not None}
        self._stand(verdict)
        return figures

    def bytes_only(self, look: Look) -> None:
        """Judge a stream that cannot be decoded here by the sizes of its key frames."""
        collapsed, frozen = self.keys.add(look)
        if collapsed:
            self.fall(Level.FRAMES, Cause.BLACK, "its key frames have shrunk to a fifth: the picture is lost")
        elif frozen:
            self.fall(Level.FRAMES, Cause.FROZEN, "its key frames repeat themselves byte for byte")
        else:
            self.fall(Level.ALIVE, Cause.NONE, "")

    def ladder(self, figures: dict[str, float]) -> None:
        """Put the rung into figures."""
        figures["level"], figures["cause"] = float(self.level), float(self.cause)
        if self.by_stream:
            figures["online"] = float(self.level >= Level.FRAMES)

    @property
    def suspicious(self) -> bool:
        """Whether it is worth looking again soon."""
        return self.level is not Level.ALIVE or bool(self.history.same)

    def _stand(self, verdict: Verdict) -> None:
        causes = (
            (verdict.black, Cause.BLACK, "its picture is black; look at lens and sensor"),
            (self.history.frozen, Cause.FROZEN, "its picture stands still, clock included; restart it"),
            (verdict.covered, Cause.COVERED, "its lens is covered; clean or uncover it"),
            (verdict.blurred, Cause.BLURRED, "its picture has lost its edges; clean the lens, set the focus"),
            (
                verdict.exposure,
                Cause.EXPOSURE,
                "its picture is too dark or too bright; look at iris and light",
            ),
        )
        for wrong, cause, words in causes:
            if wrong:
                self.fall(Level.FRAMES, cause, words)
                return
        self.fall(Level.ALIVE, Cause.NONE, "")
