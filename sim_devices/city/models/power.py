"""Meters, street-lighting cabinets, solar controllers, relays and contacts."""

from __future__ import annotations

import math

from sim_devices.city.device import Parts, Source, Surroundings, Writer, number
from sim_devices.city.supply import Total

NOMINAL_V = 231.0
LIGHTS_ON = 0.45
"""Darkness at which street lights switch on by themselves."""


def meter(around: Surroundings) -> Parts:
    """Build an Eastron meter: one phase or three, the load by hour, night or the site's machines."""
    settings, weather, supply = around.set, around.weather, around.supply
    base_kw = float(settings["base_kw"])
    three = any(point.key == "voltage-l1" for point in around.profile.points)
    power_factor = 0.9 + 0.07 * around.constant("pf")
    shares = (0.34, 0.335, 0.325) if three else (1.0,)

    def volts() -> float:
        if not supply.present:
            return 0.0
        return NOMINAL_V - 4.0 * weather.rush() + 1.6 * around.wander("volts", 900.0)

    def watts() -> float:
        if not supply.present:
            return 0.0
        shape = 1.0
        if settings.get("day"):
            shape = 0.45 + 0.55 * weather.rush()
        if settings.get("night"):
            shape = 1.0 if weather.darkness > LIGHTS_ON else 0.04
        load = base_kw * shape * (1.0 + 0.05 * around.wander("load", 700.0))
        return 1000.0 * (load + (supply.machines_kw() if settings.get("pumps") else 0.0))

    reactive = math.tan(math.acos(power_factor))
    energy = Total(lambda: watts() / 1000.0, 20_000.0 + 60_000.0 * around.constant("kwh"))
    varh = Total(lambda: watts() * reactive / 1000.0, 9_000.0 + 20_000.0 * around.constant("kvarh"))
    sources: dict[str, Source] = {
        "frequency": lambda: 50.0 + 0.03 * around.wander("hz", 120.0),
        "energy-import": energy,
        "energy-export": lambda: 0.0,
        "energy-total": energy,
        "reactive-energy": varh,
    }

    def phase(suffix: str, share: float, lean: float) -> None:
        def amps() -> float:
            return watts() * share / power_factor / (volts() + lean) if supply.present else 0.0

        sources[f"voltage{suffix}"] = lambda: volts() + lean if supply.present else 0.0
        sources[f"current{suffix}"] = amps
        sources[f"power{suffix}"] = lambda: watts() * share
        sources[f"apparent{suffix}"] = lambda: watts() * share / power_factor
        sources[f"reactive{suffix}"] = lambda: watts() * share * reactive
        sources[f"power-factor{suffix}"] = lambda: power_factor

    for i, share in enumerate(shares, 1):
        phase(f"-l{i}" if three else "", share, 1.2 * (i - 2) if three else 0.0)
    if three:
        sources["power"] = watts
        sources["apparent"] = lambda: watts() / power_factor
        sources["reactive"] = lambda: watts() * reactive
        sources["power-factor"] = lambda: power_factor
        for pair in ("l12", "l23", "l31"):
            sources[f"voltage-{pair}"] = lambda: volts() * 1.732
        sources["current-n"] = lambda: 0.02 * watts() / 230.0
    noise = {key: 0.15 for key in sources if key.startswith("voltage")}
    noise |= {key: 0.004 * base_kw * 1000.0 / 230.0 for key in sources if key.startswith("current")}
    return Parts(sources, noise, totals=(energy, varh))


def lighting_cabinet(around: Surroundings) -> Parts:
    """Build a cabinet of four circuits that follow the dark, or the operator."""
    settings, weather, supply = around.set, around.weather, around.supply
    lamps, lamp_w = int(settings["lamps"]), float(settings["lamp_w"])
    circuits = [False] * 4
    state = {"mode": 0.0, "dimming": 100.0}
    failed = int(1 + 4 * around.constant("failed"))

    def lit(index: int) -> bool:
        if not supply.present:
            return False
        # The fourth circuit is half-night lighting: off after one o'clock.
        if state["mode"] == 0.0:
            late = index == 3 and 1.0 < weather.hour < 5.0
            return weather.darkness > LIGHTS_ON and not late
        return circuits[index]

    def kilowatts() -> float:
        on = sum(lit(index) for index in range(4)) / 4.0
        return 0.06 + on * (lamps - failed) * lamp_w / 1000.0 * (0.12 + 0.88 * state["dimming"] / 100.0)

    def volts() -> float:
        return NOMINAL_V - 2.0 + 1.4 * around.wander("volts", 900.0) if supply.present else 0.0

    def circuit(index: int) -> Writer:
        def act(value: float | str) -> None:
            if state["mode"] == 0.0:
                circuits[:] = [lit(other) for other in range(4)]
                state["mode"] = 1.0
            circuits[index] = bool(number(value))

        return act

    def mode(value: float | str) -> None:
        circuits[:] = [lit(index) for index in range(4)]
        state["mode"] = float(number(value) != 0.0)

    def dimming(value: float | str) -> None:
        state["dimming"] = number(value)

    energy = Total(kilowatts, 8_000.0 + 9_000.0 * around.constant("kwh"))
    sources: dict[str, Source] = {
        "power": kilowatts,
        "power-factor": lambda: 0.95,
        "energy": energy,
        "mode": lambda: state["mode"],
        "dimming": lambda: state["dimming"],
        "illuminance": weather.illuminance,
        "lamps-failed": lambda: float(failed),
        "leakage": lambda: 9.0 + 14.0 * min(1.0, weather.rain_hour_mm / 40.0),
        "door": lambda: 0.0,
    }

    def voltage(lean: float) -> Source:
        return lambda: volts() + lean if supply.present else 0.0

    def current(share: float) -> Source:
        return lambda: kilowatts() * 1000.0 * share / 0.95 / volts() if supply.present else 0.0

    def circuit_state(index: int) -> Source:
        return lambda: float(lit(index))

    for i, share in enumerate((0.36, 0.33, 0.31), 1):
        sources[f"voltage-l{i}"] = voltage(0.9 * (i - 2))
        sources[f"current-l{i}"] = current(share)
    for i in range(4):
        sources[f"circuit{i + 1}"] = circuit_state(i)
    noise = {"voltage-l1": 0.2, "voltage-l2": 0.2, "voltage-l3": 0.2, "leakage": 0.3, "illuminance": 4.0}
    writers: dict[str, Writer] = {f"circuit{i + 1}": circuit(i) for i in range(4)}
    return Parts(sources, noise, writers | {"mode": mode, "dimming": dimming}, (energy,))


