"""A city of two areas, with things of each kind in both, and everything of the second one marked.

Whatever is in area B bears `zb-`, `bravo` or `乙` in its id and name, or the number 777.125; ids that the
centre makes itself are collected. So a leak is a string that is found, whatever route it came by.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from central.security.roles import Role
from protocols.model.alarm import AlarmEvent, Priority, Rule
from protocols.model.clock import SECOND_US, to_datetime
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.manifest import DeviceDecl, Manifest, PointDecl, SiteDecl
from protocols.model.snapshot import Snapshot
from protocols.wire.channels import CONFIG, STATUS
from protocols.wire.handshake import (
    BacklogStatus,
    ConfigStatus,
    GatewayStatus,
    PicturesStatus,
    RunningConfig,
    StorageStatus,
)
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import API, Running, running_centre

MARKED: Final = re.compile(r"(?i)(?<![\w-])zb[-.]|bravo|乙|777[.,]?125")
NAMES: Final = {"a": ("alpha", "甲区"), "zb": ("bravo", "乙区")}
VALUES: Final = {"a": 2.345, "zb": 777.125}
RULES: Final[Mapping[str, tuple[Priority, str]]] = {
    "level": ("P1", "flooding"), "flow": ("P2", "flow"), "run": ("P4", ""),
}  # fmt: skip
MADE: Final = ("event", "case", "task", "command", "order", "digest", "attachment")
"""Kinds of ids that the centre makes itself."""
PDF: Final = b"%PDF-1.4\n%%EOF\n"
SHARED: Final = "gw-both"
"""A gateway that serves both areas: it is seen from each, but is nobody's as a whole."""


@dataclass
class Area:
    """The ids of one area's things, by the names that the API's parameters have."""

    key: str
    ids: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.ids[name]


NOWHERE: Final[Mapping[str, str]] = {
    "site": "no-site", "device": "gw-no.dev", "point": "gw-no.dev.pt", "gateway": "gw-no",
    "alarm": "no-alarm",
    "event": "no-event", "case": "no-case", "task": "no-task", "command": "no-command", "order": "no-order",
    "digest": "no-digest", "person": "no-person", "word": "no-word", "kind": "no-kind", "district": "no-area",
    "department": "no-department", "tag": "no-tag", "attachment": "no-attachment",
    "camera": "gw-no.cam", "snapshot": "987654",
    "cover": "987654", "fold": "987654", "rule": "no.rule", "cause": "gateway:gw-no",
}  # fmt: skip
"""Ids that nothing has."""


@dataclass
class TwoAreas:
    """The running city, its two areas, who administers area A only, and what only B has."""

    city: Running
    a: Area
    b: Area
    gateways: dict[str, FieldGateway]
    keeper: str
    """Token of somebody who may do everything that can be done in a part of the city, in area A."""
    secrets: set[str]
    """Ids of B's things that the centre made itself."""

    def leaks(self, text: str) -> list[str]:
        """Return what in an answer belongs only to B."""
        return sorted({*MARKED.findall(text), *(secret for secret in self.secrets if secret in text)})


def manifest(gateway: str, *areas: str) -> Manifest:
    """One site in each area, with a well (level, flow) and a pump that can be written."""
    sites, devices, points, rules = [], [], [], []
    for key in areas:
        district, zh = NAMES[key]
        place = f"{key}-{gateway.removeprefix('gw-').replace('bravo', 'main').replace('alpha', 'main')}"
        sites.append(
            SiteDecl(
                key=place, name_zh=f"{zh}泵站", name_en=f"{district} station", kind=f"{key}-station",
                lon=121.4 if key == "a" else 99.777125, lat=31.2, district=district,
            )
        )  # fmt: skip
        for device in ("well", "pump", "cam"):
            devices.append(
                DeviceDecl(
                    key=f"{key}-{device}", site=place, name_zh=f"{zh} {device}",
                    name_en=f"{district} {device}",
                    kind="camera" if device == "cam" else f"{key}-{device}",
                    profile=f"{key}.profile", profile_version=1, protocol="modbus",
                )
            )  # fmt: skip
        for device, name in (("well", "level"), ("well", "flow"), ("pump", "run")):
            more = {"writable": True, "write_min": 0.0, "write_max": 1.0} if device == "pump" else {}
            declared = {
                "device": f"{key}-{device}", "key": name, "name_zh": f"{zh} {name}",
                "name_en": f"{district} {name}", "unit": "m", "value_type": "number", "period_s": 5.0, **more,
            }  # fmt: skip
            points.append(msgspec.convert(declared, PointDecl))
            priority, category = RULES[name]
            rules.append(
                Rule(
                    id=f"{key}-{device}.{name}-high", point=f"{key}-{device}.{name}", kind="hi", limit=3.2,
                    priority=priority, name_zh=f"{zh}高", name_en=f"{district} high", category=category,
                )
            )  # fmt: skip
    return Manifest(
        gateway=gateway, name_zh=gateway, name_en=gateway, software="citynerve-edge 0.1.0",
        sites=tuple(sites), devices=tuple(devices), points=tuple(points), rules=tuple(rules),
    )  # fmt: skip


