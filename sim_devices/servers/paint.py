"""What both camera scenes are painted with: light, sky, rain, water, letters. 640 x 360, RGB.

A scene is drawn twice as large and halved, which smooths every edge; lamps are drawn on a layer of
their own, blurred once and added. Everything random comes from a seeded generator: one second of one
camera is one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from protocols.model.clock import to_datetime

WIDTH, HEIGHT = 640, 360
SCALE = 2
Colour: TypeAlias = tuple[int, int, int]
Paint: TypeAlias = tuple[int, ...]
Point: TypeAlias = tuple[float, float]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

CITY_ZONE = timezone(timedelta(hours=8))
"""The clock in the picture shows the city's own time."""

_CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return `a` at share 0, `b` at share 1."""
    share = max(0.0, min(1.0, share))
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def daylight(day: Colour, night: Colour, darkness: float, rain: float) -> Colour:
    """Return a surface's colour in this light: rain greys and dims the day, night is its own."""
    grey = sum(day) // 3
    dull = mix(day, (round(grey * 0.72), round(grey * 0.76), round(grey * 0.80)), 0.75 * rain)
    return mix(dull, night, darkness)


class Canvas:
    """A drawing surface in picture coordinates, and its layer of light."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))
        self._draw = ImageDraw.Draw(self.image, "RGBA")
        self._lamps = Image.new("RGB", (WIDTH, HEIGHT))
        self._lamp = ImageDraw.Draw(self._lamps)
        self._pools = Image.new("RGB", (WIDTH // 2, HEIGHT // 2))
        self._pool = ImageDraw.Draw(self._pools)

    @classmethod
    def over(cls, picture: Image.Image) -> Canvas:
        """Return a canvas that already shows a finished picture."""
        canvas = cls()
        canvas.image.paste(picture.resize(canvas.image.size, Image.Resampling.NEAREST))
        return canvas

    def polygon(self, points: Sequence[Point], fill: Paint) -> None:
        """Fill a polygon; a fourth number in `fill` is its opacity."""
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=fill)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, fill: Paint, *, radius: float = 0.0
    ) -> None:
        """Fill a rectangle, its corners given in any order."""
        box = (min(x0, x1) * SCALE, min(y0, y1) * SCALE, max(x0, x1) * SCALE, max(y0, y1) * SCALE)
        if radius:
            self._draw.rounded_rectangle(box, radius=radius * SCALE, fill=fill)
        else:
            self._draw.rectangle(box, fill=fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Paint) -> None:
        """Fill an ellipse around a centre."""
        self._draw.ellipse(
            ((x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE), fill=fill
        )

    def line(self, points: Sequence[Point], fill: Paint, width: float = 1.0) -> None:
        """Draw a line."""
        flat = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(flat, fill=fill, width=max(1, round(width * SCALE)))

    def ring(self, x: float, y: float, rx: float, ry: float, outline: Paint) -> None:
        """Draw an ellipse's outline: a raindrop on water."""
        box = ((x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE)
        self._draw.ellipse(box, outline=outline, width=1)

    def gradient(self, top: float, bottom: float, first: Colour, last: Colour) -> None:
        """Fill the whole width between two heights with a vertical gradient."""
        rows = max(1, round((bottom - top) * SCALE))
        share = np.linspace(0.0, 1.0, rows)[:, None]
        ramp = np.array(first)[None, :] * (1 - share) + np.array(last)[None, :] * share
        block = np.repeat(ramp[:, None, :], WIDTH * SCALE, axis=1).astype(np.uint8)
        self.image.paste(Image.fromarray(block), (0, round(top * SCALE)))

    def text(self, x: float, y: float, words: str, size: float, fill: Paint, *, anchor: str = "mm") -> None:
        """Write on a surface of the scene."""
        self._draw.text(
            (x * SCALE, y * SCALE), words, font=font(size * SCALE, words), fill=fill, anchor=anchor
        )

    def shine(self, x: float, y: float, radius: float, colour: Colour, stretch: float = 1.0) -> None:
        """Put a lamp at a place; `stretch` makes it a streak, as its image on wet asphalt."""
        self._lamp.ellipse((x - radius, y - radius * stretch, x + radius, y + radius * stretch), fill=colour)

    def pool(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Let light fall on a surface: wide, and without an edge."""
        self._pool.ellipse(((x - rx) / 2, (y - ry) / 2, (x + rx) / 2, (y + ry) / 2), fill=colour)

    def finish(self) -> Image.Image:
        """Return the picture at its real size, with its lights on."""
        picture = self.image.reduce(SCALE)
        if self._pools.getbbox() is not None:
            soft = self._pools.filter(ImageFilter.GaussianBlur(7)).resize(
                picture.size, Image.Resampling.BILINEAR
            )
            # Light multiplies what a surface has, and adds a little haze.
            lit = ImageChops.multiply(picture, soft.point(lambda v: min(255, v * 2)))
            picture = ImageChops.add(ImageChops.add(picture, lit), soft.point(lambda v: v // 5))
        if self._lamps.getbbox() is not None:
            near = self._lamps.filter(ImageFilter.GaussianBlur(1.1))
            far = self._lamps.reduce(2).filter(ImageFilter.GaussianBlur(5)).resize(picture.size)
            picture = ImageChops.add(ImageChops.screen(picture, near), far)
        return picture


def sky(canvas: Canvas, horizon: float, darkness: float, rain: float, time_us: int) -> None:
    """Paint the sky down to the horizon: blue with clouds, overcast, or a city's night."""
    grey = min(1.0, rain * 1.6)
    high = mix(mix((84, 142, 202), (104, 113, 122), grey), (10, 14, 32), darkness)
    low = mix(mix((206, 225, 236), (160, 167, 172), grey), (46, 50, 76), darkness)
    canvas.gradient(0, horizon, high, low)
    cover = _clouds().crop((0, 0, WIDTH * SCALE, round(horizon * SCALE)))
    cover = ImageChops.offset(cover, round(time_us / 1e6 * 0.35) % (WIDTH * SCALE), 0)
    white = mix(mix((250, 251, 252), (84, 92, 100), grey), mix((30, 34, 54), (22, 25, 38), grey), darkness)
    strength = 0.85 - 0.35 * darkness
    canvas.image.paste(
        Image.new("RGB", cover.size, white), (0, 0), cover.point(lambda v: round(v * strength))
    )


@cache
def _clouds() -> Image.Image:
    """Clouds as opacity, the same over the whole city: three octaves of noise."""
    chance = np.random.default_rng(20)
    size = (WIDTH * SCALE, HEIGHT)
    total = np.zeros((size[1], size[0]))
    for rows, columns, weight in ((4, 7, 1.0), (9, 15, 0.5), (20, 34, 0.26)):
        field = chance.random((rows, columns))
        field[:, -1] = field[:, 0]
        layer = Image.fromarray((field * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer) / 255 * weight
    return Image.fromarray(((total / 1.76 - 0.5) * 900).clip(0, 255).astype(np.uint8))


def rainfall(picture: Image.Image, rain: float, seed: int) -> Image.Image:
    """Return the picture behind rain: thin streaks far away, a few long ones near the lens, and haze."""
    if rain <= 0.01:
        return picture
    chance = np.random.default_rng(seed)
    veil = Image.new("RGB", picture.size, (150, 158, 166))
    picture = Image.blend(picture, veil, 0.16 * rain)
    streaks = Image.new("L", picture.size)
    draw = ImageDraw.Draw(streaks)
    for count, length, light in (
        (int(420 * rain), 9, 70),
        (int(120 * rain), 20, 110),
        (int(18 * rain), 44, 95),
    ):
        places = chance.random((count, 2)) * (WIDTH + 40, HEIGHT + 40) - 20
        for x, y in places:
            draw.line((x, y, x - length * 0.22, y + length), fill=light, width=1)
    return ImageChops.screen(picture, Image.merge("RGB", [streaks.point(lambda v: v // 2)] * 3))


def mirrored(picture: Image.Image, horizon: int, depth: int, phase: float, roughness: float) -> Image.Image:
    """Return what lies above `horizon`, upside down and rippled, `depth` rows high: a water's image."""
    above = np.asarray(picture.crop((0, max(0, horizon - depth), WIDTH, horizon)))[::-1]
    rows = np.arange(above.shape[0])
    sway = roughness * (0.6 + rows / max(1, depth) * 2.2)
    shift = sway * (np.sin(rows * 0.55 + phase) + 0.6 * np.sin(rows * 0.19 - phase * 1.7))
    columns = (np.arange(WIDTH)[None, :] + shift[:, None]).astype(np.int32).clip(0, WIDTH - 1)
    image = Image.fromarray(above[rows[:, None], columns])
    return image if image.height == depth else image.resize((WIDTH, depth))


def grain(picture: Image.Image, darkness: float, seed: int) -> Image.Image:
    """Return the picture with a sensor's noise (more at night) and a lens's darker corners."""
    chance = np.random.default_rng(seed)
    pixels = np.asarray(picture).astype(np.int16)
    noise = chance.normal(0.0, 1.5 + 2.0 * darkness, (HEIGHT, WIDTH, 1))
    pixels = (pixels * _vignette() + noise).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


@cache
def _vignette() -> npt.NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    corners: npt.NDArray[np.float64] = 1.0 - 0.16 * (x**2 + y**2)
    return corners[:, :, None]


def overlay(picture: Image.Image, title: str, fallback: str, time_us: int, note: str = "") -> Image.Image:
    """Write title (top left), the city's date and time (top right), a note (bottom left)."""
    draw = ImageDraw.Draw(picture)
    moment: datetime = to_datetime(time_us).astimezone(CITY_ZONE)
    words = title if drawable(title) else fallback
    for place, anchor, text in (
        ((12, 10), "la", words),
        ((WIDTH - 12, 10), "ra", moment.strftime("%Y-%m-%d %H:%M:%S")),
        ((12, HEIGHT - 10), "ld", note),
    ):
        if text:
            draw.text(
                place, text, font=font(15, text), fill=(245, 247, 248), anchor=anchor,
                stroke_width=1, stroke_fill=(20, 24, 28),
            )  # fmt: skip
    return picture


def drawable(text: str) -> bool:
    """Say whether a font on this machine has the letters."""
    return text.isascii() or _cjk_path() is not None


def font(size: float, text: str = "") -> Font:
    """Return Pillow's own font, or a machine's Chinese one where the text needs it."""
    return _font(round(size), not text.isascii())


@cache
def _font(size: int, chinese: bool) -> Font:
    path = _cjk_path() if chinese else None
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


@cache
def _cjk_path() -> str | None:
    return next((path for path in _CJK_FONTS if Path(path).exists()), None)
