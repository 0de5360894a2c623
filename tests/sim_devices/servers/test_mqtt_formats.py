"""Simulated devices in every format that a profile can name, read by the gateway's own driver."""

from __future__ import annotations

import asyncio

import pytest

from protocols.errors import DeviceRefused
from protocols.model.clock import now_us
from protocols.model.quality import Quality
from sim_devices.faults import parse_fault
from sim_devices.runner import Settings, simulating
from sim_devices.solo import SoloWorld
from tests.protocols.field.devices import Listening, bind, driver, profile

PATIENCE_S = 60.0
CSV = {"topic": "s/{device}/csv", "format": "csv", "separator": ";", "time_path": "[0]"}
RAW = {"topic": "s/{device}/raw", "format": "bytes"}
SETPOINT = {
    "topic": "s/{device}/state", "json_path": "sp", "id_path": "n", "command_topic": "s/{device}/set",
    "command_template": '{"sp": {value}, "meta": {"id": "{id}"}}', "response_topic": "s/{device}/done",
    "response_path": "result", "response_id_path": "id",
}  # fmt: skip
MODEL = profile(
    "mqtt",
    [
        {"key": "flow", "unit": "m3/h", "mqtt": {**CSV, "json_path": "[1]"}},
        {"key": "runs", "type": "bool", "mqtt": {**CSV, "json_path": "[2]"}},
        {
            "key": "power",
            "type": "f32",
            "unit": "kW",
            "mqtt": {**RAW, "bytes": {"offset": 2, "order": "DCBA"}},
        },
        {"key": "count", "type": "u16", "mqtt": {**RAW, "bytes": {"offset": 0}}},
        {"key": "sp", "writable": True, "write_min": 0, "write_max": 10, "mqtt": SETPOINT},
    ],
    mqtt_state={"topic": "s/{device}/lwt"},
)


async def test_csv_bytes_answers_and_wills() -> None:
    params = {"device": "D"}
    async with simulating(SoloWorld(MODEL, params=params, start_us=now_us()), Settings()) as simulation:
        bound = bind(MODEL, params)
        points = {point.profile.key: point for point in bound.points}
        made = driver("mqtt", {"host": "127.0.0.1", "port": simulation.ports["device"]}, bound)
        await made.open()
        heard = Listening(made)
        running = asyncio.create_task(simulation.run())
        try:
            await heard.until(
                lambda h: len(h.last()) == len(points) and all(q == 0 for _, q in h.last().values()),
                PATIENCE_S,
            )
            flow, _ = heard.last()[points["flow"].index]
            power, _ = heard.last()[points["power"].index]
            assert 200 < float(flow) < 440
            assert 1 < float(power) < 8
            assert await made.write(points["sp"], 7.0) == 7.0
            with pytest.raises(DeviceRefused, match=r"the device refused: device\.sp takes"):
                await made.write(points["sp"], 99.0)
            simulation.faults.set(parse_fault("dead:device"))
            lost = Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
            await heard.until(lambda h: h.last()[points["sp"].index] == (7.0, lost), PATIENCE_S)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await heard.stop()
            await made.close()
