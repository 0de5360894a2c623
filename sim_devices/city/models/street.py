"""What stands in the street: signs, bins, manholes, car parks, cameras."""

from __future__ import annotations

from sim_devices.city.device import Parts, Surroundings, number
from sim_devices.city.weather import smoothstep

SIGN_CHARACTERS = 120


def message_sign(around: Surroundings) -> Parts:
    """Build a sign that shows what it is told; its brightness follows the light until set by hand."""
    sky = around.weather
    shown = {"text": str(around.set["text"])}
    fixed: dict[str, float] = {}

    def text(value: float | str) -> None:
        if not isinstance(value, str):
            raise ValueError(f"the sign shows text, not the number {value:g}")  # noqa: TRY004 - the seam's promise
        if len(value) > SIGN_CHARACTERS:
            raise ValueError(f"the sign holds {SIGN_CHARACTERS} characters, not {len(value)}")
        shown["text"] = value

    def brightness() -> float:
        return fixed.get("brightness", 95.0 - 60.0 * sky.darkness)

    def set_brightness(value: float | str) -> None:
        fixed["brightness"] = number(value)

    return Parts(
        sources={
            "text": lambda: shown["text"],
            "brightness": brightness,
            "pixels-failed": lambda: float(int(6 * around.constant("pixels"))),
            "cabinet-temp": lambda: sky.temperature() + 4.0 + 0.09 * brightness(),
            "power": lambda: 60.0 + 5.2 * brightness() * min(1.0, 0.3 + len(shown["text"]) / 24.0),
        },
        noise={"cabinet-temp": 0.15, "power": 3.0},
        writers={"text": text, "brightness": set_brightness},
    )


def smart_bin(around: Surroundings) -> Parts:
    """Build a bin that fills through the day and is emptied at night, before it is full."""
    sky, pace = around.weather, 2.4 + 0.9 * around.constant("pace")
    return Parts(
        sources={
            "fill": lambda: (
                8.0 + pace * ((sky.hour - 4.0) % 24.0) * (0.95 + 0.02 * around.wander("fill", 3600.0))
            ),
            "temperature": lambda: sky.temperature() + 2.0,
            "tilted": lambda: 0.0,
            "battery": lambda: 78.0 + 20.0 * around.constant("battery"),
        },
        noise={"temperature": 0.1},
    )


def manhole(around: Surroundings) -> Parts:
    """Build a manhole monitor; its sewer surcharges as far as the last hour's rain drives it."""
    sky, depth = around.weather, float(around.set["depth_m"])
    return Parts(
        sources={
            "level": lambda: 0.25 + (depth - 0.25) * smoothstep(0.0, 62.0, sky.rain_hour_mm),
            "open": lambda: 0.0,
            "tilt": lambda: 1.0,
            "methane": lambda: 1.5 + 0.8 * around.wander("methane", 3600.0),
            "battery": lambda: 82.0 + 16.0 * around.constant("battery"),
        },
        noise={"level": 0.01, "methane": 0.05},
    )


def parking(around: Surroundings) -> Parts:
    """Build the guidance of a car park: full when the city is busy."""
    sky, spaces = around.weather, int(around.set["spaces"])

    def taken() -> float:
        share = 0.12 + 0.78 * sky.rush() + 0.03 * around.wander("cars", 900.0)
        return float(round(spaces * min(1.0, max(0.0, share))))

    return Parts(
        sources={
            "free": lambda: spaces - taken(),
            "occupied": taken,
            "entering": lambda: 0.35 * spaces * sky.rush() * (1.0 + 0.2 * around.wander("in", 700.0)),
            "leaving": lambda: 0.33 * spaces * sky.rush() * (1.0 + 0.2 * around.wander("out", 700.0)),
        },
    )


def camera(around: Surroundings) -> Parts:
    """Build a camera; what a gateway measures on its picture, it measures itself: these are typical."""
    sky = around.weather
    return Parts(
        sources={
            "online": lambda: 1.0,
            "latency-ms": lambda: 24.0,
            "frame-age-s": lambda: 0.2,
            "brightness": lambda: 150.0 - 105.0 * sky.darkness,
            "frozen": lambda: 0.0,
            "frame-bytes": lambda: 46_000.0,
        },
    )
