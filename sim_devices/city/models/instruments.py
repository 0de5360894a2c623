"""Instruments that only measure: levels, flows, weather, climate, air."""

from __future__ import annotations

from sim_devices.city.device import Parts, Source, Surroundings
from sim_devices.city.supply import Total
from sim_devices.city.water import Basin
from sim_devices.city.weather import smoothstep

PIPE_M2 = 0.785
"""Inner area of a DN1000 main."""
SECTION_M2 = 3200.0
"""Wetted area of the bridge section with the river at its crest."""


def level_gauge(around: Surroundings) -> Parts:
    """Build a submersible gauge in the river or in the site's own water."""
    river, water = around.river, around.water

    def level() -> float:
        if around.set["measures"] == "river" or water is None:
            return river.level
        return water.level

    return Parts(
        sources={"unit-code": lambda: 17.0, "decimals": lambda: 3.0, "level": level},
        noise={"level": 0.003},
    )


def flow_meter(around: Surroundings) -> Parts:
    """Build an ultrasonic meter on a main or on the station's delivery."""
    what, weather, water = around.set["measures"], around.weather, around.water
    base = float(around.set.get("base_m3h", 0.0))

    def flow() -> float:
        if what == "outflow" and isinstance(water, Basin):
            return water.outflow * 3600.0
        return base * (0.62 + 0.42 * weather.rush() + 0.02 * around.wander("demand", 500.0))

    total = Total(flow, 100_000.0 + 900_000.0 * around.constant("m3"))
    return Parts(
        sources={
            "flow": flow,
            "velocity": lambda: flow() / 3600.0 / PIPE_M2,
            "total-positive": total,
            "total-negative": lambda: 0.0,
            "total-net": total,
            "temp-supply": lambda: 21.5 + 0.4 * around.wander("water", 7200.0),
            "temp-return": lambda: 21.4 + 0.4 * around.wander("water", 7200.0),
            "error-bits": lambda: 0.0,
            "signal-quality": lambda: 86.0 + 4.0 * around.wander("signal", 1800.0),
        },
        noise={"velocity": 0.002, "temp-supply": 0.03, "temp-return": 0.03},
        totals=(total,),
    )


def river_section(around: Surroundings) -> Parts:
    """Build a radar gauge above the bridge's section: surface velocity and level give the discharge."""
    river = around.river

    def area() -> float:
        return SECTION_M2 * river.level / river.spec.crest_m

    return Parts(
        sources={
            "discharge": lambda: river.flow_m3s,
            "velocity": lambda: river.flow_m3s / area(),
            "area": area,
            "signal-quality": lambda: 90.0 + 3.0 * around.wander("signal", 1800.0),
        },
        noise={"velocity": 0.01, "discharge": 2.0},
    )


def weather_station(around: Surroundings) -> Parts:
    """Build a compact weather station under the city's sky."""
    sky = around.weather
    spread = 12.0

    def turned(by: float) -> Source:
        return lambda: (sky.wind_direction() + by) % 360.0

    return Parts(
        sources={
            "temperature": sky.temperature,
            "humidity": sky.humidity,
            "pressure": sky.pressure,
            "illuminance": sky.illuminance,
            "wind-dir-min": turned(-spread),
            "wind-dir-max": turned(spread),
            "wind-dir": turned(0.0),
            "wind-min": lambda: sky.wind() * 0.55,
            "wind-max": lambda: sky.wind() * 1.65,
            "wind": sky.wind,
        },
        noise={
            "temperature": 0.06,
            "humidity": 0.3,
            "pressure": 6.0,
            "wind": 0.15,
            "wind-max": 0.4,
            "wind-min": 0.1,
        },
    )


def climate(around: Surroundings) -> Parts:
    """Build a temperature and humidity sensor in a room that its machines warm."""
    sky, supply = around.weather, around.supply
    return Parts(
        sources={
            "temperature": lambda: sky.temperature() + 2.0 + 4.0 * min(1.0, supply.machines_kw() / 300.0),
            "humidity": lambda: 0.8 * sky.humidity(),
        },
        noise={"temperature": 0.08, "humidity": 0.3},
    )


def carbon_dioxide(around: Surroundings) -> Parts:
    """Build a CO2 sensor in a mall: it follows the crowd of the hour."""
    sky = around.weather
    return Parts(
        sources={
            "status": lambda: 0.0,
            "co2": lambda: 480.0 + 520.0 * sky.rush() + 40.0 * around.wander("crowd", 1200.0),
        },
        noise={"co2": 4.0},
    )


def air_station(around: Surroundings) -> Parts:
    """Build an air-quality station: traffic makes it, wind and rain clear it, sun makes ozone."""
    sky, dirt = around.weather, float(around.set["dirt"])

    def clean() -> float:
        return 1.0 - 0.62 * smoothstep(0.0, 25.0, sky.rain_hour_mm)

    def day(name: str, scale: float) -> float:
        return 1.0 + scale * around.wander(name, 2700.0)

    return Parts(
        sources={
            "pm25": lambda: dirt * (16.0 + 24.0 * sky.rush()) * clean() * day("pm25", 0.1),
            "pm10": lambda: dirt * (30.0 + 42.0 * sky.rush()) * clean() * day("pm10", 0.1),
            "no2": lambda: dirt * (14.0 + 34.0 * sky.rush()) * day("no2", 0.08),
            "o3": lambda: 28.0 + 120.0 * sky.illuminance() / 92_000.0 * day("o3", 0.06),
            "so2": lambda: dirt * 7.0 * day("so2", 0.12),
            "co": lambda: dirt * (0.35 + 0.5 * sky.rush()) * day("co", 0.08),
            "temperature": sky.temperature,
            "humidity": sky.humidity,
            "noise": lambda: 42.0 + 20.0 * sky.rush() + 9.0 * smoothstep(5.0, 80.0, sky.rain),
            "battery": lambda: 12.9 + 0.1 * around.wander("battery", 7200.0),
        },
        noise={"pm25": 0.6, "pm10": 1.0, "no2": 0.6, "o3": 0.8, "so2": 0.2, "co": 0.01, "temperature": 0.06,
               "humidity": 0.3, "noise": 0.7, "battery": 0.01},
    )  # fmt: skip
