"""Water: rain becomes runoff, runoff fills basins and reaches, pumps and gates move it to the river.

Metres, seconds, m³/s; levels above the bottom of a basin, or above the city's datum. A catchment is
a linear reservoir (Nash, one storage); a gate is a submerged or free orifice, a weir is broad-crested.
"""

from __future__ import annotations

import math

from sim_devices.city.spec import BasinSpec, ReachSpec, RiverSpec

GRAVITY = 9.81
_MM_H_HA_TO_M3S = 1e-3 / 3600.0 * 1e4
PUMP_RAMP_S = 40.0
GATE_PERCENT_PER_S = 0.45
DRY_RUN_M = 0.15


class Catchment:
    """Rain in mm/h on so many hectares, as flow in m³/s some minutes later."""

    def __init__(self, hectares: float, runoff: float, response_min: float) -> None:
        self._gain = hectares * runoff * _MM_H_HA_TO_M3S
        self._lag_s = response_min * 60.0
        self._dt = self._share = 0.0
        self.flow = 0.0

    def step(self, rain: float, dt: float) -> float:
        """Return the flow after `dt` seconds of this rain."""
        if dt != self._dt:
            self._dt, self._share = dt, 1.0 - math.exp(-dt / self._lag_s)
        self.flow += (rain * self._gain - self.flow) * self._share
        return self.flow


class Pump:
    """A pump with a variable-speed drive, as its controller knows it.

    `command` is what was asked for; `speed` follows it as a share of 50 Hz, unless the mains are gone
    or `fault_code` is set.
    """

    def __init__(
        self, rated_m3s: float, head_m: float, rated_kw: float, *, automatic: bool, command: bool = False
    ) -> None:
        self.rated_m3s, self.head_m, self.rated_kw = rated_m3s, head_m, rated_kw
        self.automatic = automatic
        self.command = command
        self.setpoint_hz = 50.0
        self.fault_code = 0
        self.speed = 0.0
        self.flow = 0.0
        self.hours = 0.0
        self.starts = 0
        self.warmth = 0.0
        """Share of its steady warming that the motor has reached."""

    @property
    def running(self) -> bool:
        """The impeller turns fast enough to deliver."""
        return self.speed > 0.1

    @property
    def power_kw(self) -> float:
        """Electrical power: affinity law, with the drive's own share."""
        return self.rated_kw * (0.04 * (self.speed > 0.01) + 0.9 * self.speed**3)

    def step(self, lift_m: float, dt: float, *, powered: bool) -> None:
        """Turn for `dt` seconds against `lift_m` of head."""
        wanted = self.setpoint_hz / 50.0 if self.command and powered and not self.fault_code else 0.0
        if wanted == 0.0 and self.speed == 0.0:
            self.flow = 0.0
            self.warmth -= self.warmth * min(1.0, dt / 900.0)
            return
        was_running = self.running
        change = dt / PUMP_RAMP_S
        self.speed += max(-change, min(change, wanted - self.speed))
        if self.running and not was_running:
            self.starts += 1
        n = self.speed
        # Parabolic curve through the rated point with a shut-off head of 1.35 times the rated one.
        room = 1.35 * n * n - 0.35 * max(0.2, lift_m / self.head_m)
        self.flow = self.rated_m3s * math.sqrt(room) if room > 0.0 else 0.0
        self.warmth += ((0.25 + 0.75 * n if n > 0.1 else 0.0) - self.warmth) * min(1.0, dt / 900.0)
        if self.running:
            self.hours += dt / 3600.0


class River:
    """The receiving river: one level for the whole city."""

    def __init__(self, spec: RiverSpec) -> None:
        self.spec = spec
        self.level = spec.low_m
        self._upstream = 0.0

    def step(self, rain: float, inflow_m3s: float, dt: float) -> None:
        """Answer rain upstream and what the city lets in."""
        spec = self.spec
        lag_s = spec.lag_min * 60.0
        self._upstream += (rain - self._upstream) * min(1.0, dt / lag_s)
        target = spec.low_m + spec.rain_gain_m_per_mm_h * self._upstream
        target += spec.inflow_gain_m_per_m3s * inflow_m3s
        self.level += (min(target, spec.crest_m) - self.level) * min(1.0, 2.0 * dt / lag_s)

    @property
    def flow_m3s(self) -> float:
        """Discharge by the rating curve of the bridge section."""
        return 620.0 * math.pow(max(0.1, self.level - 4.0), 1.6)


