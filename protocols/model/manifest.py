"""What a gateway declares to the centre before its first batch: sites, devices, points, rules.

Points are declared once per configuration, like a Sparkplug birth; a batch then names a point by its
position in `points`. The declaration's name is the hash of its bytes, so equal ones are one.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from protocols.model.alarm import Rule


class SiteDecl(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the map; lon and lat in degrees, WGS 84. Site keys are unique in the whole city."""

    key: str
    name_zh: str
    name_en: str
    kind: str
    lon: float
    lat: float
    district: str = ""


class DeviceDecl(msgspec.Struct, frozen=True, kw_only=True):
    """A device of this gateway. Its id at the centre is `gateway.key`."""

    key: str
    site: str
    name_zh: str
    name_en: str
    kind: str
    profile: str
    profile_version: int
    protocol: str
    vendor: str = ""
    model: str = ""


class PointDecl(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a device; `device` and `key` are its name here, `gateway.device.key` at the centre.

    period_s is the longest normal time between two readings; a value older than three is stale.
    """

    device: str
    key: str
    name_zh: str
    name_en: str
    unit: str
    value_type: Literal["number", "bool", "text"]
    period_s: float
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    writable: bool = False
    write_min: float | None = None
    write_max: float | None = None
    labels: dict[str, tuple[str, str]] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a gateway serves. `points[i]` is the point that readings call i."""

    gateway: str
    name_zh: str
    name_en: str
    software: str
    sites: tuple[SiteDecl, ...]
    devices: tuple[DeviceDecl, ...]
    points: tuple[PointDecl, ...]
    rules: tuple[Rule, ...]

    def encode(self) -> bytes:
        """Return the bytes that are sent and hashed (JSON, fields in the order declared)."""
        return msgspec.json.encode(self)


def declaration_hash(encoded: bytes) -> str:
    """Return the name of a declaration: 32 hexadecimal digits of SHA-256 of its bytes."""
    return hashlib.sha256(encoded).hexdigest()[:32]