@asynccontextmanager
async def two_areas(url: str, folder: Path, **settings: Any) -> AsyncIterator[TwoAreas]:
    """Run the city; it has gateways of each area, and one that serves both."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(running_centre(url, folder, **settings))
        gateways = {}
        for name, areas in (("gw-alpha", ["a"]), ("gw-bravo", ["zb"]), (SHARED, ["a", "zb"])):
            gateways[name] = await stack.enter_async_context(city.gateway(name, manifest(name, *areas)))
        keeper = await city.person("a-keeper", Role.ADMIN, areas=["alpha"])
        both = TwoAreas(city, Area("a"), Area("zb"), gateways, keeper, set())
        for area, gateway in ((both.a, "gw-alpha"), (both.b, "gw-bravo")):
            await _live(both, area, gateways[gateway])
        await _of_no_area(both)
        yield both


async def _live(both: TwoAreas, area: Area, gateway: FieldGateway) -> None:
    """Let a day's work happen in one area."""
    city, key, now = both.city, area.key, both.city.clock()
    for number in range(3):
        times = [now - 2 * SECOND_US, now - SECOND_US, now]
        await gateway.readings(number, times, [VALUES[key]] * 3)
    await both.gateways[SHARED].readings(0 if key == "a" else 3, [now], [VALUES[key]])

    async def raised(name: str, rule: str, gate: FieldGateway = gateway) -> str:
        await gate.alarm(
            f"{key}-{name}", 1, AlarmEvent.ACT, at_us=now, value=VALUES[key], rule=f"{key}-{rule}-high"
        )
        return f"{key}-{name}"

    alarm = await raised("fresh", "well.level")
    await raised("of-both", "well.level", both.gateways[SHARED])
    await city.post(f"/alarms/{await raised('acked', 'well.flow')}/acknowledge", {"comment": f"{key}!"})
    shelved = await raised("shelved", "pump.run")
    await city.post(f"/alarms/{shelved}/shelve", {"minutes": 60, "reason": f"{key}!"})
    site = f"{key}-main"
    listed = {event["category"]: event for event in (await city.get("/events", site=site))["items"]}
    case = await city.post("/cases", {"event_id": listed["flooding"]["id"]}, expect=201)
    case = await city.post(f"/cases/{case['id']}/assign", {"unit": "drainage-south", "comment": f"{key}!"})
    own = await city.post("/cases", {"title": f"{key}! case", "site": site}, expect=201)
    point = f"{gateway.gateway}.{key}-pump.run"
    command = await city.post("/commands", {"point": point, "value": 1}, expect=202)
    done = CommandOutcome(
        command=command["id"], state=CommandState.VERIFIED, finished_us=now, read_back=VALUES[key],
        reason="", detail=f"{key}! done",
    )  # fmt: skip
    await gateway.outcome(done)
    text = f"gateway:\n  id: {gateway.gateway}\n"
    push = f"/gateways/{gateway.gateway}/configurations"
    order = await city.post(push, {"text": text, "note": f"{key}! note"}, Role.ADMIN, expect=202)
    digest = await _tell(both, gateway, area)
    device = f"{gateway.gateway}.{key}-pump"
    written = {"note": f"{key}! note", "tags": [f"{NAMES[key][0]}-tag"], "serial": f"{NAMES[key][0]} 1"}
    async with city.client(Role.ADMIN) as admin:
        answer = await admin.patch(f"{API}/registry/devices/{device}", json={"fields": written})
        assert answer.status_code == 200, answer.text
        path = f"{API}/registry/devices/{device}/attachments"
        answer = await admin.post(path, params={"name": f"{NAMES[key][0]}.pdf"}, content=PDF)
        assert answer.status_code == 201, answer.text
    until = to_datetime(now + 3600 * SECOND_US).isoformat()
    said = {"kind": "suppression", "device": device, "until_at": until, "reason": f"{key}! reason"}
    cover = await city.post("/alarms/covers", said, Role.ADMIN, expect=201)
    storm = {"filter": {"site": site}, "reason": f"{key}! reason"}
    fold = await city.post("/alarms/folds", storm, Role.ADMIN, expect=201)
    view = {"name": f"{key}! view", "shared": True, "filter": {"site": site}}
    await city.post("/alarms/views", view, Role.OPERATOR, expect=201)
    camera = f"{gateway.gateway}.{key}-cam"
    picture = b"\xff\xd8\xff" + f"what {NAMES[key][0]} looks like".encode()
    shot = Snapshot(
        camera=f"{key}-cam", taken_us=now, cause="alarm", moment="at", occurrences=(alarm,), data=picture
    )
    assert (await gateway.picture(shot, 1)).status_code == 200
    taken = (await city.get(f"/cameras/{camera}"))["snapshot"]
    if key == "zb":
        both.secrets.add(taken["sha256"])
    area.ids |= {
        "camera": camera, "snapshot": taken["id"],
        "cover": str(cover["id"]), "fold": str(fold["id"]), "rule": f"{key}-well.level-high",
        "cause": f"gateway:{gateway.gateway}",
        "attachment": answer.json()["id"], "tag": written["tags"][0], "department": f"{NAMES[key][0]}-office",
        "site": site, "device": device, "point": point, "gateway": gateway.gateway,
        "alarm": alarm, "event": listed["flow"]["id"], "case": own["id"], "task": case["tasks"][0]["id"],
        "command": command["id"], "order": order["id"], "digest": digest, "word": NAMES[key][0],
        "kind": f"{key}-pump", "district": NAMES[key][0], "person": f"{key}-keeper",
    }  # fmt: skip
    if key == "zb":
        both.secrets |= {area[name] for name in MADE}
        both.secrets |= {case["id"], listed["flooding"]["id"]}


