"""A street that dips under a railway bridge, seen from a mast: traffic, lamps, rain, and the flood.

Perspective: a place `across` (-1 and 1 are the kerbs) at distance `far` (1 is the picture's lower edge)
lies at x = CENTRE + across * ROAD / far, y = HORIZON + FALL / far; a height of 1 is about 3.4 metres.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from sim_devices.servers.paint import (
    HEIGHT,
    WIDTH,
    Canvas,
    Colour,
    daylight,
    drawable,
    mirrored,
    mix,
    sky,
)
from sim_devices.world import Scene

HORIZON, CENTRE, FALL, ROAD = 122.0, 322.0, 250.0, 340.0
BRIDGE_AT = 5.2
BRIDGE_FOOT = HORIZON + FALL / BRIDGE_AT
NEAREST_WATER = 318.0
_LAMP: Colour = (255, 206, 140)
_CARS: tuple[Colour, ...] = (
    (178, 44, 40), (226, 228, 230), (46, 52, 60), (52, 92, 148), (148, 154, 160), (206, 164, 58),
    (38, 96, 82),
)  # fmt: skip


class _Car(NamedTuple):
    """A vehicle on its lane; sorted, the farthest are drawn first."""

    far: float
    across: float
    towards: bool
    colour: Colour
    tall: bool


def place(across: float, far: float, up: float = 0.0) -> tuple[float, float]:
    """Return where a place lies in the picture."""
    return CENTRE + across * ROAD / far, HORIZON + FALL / far - up * 92.0 / far


def draw_street(scene: Scene, seed: int) -> Image.Image:
    """Return the street as this second sees it, without rain in front and without letters on top."""
    dark, rain = scene.darkness, scene.rain
    canvas = Canvas()
    sky(canvas, HORIZON + 32, dark, rain, scene.time_us)
    _skyline(canvas, seed, dark, rain)
    _ground(canvas, dark, rain)
    if scene.water_level_m is not None or scene.water_level_ratio > 0.0:
        _bridge(canvas, scene)
    else:
        _gantry(canvas, scene)
    _houses(canvas, seed, dark, rain)
    _lamps(canvas, dark, rain)
    picture = canvas.finish()
    if rain > 0.02:
        picture = _wet(picture, rain)
    shore = water_line(scene.water_level_ratio)
    if scene.water_level_ratio > 0.02:
        picture = _flood(picture, scene, shore)
    front = Canvas.over(picture)
    if scene.water_level_ratio > 0.02:
        _drops(front, scene, seed, shore)
    _cars(front, scene, seed, shore)
    if scene.barrier_closed:
        _barrier(front, scene.time_us)
    return front.finish()


def water_line(ratio: float) -> float:
    """Return the row that the water has reached: it comes from the underpass towards the camera."""
    reach: float = max(0.0, min(1.0, ratio)) ** 0.9
    return BRIDGE_FOOT + 6 + (NEAREST_WATER - BRIDGE_FOOT - 6) * reach


def _skyline(canvas: Canvas, seed: int, dark: float, rain: float) -> None:
    chance = np.random.default_rng(seed)
    for x in range(0, WIDTH, 22):
        height = 26 + 44 * float(chance.random())
        tone = daylight((146, 158, 170), (22, 26, 44), dark, rain)
        canvas.rectangle(x, HORIZON + 6 - height, x + 24, HORIZON + 32, tone)
        if dark > 0.35:
            for _ in range(int(9 * dark)):
                wx, wy = x + 3 + 18 * float(chance.random()), HORIZON - height * float(chance.random())
                canvas.rectangle(wx, wy, wx + 1.6, wy + 2.2, (214, 186, 120, 190))


def _houses(canvas: Canvas, seed: int, dark: float, rain: float) -> None:
    chance = np.random.default_rng(seed + 6)
    walls: tuple[Colour, ...] = (
        (172, 142, 118),
        (150, 158, 162),
        (186, 176, 158),
        (128, 112, 104),
        (164, 168, 150),
    )
    for side in (-1, 1):
        for index, (far0, far1) in enumerate(((4.9, 3.7), (3.6, 2.6), (2.5, 1.75), (1.68, 1.05))):
            up = 2.6 + 1.7 * float(chance.random()) + index * 0.25
            colour = walls[int(chance.integers(len(walls)))]
            front = daylight(colour, mix(colour, (16, 18, 30), 0.86), dark, rain)
            _house(canvas, side, (far0, far1), up=up, wall=front, chance=chance, dark=dark)


def _house(
    canvas: Canvas, side: int, between: tuple[float, float], *, up: float, wall: Colour,
    chance: np.random.Generator, dark: float,
) -> None:  # fmt: skip
    far0, far1 = between
    edge = 1.42 * side
    a, b = place(edge, far0), place(edge, far1)
    a_top, b_top = place(edge, far0, up), place(edge, far1, up)
    outer = place(edge + 1.2 * side, far0), place(edge + 1.2 * side, far0, up)
    canvas.polygon([outer[0], a, a_top, outer[1]], mix(wall, (0, 0, 0), 0.28))
    canvas.polygon([a, b, b_top, a_top], wall)
    canvas.line([a_top, b_top], mix(wall, (255, 255, 255), 0.25), 0.8)
    columns, floors = 5, max(3, int(up * 1.4))
    for floor in range(floors):
        for column in range(columns):
            near = far0 + (far1 - far0) * (column + 0.22) / columns
            away = far0 + (far1 - far0) * (column + 0.78) / columns
            low, high = 0.55 + floor * (up - 0.7) / floors, 0.95 + floor * (up - 0.7) / floors
            lit = float(chance.random()) < 0.42
            glass = mix((92, 112, 128), (20, 24, 36), dark)
            if lit and dark > 0.3:
                glass = mix(glass, (246, 208, 138), min(1.0, dark * 1.2))
            canvas.polygon(
                [
                    place(edge, near, low),
                    place(edge, away, low),
                    place(edge, away, high),
                    place(edge, near, high),
                ],
                glass,
            )
    if dark > 0.3:
        x0, y0 = place(edge, (far0 + far1) / 2, 0.3)
        canvas.pool(x0, y0, 50 / far1, 24 / far1, mix((0, 0, 0), (150, 100, 56), dark))


def _ground(canvas: Canvas, dark: float, rain: float) -> None:
    pavement = daylight((158, 154, 146), (46, 46, 54), dark, rain)
    asphalt = daylight((96, 98, 102), (36, 37, 45), dark, rain)
    far_tone = mix(asphalt, daylight((168, 178, 186), (36, 40, 60), dark, rain), 0.35)
    canvas.polygon([place(-9, 9), place(9, 9), (WIDTH + 400, HEIGHT), (-400, HEIGHT)], pavement)
    steps = 28
    for step in range(steps):
        near, away = 9 / (1 + step * 8.3 / steps), 9 / (1 + (step + 1) * 8.3 / steps)
        tone = mix(far_tone, asphalt, step / steps)
        canvas.polygon([place(-1, near), place(1, near), place(1, away), place(-1, away)], tone)
    kerb = daylight((206, 204, 198), (58, 60, 70), dark, rain)
    for side in (-1, 1):
        canvas.polygon(
            [place(side, 9), place(side * 1.04, 9), place(side * 1.04, 0.85), place(side, 0.85)], kerb
        )
    paint = daylight((232, 232, 224), (120, 120, 116), dark, rain)
    for mark in np.arange(0.0, 16.0):
        near = 1 / (0.115 + 0.075 * mark)
        away = 1 / (0.115 + 0.075 * mark + 0.04)
        for across in (-0.5, 0.5):
            canvas.polygon(
                [place(across - 0.012, near), place(across + 0.012, near),
                 place(across + 0.012, away), place(across - 0.012, away)],
                paint,
            )  # fmt: skip
    yellow = daylight((226, 178, 52), (128, 100, 40), dark, rain)
    for across in (-0.022, 0.022):
        canvas.polygon(
            [
                place(across - 0.008, 9),
                place(across + 0.008, 9),
                place(across + 0.008, 0.9),
                place(across - 0.008, 0.9),
            ],
            yellow,
        )


def _bridge(canvas: Canvas, scene: Scene) -> None:
    dark, rain = scene.darkness, scene.rain
    concrete = daylight((176, 174, 168), (42, 44, 54), dark, rain)
    shade = mix(concrete, (0, 0, 0), 0.55)
    left, foot = place(-1.5, BRIDGE_AT)
    right, _ = place(1.5, BRIDGE_AT)
    deck_low, deck_high = foot - 34, foot - 54
    canvas.rectangle(left, deck_low, right, foot, mix(shade, (0, 0, 0), 0.45))
    for across in (-1.5, -0.06, 1.38):
        x0, x1 = place(across, BRIDGE_AT)[0], place(across + 0.12, BRIDGE_AT)[0]
        canvas.rectangle(x0, deck_low, x1, foot + 1, mix(concrete, (0, 0, 0), 0.12))
    canvas.rectangle(-10, deck_high, WIDTH + 10, deck_low, concrete)
    canvas.rectangle(-10, deck_low - 3, WIDTH + 10, deck_low, shade)
    canvas.rectangle(-10, deck_high - 6, WIDTH + 10, deck_high - 4.6, mix(concrete, (255, 255, 255), 0.12))
    for x in range(-4, WIDTH + 10, 12):
        canvas.line([(x, deck_high - 6), (x, deck_high)], mix(concrete, (0, 0, 0), 0.2), 0.7)
    for stripe in range(-4, 5):
        colour: Colour = (232, 186, 40) if stripe % 2 else (30, 30, 30)
        x0 = CENTRE + stripe * 14 - 7
        canvas.polygon(
            [(x0, deck_low), (x0 + 14, deck_low), (x0 + 11, deck_low - 4), (x0 - 3, deck_low - 4)], colour
        )
    canvas.ellipse(CENTRE - 34, deck_high + 8, 6.5, 6.5, (204, 38, 38))
    canvas.ellipse(CENTRE - 34, deck_high + 8, 5, 5, (244, 244, 240))
    canvas.text(CENTRE - 34, deck_high + 8, "4.5", 5.2, (20, 20, 20))
    gauge, _ = place(-0.9, BRIDGE_AT)
    for mark in range(8):
        tone: Colour = (214, 52, 44) if mark % 2 else (244, 244, 240)
        canvas.rectangle(gauge, foot - 4 * mark - 4, gauge + 4, foot - 4 * mark, tone)
    _sign(canvas, scene.sign, deck_high)


def _gantry(canvas: Canvas, scene: Scene) -> None:
    """A street without a dip: trees in the distance, and a beam over the road that carries the sign."""
    dark, rain = scene.darkness, scene.rain
    green = daylight((84, 116, 78), (18, 26, 28), dark, rain)
    for index in range(60):
        x = CENTRE + (index - 30) * 5.4
        size = 4.5 + 3.0 * np.sin(index * 2.4) ** 2
        canvas.ellipse(
            x, HORIZON + 24 - size, size * 1.3, size, mix(green, (255, 255, 255), 0.03 * (index % 4))
        )
    steel = daylight((118, 124, 130), (40, 43, 52), dark, rain)
    for side in (-1, 1):
        foot, top = place(side * 1.08, 3.4), place(side * 1.08, 3.4, 2.3)
        canvas.rectangle(foot[0] - 1.8, top[1], foot[0] + 1.8, foot[1], steel)
    left, right = place(-1.08, 3.4, 2.3), place(1.08, 3.4, 2.3)
    canvas.rectangle(left[0], left[1] - 3, right[0], left[1], steel)
    canvas.rectangle(left[0], left[1] + 6, right[0], left[1] + 8, steel)
    _sign(canvas, scene.sign, left[1] + 20)


def _sign(canvas: Canvas, words: str, base: float) -> None:
    """The message sign on the bridge shows its text in amber, as far as this machine has the letters."""
    if not words or not drawable(words):
        return
    words = words.replace("\n", " ")[:14]
    half = 9 + sum(5.6 if letter.isascii() else 10.0 for letter in words) / 2
    canvas.rectangle(CENTRE + 4 - half, base - 24, CENTRE + 4 + half, base - 6, (14, 14, 16), radius=2)
    canvas.text(CENTRE + 4, base - 15, words, 10, (255, 176, 32))
    canvas.pool(CENTRE + 4, base - 15, half, 14, (90, 58, 12))


def _cars(canvas: Canvas, scene: Scene, seed: int, shore: float) -> None:
    """Traffic on four lanes: left comes towards us, right drives away; nobody drives into the water."""
    chance = np.random.default_rng(seed + 1)
    seconds = scene.time_us / 1e6
    cars: list[_Car] = []
    for lane, across in enumerate((-0.75, -0.26, 0.26, 0.75)):
        for _ in range(round(scene.traffic * 6)):
            speed = 0.022 + 0.02 * float(chance.random())
            way = (float(chance.random()) + seconds * speed) % 1.0
            share = way if lane < 2 else 1.0 - way
            far = 1.0 / (0.16 + 0.82 * share)
            tall = float(chance.random()) < 0.18
            colour = _CARS[int(chance.integers(len(_CARS)))]
            cars.append(_Car(far, across, lane < 2, colour, tall))
    placed: list[tuple[float, float]] = []
    for car in sorted(cars, reverse=True):
        _, y = place(car.across, car.far)
        flooded = scene.water_level_ratio > 0.02 and y < shore + 12
        crowded = any(
            lane == car.across and abs(1 / other - 1 / car.far) < 0.02 + 0.3 / car.far
            for other, lane in placed
        )
        if not flooded and not crowded and car.far < BRIDGE_AT:
            placed.append((car.far, car.across))
            _car(canvas, car, scene)


def _car(canvas: Canvas, car: _Car, scene: Scene) -> None:
    far, across, towards, colour, tall = car
    dark, rain = scene.darkness, scene.rain
    x, y = place(across, far)
    w, h = 66.0 / far, (74.0 if tall else 48.0) / far
    body = mix(daylight(colour, mix(colour, (12, 12, 18), 0.7), dark, rain * 0.6), (0, 0, 0), 0.05)
    glass = mix((58, 72, 84), (16, 20, 28), dark)
    canvas.ellipse(x, y, w * 0.62, h * 0.12, (0, 0, 0, 110))
    canvas.rectangle(x - w * 0.42, y - h, x + w * 0.42, y - h * 0.4, body, radius=w * 0.14)
    canvas.rectangle(x - w * 0.36, y - h * 0.93, x + w * 0.36, y - h * 0.58, glass, radius=w * 0.08)
    canvas.rectangle(x - w * 0.5, y - h * 0.6, x + w * 0.5, y - h * 0.12, body, radius=w * 0.09)
    canvas.rectangle(x - w * 0.5, y - h * 0.24, x + w * 0.5, y - h * 0.1, mix(body, (0, 0, 0), 0.45))
    for side in (-1, 1):
        canvas.rectangle(x + side * w * 0.44, y - h * 0.14, x + side * w * 0.28, y, (18, 18, 20))
        lamp: Colour = (255, 246, 214) if towards else (226, 36, 30)
        canvas.ellipse(x + side * w * 0.38, y - h * 0.42, w * 0.075, w * 0.055, lamp)
        bright = max(dark, rain * 0.6)
        if bright > 0.25:
            glow = mix((0, 0, 0), (236, 224, 186) if towards else (150, 16, 12), bright)
            canvas.shine(x + side * w * 0.38, y - h * 0.42, w * (0.15 if towards else 0.1), glow)
            if rain > 0.1:
                canvas.shine(
                    x + side * w * 0.38, y + h * 0.35, w * 0.05, mix((0, 0, 0), glow, rain * 0.7), 7.0
                )


def _lamps(canvas: Canvas, dark: float, rain: float) -> None:
    pole = daylight((84, 90, 94), (30, 32, 40), dark, rain)
    for far in (4.4, 3.1, 2.2, 1.55):
        for side in (-1, 1):
            foot, top = place(side * 1.12, far), place(side * 1.12, far, 2.55)
            head = place(side * 0.86, far, 2.62)
            canvas.line([foot, top, head], pole, 3.4 / far)
            canvas.ellipse(head[0], head[1], 7 / far, 2.4 / far, mix(pole, (255, 240, 206), dark))
            if dark > 0.25:
                glow = mix((0, 0, 0), _LAMP, dark)
                canvas.shine(head[0], head[1] + 1, 6.5 / far, glow)
                canvas.pool(
                    head[0] - side * 40 / far,
                    foot[1],
                    120 / far,
                    26 / far,
                    mix((0, 0, 0), (168, 124, 70), dark),
                )
                if rain > 0.1:
                    canvas.shine(
                        head[0], place(0, far)[1] + 18 / far, 2.6 / far, mix((0, 0, 0), glow, rain * 0.6), 9
                    )


def _barrier(canvas: Canvas, time_us: int) -> None:
    """Red and white booms close the road before the dip; their lamps blink."""
    for side in (-1, 1):
        post, tip = place(side * 1.06, 1.4, 0.5), place(side * 0.03, 1.4, 0.46)
        foot = place(side * 1.06, 1.4)
        canvas.rectangle(foot[0] - 5, post[1] - 6, foot[0] + 5, foot[1], (64, 68, 72))
        for part in range(8):
            x0 = post[0] + (tip[0] - post[0]) * part / 8
            x1 = post[0] + (tip[0] - post[0]) * (part + 1) / 8
            canvas.rectangle(x0, post[1], x1, post[1] + 6, (214, 40, 36) if part % 2 else (246, 246, 242))
        if (time_us // 1_000_000 + side) % 2:
            canvas.shine(tip[0] + side * 6, tip[1] - 3, 5, (255, 40, 30))


def _wet(picture: Image.Image, rain: float) -> Image.Image:
    """Asphalt shows the street upside down, blurred, the more the harder it rains."""
    top = int(HORIZON) + 40
    depth = HEIGHT - top
    image = mirrored(picture, top, depth, 0.0, 0.3).filter(ImageFilter.GaussianBlur(3.2))
    wet = picture.copy()
    wet.paste(image, (0, top), Image.new("L", (WIDTH, depth), round(92 * min(1.0, rain * 1.3))))
    return wet


def _flood(picture: Image.Image, scene: Scene, shore: float) -> Image.Image:
    """Brown water stands in the dip, mirrors the bridge, and has an edge that laps."""
    phase = scene.time_us / 1e6 * 1.3
    first = int(BRIDGE_FOOT - 16 * scene.water_level_ratio)
    depth = max(6, int(shore) + 4 - first)
    brown = daylight((128, 112, 88), (40, 38, 42), scene.darkness, scene.rain * 0.6)
    image = mirrored(picture, first, depth, phase, 0.7).filter(ImageFilter.GaussianBlur(0.7))
    rows = np.linspace(0.30, 0.74, depth)[:, None, None]
    y, x = np.mgrid[0:depth, 0:WIDTH].astype(np.float32)
    wave = np.sin(y / (0.9 + y / 60) - phase * 2 + 0.01 * x) * np.sin(x * 0.035 - y * 0.08 + phase) * 6.0
    water = np.asarray(image) * (1 - rows) + np.array(brown)[None, None, :] * rows + wave[:, :, None]
    across = np.linspace(0, WIDTH, 80)
    lap = 2.0 * np.sin(across * 0.05 + phase) + 1.1 * np.sin(across * 0.13 - phase)
    edge = shore - first + lap - ((across - CENTRE) / 300) ** 2 * 5
    half_far = 1.4 * ROAD / BRIDGE_AT
    half_near = 1.38 * ROAD * max(0.2, (shore - HORIZON) / FALL)
    near = [
        (float(a), float(b))
        for a, b in zip(across[::-1], edge[::-1], strict=True)
        if abs(a - CENTRE) <= half_near
    ]
    outline = [(CENTRE - half_far, 0.0), (CENTRE + half_far, 0.0), *near]
    mask = Canvas()
    mask.polygon(outline, (240, 240, 240))
    flooded = picture.copy()
    soft = mask.image.reduce(2).convert("L").crop((0, 0, WIDTH, depth))
    flooded.paste(Image.fromarray(water.clip(0, 255).astype(np.uint8)), (0, first), soft)
    foam = Canvas.over(flooded)
    light = round(190 * (1 - 0.6 * scene.darkness))
    foam.line([(a, b + first) for a, b in near], (light, light, light, 150), 1.2)
    return foam.finish()


def _drops(canvas: Canvas, scene: Scene, seed: int, shore: float) -> None:
    chance = np.random.default_rng(seed + scene.time_us // 1_000_000)
    for _ in range(int(60 * scene.rain * scene.water_level_ratio)):
        y = BRIDGE_FOOT + (shore - BRIDGE_FOOT) * float(chance.random())
        half = ROAD * (y - HORIZON) / FALL
        size = 1 + 3.5 * (y - BRIDGE_FOOT) / 150
        canvas.ring(CENTRE + half * float(chance.uniform(-1, 1)), y, size, size * 0.3, (230, 234, 238, 80))
