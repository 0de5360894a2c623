"""Is the picture alive? Black, blurred, covered, moved, badly exposed: simple measures against the camera's
own past.

    black      ≥ 98 % of the dots below 10 % of white, and not one in a thousand above 20 % (a lamp at night)
    exposure   mean luma < 20 or > 235 of 255; dark is normal in hours in which this camera is always dark
    blurred    variance of the Laplacian < 40 % of the camera's median of the same hour of the last 7 days
    covered    edges unlike the reference (correlation < 0.5), and fewer than 40 % of its edges are left
    moved      edges unlike the reference, and about as many: another scene

Thresholds: ffmpeg's `blackdetect` (pic_th 0.98, pix_th 0.10) and the domain file section 5. What the camera
writes into its picture (name, clock) stands in the upper and lower eighth, which are left out. Day and
night have references of their own, and nothing is learnt from a picture that was judged bad.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocols.field.camera.picture import Picture

DARK: Final = 25.5
LIT: Final = 51.0
BLACK_SHARE: Final = 0.98
LIT_SHARE: Final = 0.001
UNDER: Final = 20.0
OVER: Final = 235.0
NIGHT: Final = 60.0
"""Mean luma below which a picture is one of the night: it is compared with those only."""
BLUR_RATIO: Final = 0.4
LIKE: Final = 0.5
EDGES_LEFT: Final = 0.4
LEARN: Final = 10
"""So many good pictures of a light make a reference; before them nothing is judged against it."""
DAYS: Final = 7
STEP: Final = 40.0
"""Levels by which a picture may leave its light at once: dusk is slow, a cover over the lens is not."""
STEP_PER_S: Final = STEP / 600
HELD_S: Final = 12 * 3600.0
"""So long a bad picture keeps its light; then the other one is believed."""
_HOUR_US: Final = 3_600_000_000
_EDGES: Final = (36, 64)
_SLOW: Final = 0.05
"""Weight of one picture in the reference: it follows seasons and growing trees, not a passing lorry."""

Edges = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a picture; None where it cannot be judged yet. Ratios: 1 is the camera's usual."""

    black: bool
    exposure: int
    """0 normal, 1 too dark, 2 too bright."""
    sharpness: float | None
    blurred: bool | None
    likeness: float | None
    covered: bool | None
    moved: bool | None


def black(luma: NDArray[np.uint8]) -> bool:
    """Return whether a picture is black. A night with a lamp in it is not."""
    middle = _middle(luma)
    return bool((middle < DARK).mean() >= BLACK_SHARE and (middle >= LIT).mean() < LIT_SHARE)


