"""A declaration is checked as a whole before any of it is stored: every mistake at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from central.kernel.problem import Problem
from protocols.errors import WireError
from protocols.model.manifest import Manifest, declaration_hash
from protocols.wire.batch import MAX_NAME

KEY = re.compile(r"^[a-z0-9_][a-z0-9_-]{0,62}\Z")
"""A key within a gateway; those of a technician do not begin with `_`, the gateway's own may."""
MAX_MISTAKES = 50
MAX_DECIMALS = 15


def read_manifest(body: bytes, gateway: str, name: str) -> Manifest:
    """Decode a declaration of this gateway and check it. Raises WireError, or Problem 400 `shape`."""
    if declaration_hash(body) != name:
        raise WireError("corrupt", f"the hash of these bytes is {declaration_hash(body)}, not {name}")
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise WireError("shape", f"the declaration: {error}") from error
    if manifest.gateway != gateway:
        raise WireError("shape", f"the declaration is of {manifest.gateway!r}, the token of {gateway!r}")
    mistakes = [
        {"field": field, "problem": problem}
        for (field, problem), _ in zip(_mistakes(manifest), range(MAX_MISTAKES), strict=False)
    ]
    if mistakes:
        detail = "; ".join(f"{item['field']}: {item['problem']}" for item in mistakes)
        raise Problem(400, "shape", "The declaration contradicts itself", detail, errors=mistakes)
    return manifest


def _mistakes(manifest: Manifest) -> Iterator[tuple[str, str]]:
    sites = {site.key for site in manifest.sites}
    devices = {device.key for device in manifest.devices}
    points = {f"{point.device}.{point.key}" for point in manifest.points}
    if len(sites) != len(manifest.sites):
        yield "sites", "a key is used twice"
    if len(devices) != len(manifest.devices):
        yield "devices", "a key is used twice"
    if len(points) != len(manifest.points):
        yield "points", "a device has a point key twice"
    if len({rule.id for rule in manifest.rules}) != len(manifest.rules):
        yield "rules", "an id is used twice"
    for i, site in enumerate(manifest.sites):
        if not KEY.match(site.key):
            yield f"sites[{i}].key", f"{site.key!r} is no key"
        if not (-180 <= site.lon <= 180 and -90 <= site.lat <= 90):
            yield f"sites[{i}]", f"{site.lon}, {site.lat} is no place on earth"
    for i, device in enumerate(manifest.devices):
        if not KEY.match(device.key):
            yield f"devices[{i}].key", f"{device.key!r} is no key"
        if not 0 <= device.profile_version < 1 << 31:
            yield f"devices[{i}].profile_version", f"{device.profile_version} is no version"
        if device.site not in sites:
            yield f"devices[{i}].site", f"site {device.site!r} is not declared"
    for i, point in enumerate(manifest.points):
        if not KEY.match(point.key):
            yield f"points[{i}].key", f"{point.key!r} is no key"
        if point.device not in devices:
            yield f"points[{i}].device", f"device {point.device!r} is not declared"
        if not point.period_s > 0:
            yield f"points[{i}].period_s", f"{point.period_s} is no period"
        if point.decimals is not None and not 0 <= point.decimals <= MAX_DECIMALS:
            yield f"points[{i}].decimals", f"{point.decimals} is not 0 to {MAX_DECIMALS} decimals"
    for i, rule in enumerate(manifest.rules):
        if not 0 < len(rule.id) <= MAX_NAME:
            yield f"rules[{i}].id", f"an id has 1 to {MAX_NAME} characters, not {len(rule.id)}"
        if rule.point not in points:
            yield f"rules[{i}].point", f"point {rule.point!r} is not declared"
    if b"\\u0000" in msgspec.json.encode(manifest):
        yield "", "a text holds a zero character"
