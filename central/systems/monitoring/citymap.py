"""The city's own map: GeoJSON files in a folder, read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from central.city.registry import SiteRecord
from central.kernel.shapes import Name
from central.systems.monitoring import schemas
from protocols.errors import ConfigError, Mistake

LAYERS: Final = ("districts", "roads", "water", "parks")
Bounds = tuple[float, float, float, float]
_MARGIN_DEG: Final = 0.01


class _Collection(BaseModel):
    """As much of a GeoJSON FeatureCollection as must be right; everything else is passed on."""

    model_config = ConfigDict(extra="allow")
    type: Literal["FeatureCollection"]
    features: list[dict[str, Any]]


class _Identity(BaseModel):
    """`city.json` beside the layers."""

    name: Name
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Layers:
    """The map as its folder has it; `corners` are the ends of its bounds, none where it is empty."""

    identity: _Identity
    layers: dict[str, dict[str, Any]]
    corners: list[tuple[float, float]]

    def around(self, sites: list[SiteRecord], style: str | None = None) -> schemas.CityMap:
        """Return the map with bounds that hold these sites as well; style: see `schemas.CityMap`."""
        places = self.corners + [(site.lon, site.lat) for site in sites]
        return schemas.CityMap(
            name=self.identity.name,
            time_zone=self.identity.time_zone,
            bounds=bounds(places),
            style=style,
            **self.layers,
        )


def load(folder: Path | None) -> Layers:
    """Read `districts`, `roads`, `water` and `parks` `.geojson` and `city.json`; each may be missing.

    Without a folder the map is empty. ConfigError for a file that is not GeoJSON.
    """
    layers = {layer: _layer(folder, layer) for layer in LAYERS}
    places = [place for layer in layers.values() for place in _places(layer)]
    corners = []
    if places:
        corners = [
            (min(lon for lon, _ in places), min(lat for _, lat in places)),
            (max(lon for lon, _ in places), max(lat for _, lat in places)),
        ]
    return Layers(_identity(folder), layers, corners)


def bounds(places: list[tuple[float, float]]) -> Bounds:
    """Return west, south, east, north of the places; the whole world where there are none."""
    if not places:
        return (-180.0, -85.0, 180.0, 85.0)
    west, east = min(lon for lon, _ in places), max(lon for lon, _ in places)
    south, north = min(lat for _, lat in places), max(lat for _, lat in places)
    if west == east or south == north:
        return (west - _MARGIN_DEG, south - _MARGIN_DEG, east + _MARGIN_DEG, north + _MARGIN_DEG)
    return (west, south, east, north)


def _layer(folder: Path | None, layer: str) -> dict[str, Any]:
    path = None if folder is None else folder / f"{layer}.geojson"
    if path is None or not path.is_file():
        return {"type": "FeatureCollection", "features": []}
    try:
        found = _Collection.model_validate_json(path.read_text("utf-8"))
    except ValueError as error:
        expected = "a GeoJSON FeatureCollection"
        raise ConfigError(
            [Mistake(str(path), 0, 0, layer, str(error), expected, "replace the file")]
        ) from error
    return found.model_dump()


def _identity(folder: Path | None) -> _Identity:
    path = None if folder is None else folder / "city.json"
    if path is None or not path.is_file():
        return _Identity(name=Name(zh="城市", en="City"))
    try:
        return _Identity.model_validate_json(path.read_text("utf-8"))
    except ValueError as error:
        expected = '{"name": {"zh": …, "en": …}, "time_zone": "Asia/Shanghai"}'
        raise ConfigError([Mistake(str(path), 0, 0, "", str(error), expected, "correct the file")]) from error


def _places(layer: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """Yield every position of every geometry."""
    waiting = [feature.get("geometry") or {} for feature in layer["features"]]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.get("geometries", []))
            waiting.append(item.get("coordinates", []))
        elif len(item) >= 2 and all(isinstance(part, int | float) for part in item[:2]):
            yield float(item[0]), float(item[1])
        else:
            waiting.extend(part for part in item if isinstance(part, list))
