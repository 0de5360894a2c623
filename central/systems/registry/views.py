"""From records and rows to what the API shows."""

from __future__ import annotations

from typing import Any

from central.city.attachments import INLINE
from central.city.fields import HAVE_LIFE, Kind
from central.city.layers import State
from central.city.lifecycle import MOVES, Lifecycle
from central.city.registry import City, DeviceRecord, GatewayRecord, PointRecord, SiteRecord
from central.city.search import EXACT, INHERITED, PREFIX, SUBSTRING, WORD, Hit
from central.city.tablefile import Mistake
from central.city.transfer import Plan
from central.kernel.shapes import Name
from central.store.registry import Attachment
from central.systems.registry import schemas

SHOWN_OF_FILE = 500
_MATCH = {EXACT: "code", PREFIX: "prefix", WORD: "word", SUBSTRING: "part", INHERITED: "place"}
PLACE = frozenset({"site", "lon", "lat", "grid_cell", "address"})
Record = SiteRecord | GatewayRecord | DeviceRecord | PointRecord


def thing(city: City, record: Record) -> schemas.Thing:
    """Show a line of the registry."""
    return schemas.Thing.model_validate(fields(city, record))


def fields(city: City, record: Record) -> dict[str, Any]:
    """Return what every kind shows in a list."""
    site = site_of(city, record)
    shown: dict[str, Any] = {
        "id": record.id,
        "name": Name(zh=record.name_zh, en=record.name_en),
        "site": None if site is None else site.id,
        "district": site.district if site else "",
        "department": site.department if site else "",
        "grid_cell": site.grid_cell if site else "",
        "lon": site.lon if site else None,
        "lat": site.lat if site else None,
        "tags": list(record.tags),
        "lifecycle": None,
        "declared": True,
        "type": "",
    }
    if isinstance(record, PointRecord):
        device = city.devices[record.device]
        lon, lat = city.place_of(device)
        shown |= {"lon": lon, "lat": lat, "grid_cell": device.grid_cell or shown["grid_cell"]}
        return shown | {
            "kind": "point", "type": record.unit, "gateway": record.gateway, "device": record.device,
        }  # fmt: skip
    shown |= {"lifecycle": record.lifecycle, "declared": record.declared}
    shown["grid_cell"] = record.grid_cell or shown["grid_cell"]
    if isinstance(record, SiteRecord):
        return shown | {
            "kind": "site", "type": record.kind, "devices": len(city.devices_of.get(record.id, [])),
        }  # fmt: skip
    if record.lon is not None:
        shown |= {"lon": record.lon, "lat": record.lat}
    if isinstance(record, DeviceRecord):
        return shown | {"kind": "device", "type": record.kind, "gateway": record.gateway}
    count = sum(device.gateway == record.id for device in city.devices.values())
    return shown | {"kind": "gateway", "gateway": record.id, "devices": count}


def site_of(city: City, record: Record) -> SiteRecord | None:
    """Return the site that a thing belongs to."""
    if isinstance(record, SiteRecord):
        return record
    if isinstance(record, PointRecord):
        return city.sites[city.devices[record.device].site]
    return None if record.site is None else city.sites.get(record.site)


def detail(
    city: City,
    record: Record,
    kind: Kind,
    state: State,
    *,
    revision: int,
    attached: list[Attachment],
    open_alarms: int,
) -> schemas.ThingDetail:
    """Show a thing with both layers."""
    life = Lifecycle(state["lifecycle"]) if kind in HAVE_LIFE else None
    own = {name: state.get(name) or "" for name in ("address", "vendor", "model", "serial", "note")}
    return schemas.ThingDetail.model_validate(
        {
            **fields(city, record),
            **own,
            "own_place": state.get("lon") is not None,
            "own_grid_cell": state.get("grid_cell", ""),
            "contacts": state.get("contacts", []),
            "lifecycle_at": state.get("lifecycle_at"),
            "moves": [] if life is None else list(MOVES[life]),
            "declaration": state["declared"],
            "written": state["written"],
            "revision": revision,
            "open_alarms": open_alarms,
            "attachments": [attachment(item) for item in attached],
        }
    )


def unplaced(state: State) -> State:
    """Return a thing without its place, in both layers: for who sees only a part of what it serves."""
    bare = {name: value for name, value in state.items() if name not in PLACE}
    for layer in ("declared", "written"):
        if state[layer] is not None:
            bare[layer] = {name: value for name, value in state[layer].items() if name not in PLACE}
    return bare


def attachment(item: Attachment) -> schemas.AttachmentOut:
    """Show what is attached, without its content."""
    return schemas.AttachmentOut.model_validate(
        {
            "id": item.id,
            "name": item.name,
            "media_type": item.media_type,
            "size": item.size,
            "sha256": item.sha256,
            "note": item.note,
            "created_at": item.created_at,
            "created_by": item.created_by,
            "inline": item.media_type in INLINE,
        }
    )


def hit(city: City, found: Hit) -> schemas.SearchHit:
    """Show what was found, with where it is."""
    record = records(city, found.kind)[found.id]
    shown = fields(city, record)
    site = site_of(city, record)
    place = None if site is None or isinstance(record, SiteRecord) else Name(zh=site.name_zh, en=site.name_en)
    if isinstance(record, PointRecord) and place is not None:
        device = city.devices[record.device]
        place = Name(zh=f"{place.zh} · {device.name_zh}", en=f"{place.en} · {device.name_en}")
    return schemas.SearchHit.model_validate(
        {
            "kind": found.kind,
            "id": found.id,
            "name": shown["name"],
            "type": shown["type"],
            "site": shown["site"],
            "place": place,
            "lifecycle": shown["lifecycle"],
            "match": _MATCH[found.rank],
        }
    )


def records(city: City, kind: Kind) -> dict[str, Record]:
    """Return the records of a kind by id."""
    found: dict[Kind, dict[str, Any]] = {
        "site": city.sites,
        "gateway": city.registered_gateways,
        "device": city.devices,
        "point": city.points,
    }
    return found[kind]


def report(made: Plan, *, applied: bool) -> schemas.ImportReport:
    """Show what a file would change, or did."""
    return schemas.ImportReport(
        applied=applied,
        added=made.count("added"),
        changed=made.count("changed"),
        unchanged=made.unchanged,
        mistake_count=len(made.mistakes),
        mistakes=[mistake(item) for item in made.mistakes[:SHOWN_OF_FILE]],
        steps=[schemas.StepOut.model_validate(step) for step in made.steps[:SHOWN_OF_FILE]],
        encoding=made.encoding,
    )


def mistake(item: Mistake) -> schemas.MistakeOut:
    """Show a mistake at its place."""
    return schemas.MistakeOut(line=item.line, column=item.column, problem=Name(zh=item.zh, en=item.en))