async def _tell(both: TwoAreas, gateway: FieldGateway, area: Area) -> str:
    """Report a status with devices held by a technician, and a configuration; return its digest."""
    text = msgspec.json.encode(RunningConfig(text=f"# {NAMES[area.key][0]}\n"))
    digest = f"{area.key}d" + "0" * 62
    for told in (gateway, both.gateways[SHARED]):
        status = GatewayStatus(
            software="citynerve 0.1.0", started_us=both.city.clock(),
            config=ConfigStatus(running=3, digest=digest, declaration="x", since_us=both.city.clock()),
            storage=StorageStatus(used_bytes=10, limit_bytes=None, free_bytes=100, left_s=792_000.0),
            backlog=BacklogStatus(batches=2, readings=500, bytes=900, oldest_us=None),
            pictures=PicturesStatus(),
            local_manual=("a-pump", "zb-pump") if told is not gateway else (f"{area.key}-pump",),
        )  # fmt: skip
        async with both.city.client(None) as client:
            answer = await client.put(STATUS, content=msgspec.json.encode(status), headers=told.headers)
            assert answer.status_code == 204, answer.text
            path = CONFIG.format(digest=digest)
            answer = await client.put(path, content=text, headers=told.headers)
            assert answer.status_code == 204, answer.text
    return digest


async def _of_no_area(both: TwoAreas) -> None:
    """Add what belongs to no site: only who sees the whole city may see it."""
    city = both.city
    case = await city.post("/cases", {"title": "bravo at no site"}, expect=201)
    both.secrets.add(case["id"])
    await city.centre.gateways.new_code("gw-bravo-new", "admin")
    await city.centre.packages.stage(
        version="7.7.7-bravo", file_name="bravo.whl", content=b"x", signature="00", staged_by="zb"
    )
    await city.person("zb-keeper", Role.OPERATOR, areas=["bravo"])


async def stir(both: TwoAreas) -> None:
    """Let things happen in area B only: nothing of it may be noticed from area A."""
    city, gateway, now = both.city, both.gateways["gw-bravo"], both.city.clock()
    await gateway.readings(1, [now + SECOND_US], [777.125])
    await both.gateways[SHARED].readings(4, [now], [778.0])
    await gateway.alarm("zb-later", 1, AlarmEvent.ACT, at_us=now, value=777.125, rule="zb-well.flow-high")
    await city.post("/alarms/zb-fresh/acknowledge", {"comment": "bravo"})
    await city.post("/alarms/zb-of-both/acknowledge", {"comment": "bravo"})
    case = await city.post("/cases", {"title": "bravo again", "site": "zb-main"}, expect=201)
    await city.post(f"/cases/{case['id']}/assign", {"unit": "drainage-south"})
    late = await city.post("/commands", {"point": both.b["point"], "value": 0}, expect=202)
    rotated = await city.post("/gateways/gw-bravo/rotate", None, Role.ADMIN, expect=202)
    asked = await city.post(f"/gateways/{SHARED}/rotate", None, Role.ADMIN, expect=202)
    both.secrets |= {case["id"], late["id"], rotated["id"], asked["id"]}
    await city.centre.gateways.new_code("gw-bravo-newer", "admin")
    await city.person("zb-later", Role.OPERATOR, areas=["bravo"])
