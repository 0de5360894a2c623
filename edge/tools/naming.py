"""A found topic or node beside those of known profiles: whose device is it, what is its name there?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from protocols.field.filling import DEVICE
from protocols.field.scanning import Found
from protocols.model.address.mqtt import MqttAddress
from protocols.model.address.opcua import OpcUaAddress
from protocols.model.address.sparkplug import SparkplugAddress
from protocols.model.device import PointProfile, Profile


def with_profile(found: Found, connection: dict[str, Any], profiles: Iterable[Profile]) -> Found:
    """Return a topic or node with the device entry of the profile that has its address, where there is one.

    `connection` is the entry of the line it was found on.
    """
    for profile in profiles:
        for point in profile.points:
            name = _device(found, point)
            if name:
                device = {"profile": profile.id, "params": {"device": name}}
                title = f"{found.title} - {point.key} of {name!r}, {profile.id}"
                return replace(found, title=title, suggestion={"connections": connection, "devices": device})
    return replace(found, suggestion={"connections": connection, **found.suggestion})


def with_metrics(found: Found, connection: dict[str, Any], profiles: Iterable[Profile]) -> Found:
    """Return an edge node or device with the entry of the largest profile whose metrics it all has."""
    names = {metric["name"] for metric in found.detail["metrics"]}
    best: Profile | None = None
    for profile in profiles:
        addresses = [point.address for point in profile.points]
        wanted = {address.metric for address in addresses if isinstance(address, SparkplugAddress)}
        if wanted and wanted <= names and (best is None or len(profile.points) > len(best.points)):
            best = profile
    if best is None:
        return replace(found, suggestion={"connections": connection, **found.suggestion})
    device = {"profile": best.id, "params": found.detail["params"]}
    suggestion = {"connections": connection, "devices": device}
    return replace(found, title=f"{found.title} - {best.id}", suggestion=suggestion)


def _device(found: Found, point: PointProfile) -> str:
    address = point.address
    if isinstance(address, MqttAddress) and found.kind == "topic":
        return _filled(address.topic, found.key)
    if found.kind == "method":
        method = address.method if isinstance(address, OpcUaAddress) else None
        return "" if method is None else _filled(method.node, str(found.detail["method"]))
    if isinstance(address, OpcUaAddress) and found.detail.get("namespace") == address.namespace:
        return _filled(address.node, str(found.detail["node"]))
    return ""


def _filled(template: str, address: str) -> str:
    """Return what stands at an address where its template says `{device}`; nothing where they differ."""
    if DEVICE not in template:
        return ""
    pattern = re.escape(template).replace(re.escape(DEVICE), "([^/]+?)", 1).replace(re.escape(DEVICE), r"\1")
    match = re.fullmatch(pattern, address)
    return match[1] if match else ""