def solar(around: Surroundings) -> Parts:
    """Build an EPEVER Tracer with a 12 V battery that carries its load through the night."""
    weather, load_w = around.weather, float(around.set["load_w"])
    state = {"mode": 1.0, "switch": 1.0}

    def sun_w() -> float:
        return 160.0 * weather.illuminance() / 92_000.0

    def load_on() -> bool:
        if state["mode"] == 0.0:
            return state["switch"] == 1.0
        return weather.darkness > LIGHTS_ON

    def drawn_w() -> float:
        return load_w if load_on() else 0.0

    # Day charges, night drains: by the hour, so that the charge is right at any start.
    def soc() -> float:
        since = (weather.hour - 18.5) % 24.0
        return 96.0 - 4.2 * since if since < 11.0 else 49.8 + min(46.0, (since - 11.0) * 7.5)

    def battery_v() -> float:
        return 11.6 + 1.6 * soc() / 100.0 + 0.5 * min(1.0, sun_w() / 120.0) - 0.1 * load_on()

    used = Total(lambda: drawn_w() / 1000.0, 60.0 + 200.0 * around.constant("used"))
    made = Total(lambda: sun_w() / 1000.0, 90.0 + 260.0 * around.constant("made"))
    used_start, made_start = used.value, made.value

    def switch(value: float | str) -> None:
        if state["mode"] != 0.0:
            raise ValueError("the load follows the light; set the load control mode to 0 (manual) first")
        state["switch"] = number(value)

    def mode(value: float | str) -> None:
        state["mode"] = number(value)

    def charge_w() -> float:
        return max(0.0, sun_w() * 0.96)

    return Parts(
        sources={
            "pv-voltage": lambda: 17.6 + 1.2 * around.wander("pv", 600.0) if sun_w() > 0.5 else 0.3,
            "pv-current": lambda: sun_w() / 17.6,
            "pv-power": sun_w,
            "battery-voltage": battery_v,
            "battery-current": lambda: charge_w() / battery_v(),
            "battery-power": charge_w,
            "load-voltage": lambda: battery_v() if load_on() else 0.0,
            "load-current": lambda: drawn_w() / battery_v(),
            "load-power": drawn_w,
            "battery-temp": lambda: weather.temperature() + 1.5,
            "case-temp": lambda: weather.temperature() + 4.0 + 0.05 * sun_w(),
            "soc": soc,
            "battery-status": lambda: 0.0,
            "used-today": lambda: used.value - used_start,
            "used-total": used,
            "generated-today": lambda: made.value - made_start,
            "generated-total": made,
            "load-mode": lambda: state["mode"],
            "load": lambda: float(load_on()),
            "over-temp": lambda: 0.0,
            "night": lambda: float(weather.darkness > LIGHTS_ON),
        },
        noise={"pv-voltage": 0.05, "battery-voltage": 0.01, "battery-temp": 0.1, "case-temp": 0.1},
        writers={"load": switch, "load-mode": mode},
        totals=(used, made),
    )


def relay(around: Surroundings) -> Parts:
    """Build eight relays; the first four feed lamps that burn by day too, as in any underpass."""
    closed = [index < 4 for index in range(8)]

    def writer(index: int) -> Writer:
        def act(value: float | str) -> None:
            closed[index] = bool(number(value))

        return act

    return Parts(
        sources={f"relay{i + 1}": _contact(closed, i) for i in range(8)},
        writers={f"relay{i + 1}": writer(i) for i in range(8)},
    )


def contacts(around: Surroundings) -> Parts:
    """Build the breaker contacts of a switching station: six closed, two spare."""
    outputs = {"word": 0.0}
    closed = [index < 6 for index in range(8)]
    sources: dict[str, Source] = {f"di{i}": _contact(closed, i) for i in range(8)}
    sources |= {"counter0": lambda: 12.0, "counter1": lambda: 15.0}
    sources["di-word"] = lambda: float(sum(1 << i for i in range(8) if closed[i]))
    sources["do-word"] = lambda: outputs["word"]

    def word(value: float | str) -> None:
        outputs["word"] = float(int(number(value)) & 0xFF)

    return Parts(sources, writers={"do-word": word})


def _contact(closed: list[bool], index: int) -> Source:
    return lambda: float(closed[index])
