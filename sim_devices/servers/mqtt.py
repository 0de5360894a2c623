"""Devices that publish JSON over MQTT 3.1.1, behind a broker of their own (`sim_devices.servers.broker`).

The devices hand their messages to the broker directly, as QoS of the subscriber: one JSON document per
topic, at the pace of its fastest point, and all of them at once to a new subscriber. A device's birth and
last will (`{"online": …}`) are retained.
"""

from __future__ import annotations

from protocols.model.clock import Clock, now_us
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.broker import BrokerServer
from sim_devices.servers.mqtt_device import MqttDevice
from sim_devices.world import Endpoint, World


class MqttServer(BrokerServer):
    """One broker; its devices publish from inside."""

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
    ) -> None:
        super().__init__(endpoint, world, faults, host=host, clock=clock)
        self.devices = {view.key: MqttDevice(view) for view in self.views}
        self._by_command = {topic: d for d in self.devices.values() for topic in d.command_topics}
        self._online: dict[str, bool] = {}

    async def tick(self) -> None:
        """Publish what is due."""
        time_us = self.clock()
        for key, device in self.devices.items():
            alive = not self.faults.dead(key)
            if self._online.get(key) != alive:
                self._online[key] = alive
                await self.publish(key, *device.state(alive, time_us), retained=True)
                for document in device.documents:
                    document.due_us = 0
            if alive:
                await self._publish_due(device, time_us)

    async def subscribed(self) -> None:
        """Let a new client see each device without waiting for the next period."""
        for device in self.devices.values():
            for document in device.documents:
                document.due_us = 0

    async def receive(self, topic: str, payload: bytes) -> None:
        """A client has published: act where the topic is a device's command topic."""
        device = self._by_command.get(topic)
        if device is None or self.faults.dead(device.view.key) or self.faults.broken(device.view.key):
            return
        for answer in device.command(topic, payload):
            await self.publish(device.view.key, *answer)
        for document in device.documents:
            document.due_us = 0
        await self._publish_due(device, self.clock())

    async def _publish_due(self, device: MqttDevice, time_us: int) -> None:
        broken = self.faults.broken(device.view.key)
        for index, document in enumerate(device.documents):
            if time_us < document.due_us:
                continue
            # The first repeat comes early by a part of the period, so that devices do not speak in chorus.
            phase = hash_phase(device.view.key, index) if document.due_us == 0 else 0.0
            document.due_us = time_us + int(document.period_us * (1.0 - 0.5 * phase))
            payload = document.payload(time_us, broken=broken)
            await self.publish(device.view.key, document.topic, payload, retained=document.retained)


def hash_phase(key: str, index: int) -> float:
    """Return a number in [0, 1) that depends on the device only: the same city speaks the same way."""
    return (sum(key.encode()) * 37 + index * 61) % 100 / 100
