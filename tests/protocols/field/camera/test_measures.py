"""Black, blurred, covered, moved: by pictures that the simulator paints, by day and by night."""

from __future__ import annotations

import io
import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from protocols.field.camera.measures import LEARN, Reference, black, edges, likeness, sharpness
from protocols.field.camera.picture import Picture, decode
from sim_devices.servers.camera import Lens, draw
from sim_devices.world import Scene

NOON_US = 1_763_784_000_000_000
MINUTE_US = 60_000_000


@cache
def painted(kind: str, dark: float, minute: int, lens: Lens = "") -> Picture:
    scene = Scene(
        "street" if kind == "street" else "river", "Riverside", NOON_US + minute * MINUTE_US, darkness=dark
    )
    return decode(draw(scene, "cam-1", lens=lens))


@cache
def learnt(kind: str, dark: float) -> str:
    reference = Reference()
    for minute in range(LEARN):
        reference.judge(painted(kind, dark, minute), NOON_US + minute * MINUTE_US)
    reference.judge(painted(kind, dark, 0), NOON_US + 60 * MINUTE_US)  # an hour is over: it is kept
    return json.dumps(reference.kept())


@pytest.mark.parametrize("dark", [0.0, 1.0], ids=["day", "night"])
@pytest.mark.parametrize("kind", ["street", "river"])
def test_each_trouble_is_told_from_a_good_picture(kind: str, dark: float) -> None:
    found = {}
    lenses: tuple[Lens, ...] = ("", "black", "blurred", "covered", "moved")
    for lens in lenses:
        reference = Reference(json.loads(learnt(kind, dark)))
        now = NOON_US + 24 * 60 * MINUTE_US
        reference.judge(painted(kind, dark, 1), now)
        verdict = reference.judge(painted(kind, dark, 2, lens), now + MINUTE_US)
        wrong = {
            "black": verdict.black,
            "blurred": verdict.blurred,
            "covered": verdict.covered,
            "moved": verdict.moved,
        }
        found[lens] = {name for name, value in wrong.items() if value}
    assert found[""] == set(), "a good picture is good, at night too"
    assert found["blurred"] == {"blurred"}
    assert found["covered"] == {"covered"}
    assert found["moved"] == {"moved"}
    assert "black" in found["black"]


def test_nothing_is_judged_before_it_is_known_and_nothing_is_learnt_from_a_covered_lens() -> None:
    reference = Reference()
    first = reference.judge(painted("street", 0.0, 0), NOON_US)
    assert (first.sharpness, first.blurred, first.likeness, first.covered, first.moved) == (None,) * 5
    for minute in range(1, LEARN):
        reference.judge(painted("street", 0.0, minute), NOON_US + minute * MINUTE_US)
    cover = painted("street", 0.0, 3, "covered")
    for minute in range(LEARN, LEARN + 3 * 60, 5):
        assert reference.judge(cover, NOON_US + minute * MINUTE_US).covered, (
            "a cover is no night, and stays one"
        )
    good = reference.judge(painted("street", 0.0, 1), NOON_US + 200 * MINUTE_US)
    assert not good.covered


def test_dusk_is_no_cover_and_the_night_is_learnt() -> None:
    reference = Reference()
    for minute in range(LEARN):
        reference.judge(painted("river", 0.0, minute), NOON_US + minute * MINUTE_US)
    verdict = None
    for step in range(1, 11):
        verdict = reference.judge(painted("river", step / 10, step), NOON_US + (60 + 6 * step) * MINUTE_US)
        assert not verdict.covered
    for minute in range(LEARN):
        verdict = reference.judge(painted("river", 1.0, minute), NOON_US + (200 + minute) * MINUTE_US)
        assert not verdict.covered
        assert verdict.exposure == 0
    assert reference.judge(painted("river", 1.0, 3, "covered"), NOON_US + 300 * MINUTE_US).covered


def test_what_was_kept_survives_and_rubbish_is_forgotten() -> None:
    kept = json.loads(learnt("street", 0.0))
    assert Reference(kept).kept().keys() == kept.keys()
    reference = Reference({"hours": {"x": 3}, "edges": {"day": {"count": 20, "scale": 1, "map": "!!"}}})
    assert reference.judge(painted("street", 0.0, 0), NOON_US).likeness is None
    reference = Reference(kept)
    reference.forget()
    assert reference.news
    assert reference.judge(painted("street", 0.0, 0, "moved"), NOON_US).moved is None


def grey(level: float, contrast: float = 1.0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    base = painted("street", 0.0, 0).luma.astype(np.float64)
    return ((base - 128) * contrast + level).clip(0, 255).astype(np.uint8)


@given(st.floats(100, 156), st.floats(0.4, 0.8))
@settings(max_examples=30, deadline=None)
def test_light_and_contrast_change_neither_sharpness_nor_likeness_much(level: float, contrast: float) -> None:
    usual, other = grey(128, 0.8), grey(level, contrast)
    assert sharpness(other) == pytest.approx(sharpness(usual), rel=0.25)
    assert likeness(edges(other), edges(usual)) > 0.9


@given(st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=40, deadline=None)
def test_a_flat_picture_is_black_below_the_threshold_and_unlike_everything(level: int, lamp: int) -> None:
    flat = np.full((72, 128), level, np.uint8)
    assert black(flat) == (level < 26)
    assert likeness(edges(flat), edges(grey(128))) == 0.0
    flat[30:36, 40:46] = lamp
    assert black(flat) == (level < 26 and lamp < 51)


def test_a_small_or_odd_picture_is_measured_too() -> None:
    for size in ((16, 16), (33, 700), (2000, 10), (1, 1)):
        out = io.BytesIO()
        Image.new("RGB", size, (90, 90, 90)).save(out, "PNG")
        verdict = Reference().judge(decode(out.getvalue()), NOON_US)
        assert not verdict.black