def sharpness(luma: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian (Pech-Pacheco et al. 2000) over the picture's contrast.

    Dividing by the variance of luma makes it the same in fog, rain and low light.
    """
    middle = _middle(luma).astype(np.float32)
    if min(middle.shape) < 3:
        return 0.0
    # One pass of a box first: a sensor's noise at night is no sharpness.
    smooth = (middle[:-1, :-1] + middle[1:, :-1] + middle[:-1, 1:] + middle[1:, 1:]) / 4
    centre = smooth[1:-1, 1:-1]
    laplacian = smooth[:-2, 1:-1] + smooth[2:, 1:-1] + smooth[1:-1, :-2] + smooth[1:-1, 2:] - 4 * centre
    return float(laplacian.var() / max(float(middle.var()), 1.0))


def edges(luma: NDArray[np.uint8]) -> Edges:
    """Return how strong the edges are, shape (36, 64): gradients, pooled so that a shaking mast does no
    harm.
    """
    image = luma.astype(np.float64)
    down, right = np.zeros_like(image), np.zeros_like(image)
    down[1:-1] = image[2:] - image[:-2]
    right[:, 1:-1] = image[:, 2:] - image[:, :-2]
    strong = np.hypot(down, right)
    rows, columns = strong.shape[0] // _EDGES[0], strong.shape[1] // _EDGES[1]
    pooled: Edges = strong.reshape(_EDGES[0], rows, _EDGES[1], columns).mean(axis=(1, 3))
    return pooled


def likeness(one: Edges, other: Edges) -> float:
    """Return Pearson's correlation of two edge maps, -1 to 1; 0 where one of them has no edges."""
    a, b = _middle(one), _middle(other)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-9 else 0.0


def _middle(picture: Any) -> Any:
    edge = picture.shape[0] // 8
    return picture[edge : picture.shape[0] - edge]


class Reference:
    """What a camera usually shows: by hour of the day how sharp and bright, by day and night where edges
    are.
    """

    def __init__(self, learnt: Mapping[str, Any] | None = None) -> None:
        """`learnt`: what `kept` returned before a restart; what cannot be read of it is learnt anew."""
        self._hours: dict[int, deque[tuple[float, float]]] = {}
        self._recent: dict[bool, deque[float]] = {True: deque(maxlen=200), False: deque(maxlen=200)}
        self._edges: dict[bool, tuple[int, Edges]] = {}
        self._now: tuple[int, list[tuple[float, float]]] = (-1, [])
        self._light: bool | None = None
        self._agreed = (0, 0.0)
        self._bad = False
        self.news = False
        """Whether there is something new to keep."""
        self._recall(learnt or {})

    def judge(self, picture: Picture, now_us: int) -> Verdict:
        """Judge a picture against what was learnt before, and learn from it if it is good."""
        bright = picture.brightness
        night = self._is_night(bright, now_us)
        is_black = black(picture.fine)
        sharp, map_ = sharpness(picture.fine), edges(picture.luma)
        usual_sharp, usual_bright = self._usual(now_us, night)
        exposure = (
            2 if bright > OVER else int(bright < UNDER and (usual_bright is None or usual_bright >= UNDER))
        )
        like = covered = moved = None
        count, reference = self._edges.get(night, (0, map_))
        if count >= LEARN:
            like = likeness(map_, reference)
            left = float(_middle(map_).mean()) / max(float(_middle(reference).mean()), 1e-9)
            covered = like < LIKE and left < EDGES_LEFT
            moved = like < LIKE and not covered and not is_black
        ratio = None if usual_sharp is None else sharp / max(usual_sharp, 1e-9)
        blurred = None if ratio is None else ratio < BLUR_RATIO and not is_black and not covered
        verdict = Verdict(is_black, exposure, ratio, blurred, like, covered, moved)
        self._bad = bool(is_black or covered or moved)
        if not (self._bad or blurred or exposure == 2):
            self._learn(now_us, night, sharp, bright, map_)
        return verdict

    def forget(self) -> None:
        """Begin anew: the camera was moved on purpose, and the next pictures are the reference."""
        self.__init__()  # type: ignore[misc]
        self.news = True

    def kept(self) -> dict[str, Any]:
        """Return what is learnt, as plain data."""
        self.news = False
        return {
            "hours": {str(hour): [list(each) for each in days] for hour, days in self._hours.items()},
            "edges": {
                ("night" if night else "day"): {
                    "count": count, "scale": float(map_.max()), "map": _packed(map_)
                }
                for night, (count, map_) in self._edges.items()
            },
        }  # fmt: skip

    def _is_night(self, bright: float, now_us: int) -> bool:
        """Return whether a picture is to be compared with those of the night."""
        dark = bright < NIGHT
        if self._light is None or dark == self._light:
            self._light, self._agreed = dark, (now_us, bright)
            return dark
        since, before = self._agreed
        seconds = (now_us - since) / 1e6
        gradual = abs(bright - before) <= STEP + STEP_PER_S * seconds
        if (gradual and not self._bad) or seconds >= HELD_S:
            self._light, self._agreed = dark, (now_us, bright)
        return self._light

    def _usual(self, now_us: int, night: bool) -> tuple[float | None, float | None]:
        """Return the median (sharpness, brightness) of this hour of the day, None where it is not known."""
        days = self._hours.get(_hour(now_us))
        if days:
            return float(np.median([each[0] for each in days])), float(np.median([each[1] for each in days]))
        recent = self._recent[night]
        return (float(np.median(recent)), None) if len(recent) >= LEARN else (None, None)

    def _learn(self, now_us: int, night: bool, sharp: float, bright: float, map_: Edges) -> None:
        hour = now_us // _HOUR_US
        if hour != self._now[0]:
            of, seen = self._now
            if seen:
                days = self._hours.setdefault(_hour(of * _HOUR_US), deque(maxlen=DAYS))
                days.append((float(np.median([s for s, _ in seen])), float(np.median([b for _, b in seen]))))
                self.news = True
            self._now = (hour, [])
        if len(self._now[1]) < 720:
            self._now[1].append((sharp, bright))
        self._recent[night].append(sharp)
        count, reference = self._edges.get(night, (0, map_))
        weight = max(_SLOW, 1 / (count + 1))
        self._edges[night] = (min(count + 1, 1_000_000), reference + weight * (map_ - reference))
        self.news = self.news or count + 1 == LEARN

    def _recall(self, learnt: Mapping[str, Any]) -> None:
        try:
            for hour, days in dict(learnt.get("hours", {})).items():
                pairs = [(float(sharp), float(bright)) for sharp, bright in days]
                self._hours[int(hour) % 24] = deque(pairs, maxlen=DAYS)
            for light, kept in dict(learnt.get("edges", {})).items():
                map_ = _unpacked(str(kept["map"]), float(kept["scale"]))
                self._edges[light == "night"] = (int(kept["count"]), map_)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            self._hours.clear()
            self._edges.clear()


def _hour(now_us: int) -> int:
    return now_us // _HOUR_US % 24


def _packed(map_: Edges) -> str:
    scaled = map_ / max(float(map_.max()), 1e-9) * 255
    return base64.b64encode(scaled.round().astype(np.uint8).tobytes()).decode()


def _unpacked(text: str, scale: float) -> Edges:
    flat = np.frombuffer(base64.b64decode(text, validate=True), np.uint8).astype(np.float64)
    map_: Edges = flat.reshape(_EDGES) / 255 * scale
    return map_
