"""The behaviour of each device model of the city, by the id of its profile."""

from __future__ import annotations

from collections.abc import Callable

from sim_devices.city.device import Parts, Surroundings
from sim_devices.city.models import drainage, instruments, power, street

MODELS: dict[str, Callable[[Surroundings], Parts]] = {
    "city.pump": drainage.pump,
    "city.wet_well": drainage.wet_well,
    "city.underpass": drainage.underpass,
    "city.sluice_gate": drainage.sluice_gate,
    "city.lighting_cabinet": power.lighting_cabinet,
    "eastron.sdm630": power.meter,
    "eastron.sdm120": power.meter,
    "epever.tracer": power.solar,
    "waveshare.relay8": power.relay,
    "moxa.e1200": power.contacts,
    "qdy30a": instruments.level_gauge,
    "tuf2000m": instruments.flow_meter,
    "city.river_section": instruments.river_section,
    "seeed.sensecap_one": instruments.weather_station,
    "xy_md02": instruments.climate,
    "senseair.s8": instruments.carbon_dioxide,
    "city.air_station": instruments.air_station,
    "city.message_sign": street.message_sign,
    "city.smart_bin": street.smart_bin,
    "city.manhole": street.manhole,
    "city.parking": street.parking,
    "city.camera": street.camera,
}