class Basin:
    """A wet well, an underpass or a tank. Its float switches run the pumps that are in automatic."""

    def __init__(self, spec: BasinSpec) -> None:
        self.spec = spec
        self.catchment = Catchment(spec.catchment_ha, spec.runoff, spec.response_min)
        self.pumps: list[Pump] = []
        self.level = spec.start_m
        self.inflow = 0.0
        self.outflow = 0.0
        self.rate = 0.0
        """Rise in m/s."""
        self.powered = True

    def step(self, rain: float, river_m: float, dt: float) -> None:
        """Fill by rain and base flow, empty by pumps and culvert, for `dt` seconds."""
        spec = self.spec
        self.inflow = spec.base_m3s + self.catchment.step(rain, dt)
        self._switch()
        lift = max(1.0, river_m - self.level + 2.0)
        pumped = 0.0
        for pump in self.pumps:
            pump.step(lift, dt, powered=self.powered)
            pumped += pump.flow
        self.outflow = pumped
        drained = spec.drain_m3s_per_m * max(0.0, self.level - spec.drain_above_m)
        before = self.level
        level = before + (self.inflow - pumped - drained) / spec.area_m2 * dt
        # Above the top the water spreads over the street; below the bottom a pump sucks air.
        self.level = min(spec.top_m, max(spec.bottom_m, level))
        self.rate = (self.level - before) / dt

    def _switch(self) -> None:
        spec = self.spec
        starts = spec.pump_starts_m
        automatic = 0
        for pump in self.pumps:
            if pump.automatic:
                if self.level >= starts[min(automatic, len(starts) - 1)]:
                    pump.command = True
                elif self.level <= spec.pump_stop_m:
                    pump.command = False
                automatic += 1
            elif pump.command and self.level <= max(spec.bottom_m, spec.pump_stop_m - DRY_RUN_M):
                # Dry-run protection drops the command: somebody has to decide again.
                pump.command = False


class Gate:
    """A vertical sluice gate that travels to its setpoint. Percent of its height."""

    def __init__(self, width_m: float, height_m: float, open_percent: float) -> None:
        self.width_m, self.height_m = width_m, height_m
        self.position = self.setpoint = open_percent
        self.flow = 0.0
        self.moving = 0
        """+1 opening, -1 closing, 0 still."""

    def step(self, upstream_m: float, downstream_m: float, dt: float, *, powered: bool) -> None:
        """Travel for `dt` seconds, then let through what the heads allow; never backwards."""
        gap = self.setpoint - self.position
        travel = GATE_PERCENT_PER_S * dt if powered else 0.0
        self.moving = 0 if abs(gap) < 1e-9 or not powered else (1 if gap > 0 else -1)
        self.position += max(-travel, min(travel, gap))
        head = max(0.0, upstream_m - downstream_m)
        opening = self.width_m * self.height_m * self.position / 100.0
        self.flow = 0.61 * opening * math.sqrt(2.0 * GRAVITY * head)


class Reach:
    """The water above a sluice, with its gates and the weir beside them."""

    def __init__(self, spec: ReachSpec) -> None:
        self.spec = spec
        self.catchment = Catchment(spec.catchment_ha, spec.runoff, spec.response_min)
        self.gates: list[Gate] = []
        self.level = spec.crest_m - 0.4
        self.downstream = 0.0
        self.inflow = 0.0
        self.outflow = 0.0
        self.powered = True

    def step(self, rain: float, river_m: float, dt: float) -> None:
        """Fill by stream and rain, empty by gates and weir, for `dt` seconds."""
        spec = self.spec
        self.downstream = river_m
        self.inflow = spec.base_m3s + self.catchment.step(rain, dt)
        through = 0.0
        for gate in self.gates:
            gate.step(self.level, river_m, dt, powered=self.powered)
            through += gate.flow
        over = max(0.0, self.level - spec.crest_m)
        weir = 1.7 * spec.crest_width_m * over**1.5
        self.outflow = through + weir
        lowest = river_m if river_m < spec.crest_m else spec.crest_m
        self.level = max(lowest, self.level + (self.inflow - self.outflow) / spec.area_m2 * dt)
