"""The river from its embankment: far bank and bridge, water with its mirror image, and the staff gauge.

The water's surface moves between LOW (ratio 0) and HIGH (ratio 1, the embankment's crest) along the
gauge (水尺), whose decimetre marks are what a person in the control room reads.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from sim_devices.servers.paint import (
    HEIGHT,
    WIDTH,
    Canvas,
    Colour,
    daylight,
    mirrored,
    mix,
    sky,
)
from sim_devices.world import Scene

FAR_BANK = 142
LOW, HIGH = 322.0, 196.0
GAUGE_X = 494.0


def surface(ratio: float) -> float:
    """Return the row where the water meets the gauge."""
    return LOW + (HIGH - LOW) * max(0.0, min(1.0, ratio))


def draw_river(scene: Scene, seed: int) -> Image.Image:
    """Return the river as this second sees it, without rain in front and without letters on top."""
    dark, rain = scene.darkness, scene.rain
    canvas = Canvas()
    sky(canvas, FAR_BANK, dark, rain, scene.time_us)
    _skyline(canvas, seed, dark, rain)
    _bridge(canvas, dark, rain)
    _far_bank(canvas, seed, dark, rain)
    river = _water(canvas.finish(), scene)
    afloat = Canvas.over(river)
    _boat(afloat, scene)
    _drops(afloat, scene, seed)
    river = afloat.finish()
    shore = Canvas.over(river)
    _embankment(shore, dark, rain)
    _gauge(shore, scene)
    return _submerge(river, shore.finish(), scene)


def _skyline(canvas: Canvas, seed: int, dark: float, rain: float) -> None:
    chance = np.random.default_rng(seed + 3)
    for layer, (tone, low, high) in enumerate((((158, 174, 188), 20, 74), ((122, 138, 152), 12, 48))):
        colour = daylight(tone, (20 + layer * 4, 24 + layer * 4, 42), dark, rain)
        x = -6.0
        while x < WIDTH:
            width = 12 + 24 * float(chance.random())
            height = low + (high - low) * float(chance.random()) ** 1.8
            top = FAR_BANK - 8 - height
            canvas.rectangle(x, top, x + width, FAR_BANK, colour)
            if height > high * 0.72:
                canvas.rectangle(x + width * 0.46, top - 12, x + width * 0.54, top, colour)
                if dark > 0.4:
                    canvas.shine(x + width * 0.5, top - 12, 1.2, (220, 40, 36))
            if dark > 0.3:
                for _ in range(int(height * width * 0.02)):
                    wx, wy = (
                        x + 2 + (width - 4) * float(chance.random()),
                        top + 3 + height * float(chance.random()),
                    )
                    if wy < FAR_BANK - 8:
                        canvas.rectangle(
                            wx, wy, wx + 1.3, wy + 1.6, (242, 206, 140, round(210 * min(1, dark * 1.2)))
                        )
            x += width + 5 * float(chance.random())


def _bridge(canvas: Canvas, dark: float, rain: float) -> None:
    steel = daylight((200, 206, 210), (58, 62, 80), dark, rain)
    deck = FAR_BANK - 9.0
    for tower in (70.0, 236.0):
        canvas.polygon(
            [
                (tower - 3, FAR_BANK),
                (tower - 1.4, deck - 66),
                (tower + 1.4, deck - 66),
                (tower + 3, FAR_BANK),
            ],
            steel,
        )
        for cable in range(1, 9):
            for side in (-1, 1):
                end = (tower + side * cable * 9.4, deck)
                canvas.line([(tower, deck - 66 + cable * 3.2), end], (*steel, 150), 0.6)
    canvas.rectangle(-10, deck - 1, 320, deck + 2.4, steel)
    canvas.rectangle(-10, deck + 2.4, 320, deck + 4.2, mix(steel, (0, 0, 0), 0.35))
    for pier in range(0, 320, 42):
        canvas.rectangle(pier, deck + 4, pier + 3, FAR_BANK, mix(steel, (0, 0, 0), 0.25))
    if dark > 0.3:
        for lamp in range(6, 318, 17):
            canvas.shine(lamp, deck - 3, 1.6, mix((0, 0, 0), (255, 214, 150), dark))


def _far_bank(canvas: Canvas, seed: int, dark: float, rain: float) -> None:
    chance = np.random.default_rng(seed + 4)
    green = daylight((74, 104, 70), (16, 24, 26), dark, rain)
    for _ in range(90):
        x = 300 + 360 * float(chance.random())
        size = 3 + 5 * float(chance.random())
        canvas.ellipse(
            x, FAR_BANK - 3, size, size * 0.8, mix(green, (255, 255, 255), 0.1 * float(chance.random()))
        )
    canvas.rectangle(
        -10, FAR_BANK - 3, WIDTH + 10, FAR_BANK + 1, daylight((164, 160, 150), (40, 42, 50), dark, rain)
    )


def _water(upper: Image.Image, scene: Scene) -> Image.Image:
    """Below the far bank: the mirror image, darkened with nearness, browner the higher the river."""
    depth = HEIGHT - FAR_BANK
    phase = scene.time_us / 1e6 * 1.1
    rough = 1.2 + 2.6 * scene.rain + 1.4 * scene.water_level_ratio
    image = mirrored(upper, FAR_BANK, FAR_BANK, phase, rough).resize((WIDTH, depth))
    clear = daylight((84, 118, 128), (14, 20, 34), scene.darkness, scene.rain)
    turbid = daylight((136, 116, 84), (28, 26, 30), scene.darkness, scene.rain * 0.5)
    body = mix(clear, turbid, 0.25 + 0.75 * max(scene.rain * 0.6, scene.water_level_ratio))
    rows = np.linspace(0.0, 1.0, depth)[:, None, None]
    share = 0.34 + 0.5 * rows
    y, x = np.mgrid[0:depth, 0:WIDTH].astype(np.float32)
    near = 0.25 + y / depth
    wave = np.sin(y / (0.5 + 2.4 * near) + 0.012 * x + phase * 2) * np.sin(
        x * 0.021 / near + y * 0.16 - phase
    )
    glint = (wave * (5.0 + 7.0 * scene.water_level_ratio) * (1.0 - 0.55 * scene.darkness))[:, :, None]
    pixels = np.asarray(image) * (1 - share) + np.array(body)[None, None, :] * share + glint
    picture = upper.copy()
    picture.paste(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), (0, FAR_BANK))
    return picture


def _submerge(river: Image.Image, shore: Image.Image, scene: Scene) -> Image.Image:
    """Let the embankment end at the water's surface, and give it its mirror image there."""
    level = round(surface(scene.water_level_ratio))
    depth = HEIGHT - level
    phase = scene.time_us / 1e6 * 1.3
    image = mirrored(shore, level, depth, phase, 0.8).filter(ImageFilter.GaussianBlur(0.8))
    under = river.crop((0, level, WIDTH, HEIGHT))
    reach = np.clip((np.arange(WIDTH) - 384) / 40, 0, 1)[None, :] * np.linspace(0.62, 0.3, depth)[:, None]
    mask = Image.fromarray((reach * 255).astype(np.uint8))
    picture = shore.copy()
    under.paste(image, (0, 0), mask)
    picture.paste(under, (0, level))
    line = Canvas.over(picture)
    light = round(235 * (1 - 0.55 * scene.darkness))
    for x in range(398, WIDTH, 6):
        y = level + 0.9 * math.sin(x * 0.11 + phase * 2)
        line.line(
            [(x, y), (x + 6, level + 0.9 * math.sin((x + 6) * 0.11 + phase * 2))],
            (light, light, light, 170),
            1.0,
        )
    line.ring(GAUGE_X + 11, level + 1, 18, 2.4, (light, light, light, 150))
    return line.finish()


