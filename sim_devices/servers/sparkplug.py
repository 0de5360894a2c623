"""Sparkplug B edge nodes behind a broker of their own, as a host application meets them.

They obey rebirth requests and commands, are born again when a host application says that it is online,
and report by exception. A dead device sends DDEATH; a dead node's own device, NDEATH.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from protocols.model.clock import Clock, now_us
from protocols.model.sparkplug import NAMESPACE
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.base import DeviceView
from sim_devices.servers.broker import BrokerServer
from sim_devices.servers.sparkplug_node import EdgeNode, Out
from sim_devices.world import Endpoint, World


class SparkplugServer(BrokerServer):
    """One broker with its edge nodes."""

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
        members: dict[tuple[str, str], list[tuple[DeviceView, str]]] = {}
        for view in self.views:
            params = view.device.params
            place = str(params.get("group", "city")), str(params.get("node", endpoint.key))
            members.setdefault(place, []).append((view, str(params.get("device", ""))))
        self.nodes = [EdgeNode(group, node, views) for (group, node), views in members.items()]

    async def tick(self) -> None:
        """Report what has changed, is born or has died."""
        for node in self.nodes:
            await self._say(node.tick(self.clock(), *self._faults(node)))

    async def subscribed(self) -> None:
        """A client has subscribed; births are not repeated for it, it asks for them."""

    async def receive(self, topic: str, payload: bytes) -> None:
        """A client has published: a command, or a host application's state."""
        if topic.startswith(f"{NAMESPACE}/STATE/"):
            if _online(payload):
                for node in self.nodes:
                    if node.online:
                        await self._say(node.births(self.clock(), *self._faults(node)))
            return
        for node in self.nodes:
            try:
                await self._say(node.receive(topic, payload, self.clock(), *self._faults(node)))
            except DecodeError:
                # A command that nobody can read is ignored, as devices do.
                continue

    async def _say(self, said: Iterable[Out]) -> None:
        for out in said:
            await self.publish(out.device, out.topic, out.payload, qos=out.qos)

    def _faults(self, node: EdgeNode) -> tuple[set[str], set[str]]:
        keys = node.keys
        return {key for key in keys if self.faults.dead(key)}, {
            key for key in keys if self.faults.broken(key)
        }


def _online(payload: bytes) -> bool:
    try:
        told = json.loads(payload)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("online") is True
