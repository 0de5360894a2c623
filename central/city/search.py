"""Search over the whole registry, in memory: 中文 and English, by name, code, tag, place and department.

Texts are bytes (UTF-8) in one row of numpy, so a look at 100,000 points is a few comparisons of arrays. A
point is found by its own words and by those of its device and site: 北闸 液位 is the level at a sluice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.city.fields import KINDS, Kind
from central.city.records import City, DeviceRecord, GatewayRecord, PointRecord, SiteRecord

Ranks = NDArray[np.uint8]
EXACT: Final = 5
"""The query is the thing's code."""
PREFIX: Final = 4
"""A code or name of the thing begins with the word."""
WORD: Final = 3
"""A word in it begins so."""
SUBSTRING: Final = 2
INHERITED: Final = 1
"""Its place or department has the word, not the thing itself."""
MOST_WORDS: Final = 8
LONGEST: Final = 100

_FIELD: Final = 0x1F
_ENTRY: Final = 0x1E
_WORD_ENDS: Final = np.zeros(256, np.bool_)
_WORD_ENDS[[ord(mark) for mark in " .-_/:,;()[]#'\"\n\t"]] = True


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing that was found. rank: `EXACT` to `INHERITED`."""

    kind: Kind
    id: str
    rank: int


@dataclass(frozen=True, slots=True)
class Found:
    """The best of a kind, and how many there are in all within the asker's sight."""

    kind: Kind
    hits: list[Hit]
    total: int


class Texts:
    """Many short texts in one array. Each is several fields; a look ranks every text for one word."""

    def __init__(self, entries: Iterable[Sequence[str]]) -> None:
        parts: list[bytes] = []
        for fields in entries:
            text = b"\x1f".join(field.casefold().encode("utf-8", "replace") for field in fields if field)
            parts.append(b"\x1e\x1f" + text)
        self._bytes = np.frombuffer(b"".join(parts) + b"\x1e", np.uint8)
        self._count = len(parts)
        self._entry = (np.cumsum(self._bytes == _ENTRY) - 1).astype(np.int32)
        self._often = np.bincount(self._bytes, minlength=256)

    def __len__(self) -> int:
        return self._count

    def rank(self, word: bytes) -> Ranks:
        """Return PREFIX, WORD, SUBSTRING or 0 for each text."""
        ranks = np.zeros(self._count, np.uint8)
        places = self._places(word)
        if len(places) == 0:
            return ranks
        before = self._bytes[places - 1]
        entries = self._entry[places]
        ranks[entries] = SUBSTRING
        ranks[entries[_WORD_ENDS[before]]] = WORD
        ranks[entries[before == _FIELD]] = PREFIX
        return ranks

    def _places(self, word: bytes) -> NDArray[np.int64]:
        """Return where the word stands: its rarest byte is looked for, then its neighbours."""
        codes = np.frombuffer(word, np.uint8)
        if len(codes) == 0 or len(self._bytes) <= len(codes):
            return np.empty(0, np.int64)
        rarest = int(np.argmin(self._often[codes]))
        places = np.flatnonzero(self._bytes == codes[rarest]) - rarest
        places = places[(places > 0) & (places < len(self._bytes) - len(codes))]
        for offset, code in enumerate(codes):
            if offset != rarest and len(places):
                places = places[self._bytes[places + offset] == code]
        return places