def _drops(canvas: Canvas, scene: Scene, seed: int) -> None:
    if scene.rain < 0.05:
        return
    chance = np.random.default_rng(seed + scene.time_us // 1_000_000)
    for _ in range(int(130 * scene.rain)):
        y = FAR_BANK + 20 + (HEIGHT - FAR_BANK - 20) * float(chance.random()) ** 0.8
        size = 1.0 + 5.5 * (y - FAR_BANK) / (HEIGHT - FAR_BANK)
        canvas.ring(WIDTH * float(chance.random()), y, size, size * 0.3, (226, 232, 236, 90))


def _boat(canvas: Canvas, scene: Scene) -> None:
    """A barge goes by; in heavy rain or on high water navigation is closed."""
    if scene.rain > 0.5 or scene.water_level_ratio > 0.75:
        return
    x = (scene.time_us / 1e6 * 2.2) % 1500 - 160
    y = 186.0
    hull = daylight((70, 58, 52), (16, 16, 20), scene.darkness, scene.rain)
    canvas.polygon([(x, y), (x + 96, y), (x + 88, y + 9), (x + 9, y + 9)], hull)
    canvas.rectangle(
        x + 24, y - 4, x + 84, y, daylight((168, 128, 76), (40, 34, 30), scene.darkness, scene.rain)
    )
    canvas.rectangle(
        x + 5, y - 12, x + 19, y, daylight((226, 226, 220), (70, 72, 80), scene.darkness, scene.rain)
    )
    canvas.rectangle(x + 7, y - 9, x + 17, y - 5, daylight((60, 80, 92), (220, 190, 120), scene.darkness, 0))
    canvas.polygon(
        [(x + 4, y + 9), (x + 92, y + 9), (x + 120, y + 13), (x - 40, y + 13)], (240, 244, 246, 34)
    )
    if scene.darkness > 0.4:
        canvas.shine(x + 12, y - 14, 2, (255, 240, 210))
        canvas.shine(x + 92, y - 2, 1.6, (40, 220, 120))


def _embankment(canvas: Canvas, dark: float, rain: float) -> None:
    stone = daylight((166, 160, 148), (38, 39, 46), dark, rain)
    crest = [(430.0, HIGH - 14), (WIDTH + 10.0, HIGH - 40)]
    foot = [(WIDTH + 10.0, HEIGHT + 10.0), (388.0, HEIGHT + 10.0)]
    canvas.polygon([*crest, *foot], stone)
    for row in range(1, 14):
        share = row / 13
        left = (430 - 42 * share, HIGH - 14 + (HEIGHT + 24 - HIGH) * share)
        right = (WIDTH + 10.0, HIGH - 40 + (HEIGHT + 50 - HIGH) * share)
        canvas.line([left, right], (*mix(stone, (0, 0, 0), 0.28), 190), 0.8)
        for joint in range(9):
            x = left[0] + (right[0] - left[0]) * ((joint + 0.5 * (row % 2)) / 9)
            y = left[1] + (right[1] - left[1]) * ((joint + 0.5 * (row % 2)) / 9)
            canvas.line([(x, y), (x - 1.6, y - 13)], (*mix(stone, (0, 0, 0), 0.22), 150), 0.7)
    cap = mix(stone, (255, 255, 255), 0.2)
    canvas.polygon(
        [(424, HIGH - 20), (WIDTH + 10, HIGH - 46), (WIDTH + 10, HIGH - 37), (428, HIGH - 12)], cap
    )
    rail = daylight((226, 230, 232), (96, 100, 112), dark, rain)
    for post in range(12):
        x = 430 + post * 19
        y = HIGH - 19 - post * 2.35
        canvas.line([(x, y), (x, y - 20)], rail, 1.6)
    for up in (20, 11):
        canvas.line([(430, HIGH - 19 - up), (WIDTH + 10, HIGH - 46 - up)], rail, 1.2)
    lamp = (606.0, HIGH - 128.0)
    canvas.line(
        [(606, HIGH - 40), lamp, (592, HIGH - 130)], daylight((90, 96, 100), (34, 36, 44), dark, rain), 2.2
    )
    canvas.ellipse(592, HIGH - 129, 6, 2, (236, 230, 214))
    if dark > 0.25:
        glow = mix((0, 0, 0), (255, 214, 150), dark)
        canvas.shine(592, HIGH - 128, 7, glow)
        canvas.pool(590, HIGH + 40, 130, 170, mix((0, 0, 0), (170, 132, 84), dark))
        canvas.pool(GAUGE_X + 10, 262, 60, 80, mix((0, 0, 0), (120, 112, 100), dark))


def _gauge(canvas: Canvas, scene: Scene) -> None:
    """A white board: red marks each decimetre, long ones each half metre, figures each metre.

    Where the level is known in metres, the surface stands at exactly that figure.
    """
    light = 1.0 - 0.5 * scene.darkness
    white: Colour = (round(244 * light), round(245 * light), round(242 * light))
    red: Colour = (round(206 * light), round(36 * light), round(34 * light))
    top, bottom = HIGH - 10, HEIGHT + 10.0
    canvas.rectangle(GAUGE_X - 2, top - 3, GAUGE_X + 24, bottom, (52, 56, 60))
    canvas.rectangle(GAUGE_X, top, GAUGE_X + 22, bottom, white)
    metre = (LOW - HIGH) / 4
    zero = (
        LOW if scene.water_level_m is None else surface(scene.water_level_ratio) + scene.water_level_m * metre
    )
    for mark in range(math.ceil((zero - bottom) / metre * 10), math.floor((zero - top) / metre * 10) + 1):
        y = zero - mark * metre / 10
        long = mark % 5 == 0
        canvas.rectangle(GAUGE_X, y - 0.5, GAUGE_X + (12 if long else 7), y + 0.9, red)
        if mark % 10 == 0:
            canvas.text(GAUGE_X + 17, y, f"{mark // 10}", 8.5, (24, 26, 28))
