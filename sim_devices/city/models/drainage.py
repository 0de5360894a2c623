"""Pump controller, station PLC, underpass flood station, sluice-gate drive."""

from __future__ import annotations

from sim_devices.city.device import Parts, Surroundings, number
from sim_devices.city.water import Gate, Pump

MINUTE_S = 60.0


def pump(around: Surroundings) -> Parts:
    """Build a pump that moves the water of its site's basin."""
    basin, settings = around.basin(), around.set
    it = Pump(
        float(settings["rated_m3s"]),
        float(settings["head_m"]),
        float(settings["rated_kw"]),
        automatic=bool(settings["automatic"]),
        command=bool(settings.get("running", False)),
    )
    basin.pumps.append(it)
    around.supply.loads_kw.append(lambda: it.power_kw)
    it.hours = 3000.0 + 5000.0 * around.constant("hours")
    it.starts = int(400 + 900 * around.constant("starts"))
    full_amps = it.rated_kw * 1000.0 / (1.732 * 400.0 * 0.86)
    rough = around.constant("bearing")

    def run(value: float | str) -> None:
        if it.automatic:
            raise ValueError("the pump is in automatic; set its mode to 1 (remote manual) first")
        if it.fault_code and number(value):
            raise ValueError(f"the pump is tripped with fault {it.fault_code}; it cannot start")
        it.command = bool(number(value))

    def mode(value: float | str) -> None:
        it.automatic = number(value) == 2.0

    def setpoint(value: float | str) -> None:
        it.setpoint_hz = number(value)

    ambient = around.weather.temperature
    return Parts(
        sources={
            "run-command": lambda: float(it.command),
            "running": lambda: float(it.running),
            "fault": lambda: float(it.fault_code != 0),
            "remote": lambda: 1.0,
            "mode": lambda: 2.0 if it.automatic else 1.0,
            "speed-setpoint": lambda: it.setpoint_hz,
            "fault-code": lambda: float(it.fault_code),
            "speed": lambda: it.speed * 50.0,
            "current": lambda: full_amps * (0.32 * it.speed + 0.63 * it.speed**3),
            "power": lambda: it.power_kw,
            "flow": lambda: it.flow * 3600.0,
            "bearing-temp": lambda: ambient() + 4.0 + (26.0 + 12.0 * rough) * it.warmth,
            "winding-temp": lambda: ambient() + 6.0 + 55.0 * it.warmth,
            "vibration": lambda: 0.12 + (1.4 + 1.6 * rough) * it.speed**2,
            "hours": lambda: it.hours,
            "starts": lambda: float(it.starts),
        },
        noise={"bearing-temp": 0.08, "winding-temp": 0.1, "vibration": 0.04},
        writers={"run-command": run, "mode": mode, "speed-setpoint": setpoint},
        pump=it,
    )


def wet_well(around: Surroundings) -> Parts:
    """Build the station's PLC: levels, flows, rain gauge, mains, gas."""
    basin, weather, river, supply = around.basin(), around.weather, around.river, around.supply
    return Parts(
        sources={
            "level": lambda: basin.level,
            "inflow": lambda: basin.inflow * 3600.0,
            "outflow": lambda: basin.outflow * 3600.0,
            "outfall-level": lambda: river.level,
            "screen-loss": lambda: 0.04 + 0.012 * basin.outflow**2 + 0.01 * around.wander("screen", 5400.0),
            "pumps-running": lambda: float(sum(pump.running for pump in basin.pumps)),
            "rain": lambda: weather.rain * (0.9 + 0.2 * around.constant("gauge")),
            "rain-hour": lambda: weather.rain_hour_mm * (0.9 + 0.2 * around.constant("gauge")),
            "mains": lambda: float(supply.present),
            "door": lambda: 0.0,
            "gas": lambda: 1.2 + 0.8 * around.wander("gas", 3600.0),
        },
        noise={"level": 0.004, "outfall-level": 0.004, "gas": 0.05, "screen-loss": 0.002},
    )


class FloodPost:
    """The actuators of an underpass."""

    def __init__(self) -> None:
        self.barrier = self.siren = self.lights = False


def underpass(around: Surroundings) -> Parts:
    """Build the flood station of an underpass; traffic stays away from deep water and a barrier."""
    basin, weather, supply, post = around.basin(), around.weather, around.supply, FloodPost()
    cars = float(around.set["cars"])

    def traffic() -> float:
        if post.barrier:
            return 0.0
        return cars * weather.rush() * max(0.0, 1.0 - basin.level / 0.3) * (1.0 + 0.08 * wobble())

    def wobble() -> float:
        return around.wander("cars", 600.0)

    def barrier(value: float | str) -> None:
        if not supply.present:
            raise ValueError("the barrier has no mains; lower it by hand")
        post.barrier = bool(number(value))

    def siren(value: float | str) -> None:
        post.siren = bool(number(value))

    def lights(value: float | str) -> None:
        post.lights = bool(number(value))

    return Parts(
        sources={
            "depth": lambda: basin.level,
            "depth-rate": lambda: basin.rate * 100.0 * MINUTE_S,
            "barrier": lambda: float(post.barrier),
            "barrier-closed": lambda: float(post.barrier),
            "siren": lambda: float(post.siren),
            "lights": lambda: float(post.lights),
            "traffic": traffic,
            "battery": lambda: 11.8 + 1.5 * supply.battery + 0.3 * supply.present,
            "mains": lambda: float(supply.present),
            "cabinet-temp": lambda: weather.temperature() + 5.0,
        },
        noise={"depth": 0.0008, "battery": 0.01, "cabinet-temp": 0.1},
        writers={"barrier": barrier, "siren": siren, "lights": lights},
    )


def sluice_gate(around: Surroundings) -> Parts:
    """Build a gate between the site's reach and the river."""
    reach, weather, supply, settings = around.reach(), around.weather, around.supply, around.set
    it = Gate(float(settings["width_m"]), float(settings["height_m"]), float(settings["open_percent"]))
    reach.gates.append(it)
    supply.loads_kw.append(lambda: 5.5 if it.moving else 0.0)

    def setpoint(value: float | str) -> None:
        if not supply.present:
            raise ValueError("the gate drive has no mains; use the hand crank")
        it.setpoint = min(100.0, max(0.0, number(value)))

    def torque() -> float:
        pressed = 90.0 * it.width_m * max(0.0, reach.level - reach.downstream)
        return (420.0 + pressed + 260.0 * (it.moving > 0)) if it.moving else 0.0

    return Parts(
        sources={
            "position": lambda: it.position,
            "setpoint": lambda: it.setpoint,
            "flow": lambda: it.flow,
            "upstream-level": lambda: reach.level,
            "downstream-level": lambda: reach.downstream,
            "torque": torque,
            "motor-current": lambda: 11.0 + torque() / 400.0 if it.moving else 0.0,
            "moving": lambda: float(it.moving != 0),
            "remote": lambda: 1.0,
            "fault": lambda: 0.0,
            "fully-open": lambda: float(it.position >= 99.5),
            "fully-closed": lambda: float(it.position <= 0.5),
            "oil-temp": lambda: weather.temperature() + (9.0 if it.moving else 2.0),
        },
        noise={"upstream-level": 0.004, "downstream-level": 0.004, "oil-temp": 0.1},
        writers={"setpoint": setpoint},
    )