class Index:
    """One City, ready to be searched. Built in about a second for 100,000 points, off the event loop."""

    def __init__(self, city: City, words: Callable[[str], str] = str) -> None:
        self.city = city
        sites, devices = list(city.sites.values()), list(city.devices.values())
        self._ids: dict[Kind, list[str]] = {
            "site": list(city.sites),
            "gateway": list(city.registered_gateways),
            "device": list(city.devices),
            "point": sorted(key for key, point in city.points.items() if not point.retired),
        }
        self._row = {kind: {key: row for row, key in enumerate(ids)} for kind, ids in self._ids.items()}
        self._site_texts = Texts(_site(site, city) for site in sites)
        self._site_places = Texts(_site_place(site, city) for site in sites)
        self._gateway_texts = Texts(_gateway(gateway) for gateway in city.registered_gateways.values())
        self._device_texts = Texts(_device(device) for device in devices)
        site_row = self._row["site"]
        self._device_site = _array(site_row[device.site] for device in devices)
        points = [city.points[key] for key in self._ids["point"]]
        self._point_device = _array(self._row["device"][point.device] for point in points)
        # A city has few different points: 100,000 of them share some hundred names.
        own: dict[tuple[str, ...], int] = {}
        self._point_own = _array(own.setdefault(_point(point), len(own)) for point in points)
        self._point_texts = Texts(own)
        self._codes = {kind: Texts([key] for key in ids) for kind, ids in self._ids.items()}
        self._no_site = np.full(len(city.registered_gateways), -1, np.int64)
        for row, gateway in enumerate(city.registered_gateways.values()):
            if gateway.site is not None:
                self._no_site[row] = site_row[gateway.site]

    def search(
        self,
        query: str,
        *,
        kinds: Sequence[Kind] = KINDS,
        sites: frozenset[str] | None = None,
        limit: int = 8,
    ) -> list[Found]:
        """Return the best `limit` of each kind. Every word must be found; sites: what the asker may see."""
        words = [word.encode("utf-8", "replace") for word in query.casefold().split()[:MOST_WORDS]]
        if not words:
            return []
        seen = self._seen(sites)
        found = []
        ranks: dict[Kind, NDArray[np.int64]] = {}
        for word in words:
            for kind, rank in self._rank(word, kinds, seen["site"]).items():
                known = ranks.get(kind)
                each = rank.astype(np.int64)
                # The worst word decides, then how well the others were found.
                ranks[kind] = each * 100 + each if known is None else _both(known, each)
        for kind in KINDS:
            if kind not in ranks:
                continue
            score = ranks[kind]
            exact = self._row[kind].get(query.strip().casefold())
            if exact is not None:
                score[exact] = EXACT * 100 + 99
            score[~seen[kind]] = 0
            best, total = _best(score, limit)
            if total:
                hits = [Hit(kind, self._ids[kind][row], int(score[row]) // 100) for row in best]
                found.append(Found(kind, hits, total))
        return found

    def _rank(self, word: bytes, kinds: Sequence[Kind], seen: NDArray[np.bool_]) -> dict[Kind, Ranks]:
        """Return the rank of each row; seen: the sites whose place may be inherited."""
        ranks: dict[Kind, Ranks] = {}
        site = self._site_texts.rank(word)
        # Of its place a thing inherits; a site's own district and address are its place too.
        place = np.minimum(np.maximum(site, self._site_places.rank(word)), INHERITED) * seen
        if "site" in kinds:
            ranks["site"] = np.maximum(site, place)
        if "gateway" in kinds:
            standing = np.where(self._no_site >= 0, place[self._no_site], 0) if len(place) else 0
            ranks["gateway"] = np.maximum(self._gateway_texts.rank(word), standing).astype(np.uint8)
        if "device" in kinds or "point" in kinds:
            own = self._device_texts.rank(word)
            device = np.maximum(own, place[self._device_site])
            if "device" in kinds:
                ranks["device"] = device
            if "point" in kinds:
                ranks["point"] = self._rank_points(word, device)
        return ranks

    def _rank_points(self, word: bytes, device: Ranks) -> Ranks:
        ranks = np.maximum(
            self._point_texts.rank(word)[self._point_own],
            np.minimum(device, INHERITED)[self._point_device],
        )
        if b"." in word:
            np.maximum(ranks, self._codes["point"].rank(word), out=ranks)
        return ranks

    def _seen(self, sites: frozenset[str] | None) -> dict[Kind, NDArray[np.bool_]]:
        """Return which rows of each kind the asker may see; a gateway by any site that it serves."""
        site = np.fromiter((sites is None or key in sites for key in self._ids["site"]), np.bool_)
        served = self.city.sites_of_gateway
        gateway = np.fromiter(
            (sites is None or not sites.isdisjoint(served[key]) for key in self._ids["gateway"]), np.bool_
        )
        device = site[self._device_site]
        return {
            "site": site,
            "gateway": gateway,
            "device": device,
            "point": device[self._point_device],
        }


def _best(score: NDArray[np.int64], limit: int) -> tuple[NDArray[np.int64], int]:
    """Return the rows of the highest scores, alike ones by id; and how many are not 0."""
    many = np.bincount(score, minlength=1)
    total = len(score) - int(many[0])
    at_least = np.cumsum(many[:0:-1])  # of the highest score, of the two highest, …
    enough = int(np.searchsorted(at_least, min(limit, total)))
    rows = np.flatnonzero(score >= len(many) - 1 - enough) if total else np.empty(0, np.int64)
    return rows[np.argsort(-score[rows], kind="stable")][:limit], total


def _both(known: NDArray[np.int64], each: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join a word's ranks to those of the words before it: worst rank times 100, plus the sum of all."""
    worst = np.minimum(known // 100, each)
    return np.where(worst > 0, worst * 100 + np.minimum(known % 100 + each, 99), 0)


def _array(rows: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(rows, np.int64)


def _site(site: SiteRecord, city: City) -> tuple[str, ...]:
    return (site.id, site.name_zh, site.name_en, *site.tags)


def _site_place(site: SiteRecord, city: City) -> tuple[str, ...]:
    owner = city.departments.get(site.department)
    names = (owner.id, owner.name_zh, owner.name_en) if owner else (site.department,)
    return (site.district, site.address, site.grid_cell, site.kind, *names)


def _gateway(gateway: GatewayRecord) -> tuple[str, ...]:
    return (gateway.id, gateway.name_zh, gateway.name_en, gateway.grid_cell, *gateway.tags)


def _device(device: DeviceRecord) -> tuple[str, ...]:
    return (
        device.id, device.key, device.name_zh, device.name_en, device.serial, *device.tags, device.grid_cell,
        device.kind, f"{device.vendor} {device.model}",
    )  # fmt: skip


def _point(point: PointRecord) -> tuple[str, ...]:
    return (point.key, point.name_zh, point.name_en, *point.tags)
