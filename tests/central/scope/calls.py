"""How each operation of the API is called with the ids of an area: what its parameters and bodies name.

A parameter or body that is not told here fails the walk: whoever adds an operation says here how to call
it, and the walk then proves that it keeps the areas apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.central.scope.areas import NOWHERE, Area

Ids = Mapping[str, str] | Area
Json = dict[str, Any]

PATHS: Final[Mapping[str, str]] = {
    "site_id": "site", "device_id": "device", "point_id": "point", "alarm_id": "alarm", "event_id": "event",
    "case_id": "case", "task_id": "task", "command_id": "command", "gateway_id": "gateway",
    "order_id": "order", "digest": "digest", "username": "person", "attachment_id": "attachment",
    "cover": "cover", "fold": "fold", "thing_id": "", "camera_id": "camera", "snapshot_id": "snapshot",
}  # fmt: skip
"""Path parameter -> kind of id in `Area`; of a thing of the registry, the kind that stands before it."""

PLAIN_PATHS: Final[Mapping[str, str]] = {
    "move": "accept", "role": "no-role", "token_id": "no-token", "kind": "",
    "session_id": "no-session", "view": "987654", "view_id": "no-view", "layout_id": "standard",
    "screen_id": "no-screen",
    "channel": "987654", "subscription": "987654", "escalation": "987654", "webhook": "987654",
    "delivery": f"msg_{0:032x}", "name": "raised", "lang": "zh",
}  # fmt: skip
"""Path parameters that name nothing that is at a site -> what they are called with."""

QUERIES: Final[Mapping[str, str]] = {
    "site": "site", "device": "device", "point": "point", "gateway": "gateway", "kind": "kind", "q": "word",
    "type": "kind", "district": "district", "department": "department", "tag": "tag",
    "area": "district", "device_kind": "kind", "rule": "rule", "cause": "cause", "text": "word",
    "fold": "fold", "id": "device",
}  # fmt: skip
"""Query parameter -> kind of id: asked with B's, the answer is that for what does not exist."""

PLAIN_QUERIES: Final = {
    "limit", "cursor", "state", "priority", "shelved", "unit", "from", "to", "resolution", "kinds",
    "hours", "category", "overlay", "assignee", "since", "folded", "sort", "start", "end", "actor",
    "what", "alike", "refused", "lifecycle", "declared", "format", "apply", "reason", "name", "note",
    "fields", "bom", "time", "buckets", "next", "version", "at",
    "channel", "webhook",
}  # fmt: skip
"""Query parameters that name nothing that is at a site."""

NOT_IDS: Final = {
    *((name, "kind") for name in ("listAlarms", "countAlarms", "groupAlarms", "groupAlarmsBySite")),
    ("listOrders", "kind"),
    ("search", "kind"),
}
"""Where a name above means something else."""

BODIES: Final[Mapping[str, tuple[Callable[[Ids], Json], ...]]] = {
    "signIn": (lambda ids: {"username": ids["person"], "password": "wrong"},),
    "createUser": (
        lambda ids: {
            "username": f"new-{ids['site']}", "display_name": "x", "password": "long enough 1234",
            "grants": [{"role": "viewer", "areas": [ids["district"]]}],
        },
    ),
    "changeUser": (lambda ids: {"display_name": "changed"},),
    "putRole": (lambda ids: {"name": {"zh": "角色", "en": "Role"}, "permissions": ["read"]},),
    "changeOwnPassword": (lambda ids: {"current": "x", "password": "long enough 1234"},),
    "beginTotp": (lambda ids: {"password": "x"},),
    "confirmTotp": (lambda ids: {"code": "123456"},),
    "removeTotp": (lambda ids: {"password": "x"},),
    "renewRecoveryCodes": (lambda ids: {"password": "x"},),
    "putPolicy": (lambda ids: {"token_days": 30},),
    "setKindRetention": (lambda ids: {"retention": "diagnostic"},),
    "setPointRetention": (lambda ids: {"retention": "diagnostic"},),
    "createToken": (lambda ids: {"name": "t", "areas": [ids["district"]]},),
    "createServiceToken": (lambda ids: {"name": "t", "areas": [ids["district"]]},),
    "acknowledgeAlarm": (lambda ids: {"comment": "x"},),
    "resetAlarm": (lambda ids: {"comment": "x"},),
    "shelveAlarm": (lambda ids: {"minutes": 5, "reason": "x"},),
    "suspendAlarm": (lambda ids: {"permit": "x"},),
    "returnAlarm": (lambda ids: {"comment": "x"},),
    "actOnAlarms": (
        lambda ids: {"ids": [ids["alarm"]], "verb": "acknowledge"},
        lambda ids: {"filter": {"site": ids["site"]}, "verb": "comment", "comment": "x"},
        lambda ids: {"filter": {"area": ids["district"]}, "verb": "acknowledge"},
        lambda ids: {"ids": ["a-fresh"], "verb": "assign", "assignee": ids["person"]},
    ),
    "overlayAlarms": (
        lambda ids: {"ids": [ids["alarm"]], "verb": "shelve", "comment": "x"},
        lambda ids: {"filter": {"device": ids["device"]}, "verb": "suspend", "comment": "x"},
    ),
    "layCover": (
        lambda ids: {"kind": "suppression", "site": ids["site"], "until_at": LATER, "reason": "x"},
        lambda ids: {"kind": "maintenance", "device": ids["device"], "until_at": LATER, "reason": "x"},
        lambda ids: {
            "kind": "maintenance", "site": "a-main", "device": ids["device"], "until_at": LATER,
            "reason": "x",
        },
    ),
    "endCover": (lambda ids: {"reason": "x"},),
    "foldAlarms": (lambda ids: {"filter": {"site": ids["site"]}, "reason": "x"},),
    "unfoldAlarms": (lambda ids: {"reason": "x"},),
    "saveAlarmView": (lambda ids: {"name": "own", "filter": {"site": ids["site"]}},),
    "saveTrendView": (lambda ids: {"name": "own", "points": [ids["point"]], "span_s": 60},),
    "takeWallLink": (lambda ids: {"code": "no-code"},),
    "saveWallLayout": (lambda ids: {"layout": {}, "version": 0},),
    "makeWallScreen": (lambda ids: {"name": "x", "layout": "city", "areas": [ids["district"]]},),
    "createGateway": (lambda ids: {"id": ids["gateway"]},),
    "pushConfiguration": (lambda ids: {"text": "x"},),
    "updateGateway": (lambda ids: {"version": "1"},),
    "closeEvent": (lambda ids: {"reason": "x"},),
    "openCase": (
        lambda ids: {"title": "x", "site": ids["site"]},
        lambda ids: {"event_id": ids["event"]},
        lambda ids: {"event_id": ids["event"], "site": ids["site"]},
    ),
    "assignCase": (lambda ids: {"unit": "lighting"},),
    "closeCase": (lambda ids: {"resolution": "x"},),
    "voidCase": (lambda ids: {"reason": "x"},),
    "moveTask": (lambda ids: {"comment": "x"},),
    "registerThing": (
        lambda ids: {"id": f"{ids['site']}-new", "fields": THING | {"site": ids["site"]}},
        lambda ids: {"id": ids["site"], "fields": THING},
        lambda ids: {"id": f"{ids['gateway']}.new", "fields": THING | {"site": "a-main", "kind": "pump"}},
        lambda ids: {"id": ids["device"], "fields": THING | {"site": "a-main", "kind": "pump"}},
        lambda ids: {"id": "gw-alpha.new", "fields": THING | {"site": ids["site"], "kind": "pump"}},
    ),
    "changeThing": (
        lambda ids: {"fields": {"note": "x"}},
        lambda ids: {"fields": {"site": ids["site"]}},
    ),
    "moveThing": (lambda ids: {"lifecycle": "maintenance", "reason": "x"},),
    "makeNoticeChannel": (lambda ids: {"name": "n", "body": CHANNEL},),
    "changeNoticeChannel": (lambda ids: {"name": "n", "body": CHANNEL},),
    "testNoticeChannel": (lambda ids: {"to": "10086"},),
    **dict.fromkeys(("makeSubscription", "changeSubscription"), (lambda ids: {"name": "n", "body": TOLD},)),
    **dict.fromkeys(("makeEscalation", "changeEscalation"), (lambda ids: {"name": "n", "body": STEPS},)),
    "putTemplate": (lambda ids: WORDS,),
    "previewTemplate": (lambda ids: {**WORDS, "alarm": ids["alarm"]},),
    **dict.fromkeys(
        ("makeWebhook", "changeWebhook"),
        (lambda ids: {"name": "n", "body": {"url": "https://example.org/", "owner": ids["person"]}},),
    ),
    "sendCommand": (lambda ids: {"point": ids["point"], "value": 1},),
}  # fmt: skip
"""Operation -> the bodies that it is called with."""

BEFORE: Final[str] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
LATER: Final[str] = (datetime.now(UTC) + timedelta(days=1)).isoformat()
WORDS: Final[Json] = {"subject": "${name}", "body": "${name}", "short": "${name}"}
CHANNEL: Final[Json] = {"settings": {"kind": "sms", "url": "https://sms.example/"}}
TOLD: Final[Json] = {"events": ["raised"], "targets": [{"channel": 1, "to": ["10086"]}]}
STEPS: Final[Json] = {"steps": [{"after_minutes": 5, "targets": TOLD["targets"]}]}
THING: Final[Json] = {"name_zh": "名", "name_en": "name"}
FILES: Final[Mapping[str, Callable[[Ids], str]]] = {
    "importRegistry": lambda ids: f"id,note\n{ids['device']},x\n{ids['site']},x\n{ids['point']},x\n",
    "attachFile": lambda ids: "%PDF-1.4\n%%EOF\n",
}
"""Operation -> the file that it is sent."""

NEEDED: Final[Mapping[str, Mapping[str, str]]] = {
    "getHistory": {"point": "point"}, "listLatest": {"site": "site"}, "openLive": {"site": "site"},
    "search": {"q": "word"}, "getHistoryColumns": {"point": "point"}, "exportReadings": {"point": "point"},
    "listHistoryMarks": {"point": "point"},
}  # fmt: skip
"""Query parameters that an operation is not called without -> kind of id."""
FIXED: Final[Mapping[str, Mapping[str, str]]] = {
    "importRegistry": {"apply": "true"}, "attachFile": {"name": "x.pdf"}, "getReplayAt": {"time": BEFORE},
    "getReplayDensity": {"from": BEFORE, "to": LATER},
}  # fmt: skip
"""Query parameters that it is always called with."""

STREAMS: Final = {"openLive"}
"""Operations whose answer does not end: test_live.py listens to them."""

OWN: Final = {"signIn", "signOut", "listSignInWays", "beginOidc", "finishOidc", "takeWallLink"}
"""Operations of the door: what anybody may ask, and what would end the caller's own session."""


@dataclass(frozen=True)
class Call:
    """One request. `used` are the ids in it, which the answer may repeat."""

    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    file: str | None = None
    used: tuple[str, ...] = ()

    def __str__(self) -> str:
        asked = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.operation}: {self.method} {self.path}{'?' if asked else ''}{asked} {self.body or ''}"


@dataclass(frozen=True)
class Operation:
    """One operation of the OpenAPI document."""

    id: str
    method: str
    path: str
    paths: tuple[str, ...]
    queries: tuple[str, ...]
    takes_body: bool
    kinds: tuple[str, ...] = ("",)
    """Kinds of things of the registry that its path may name, in the plural."""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"

    @property
    def named(self) -> bool:
        """Whether something in its path, or its body, is at a site."""
        return any(name in PATHS for name in self.paths) or self.takes_body

    @property
    def asked_by(self) -> list[str]:
        """Query parameters by which it may be asked for something at a site."""
        return [name for name in self.queries if name in QUERIES and (self.id, name) not in NOT_IDS]

    @property
    def nested(self) -> bool:
        """Whether its path names a thing of a thing."""
        return sum(name in PATHS for name in self.paths) > 1

    def calls(self, ids: Ids) -> Iterator[Call]:
        """Yield it with the ids of one area: for each kind, each body, and with each query parameter."""
        for kind in self.kinds:
            for body in BODIES.get(self.id, (None,)):
                yield self.call(ids, ids, None if body is None else body(ids), kind=kind)
            for name in self.asked_by:
                yield self.call(ids, ids, None, name, kind)

    def call(
        self, first: Ids, last: Ids, body: Json | None = None, asked: str | None = None, kind: str = ""
    ) -> Call:
        """Return it with the last id of its path from `last`, everything else from `first`."""
        path, used = self.path, []
        for name in self.paths:
            ids = last if name == self.paths[-1] else first
            if name == "thing_id":
                value = ids[kind.removesuffix("s")]
            elif name == "kind":
                value = kind
            else:
                value = ids[PATHS[name]] if name in PATHS else PLAIN_PATHS[name]
            path = path.replace(f"{{{name}}}", value)
            used.append(value)
        query = {name: last[kind] for name, kind in NEEDED.get(self.id, {}).items()}
        if asked is not None:
            query |= {asked: last[QUERIES[asked]]}
        used += query.values()
        used += _words(body)
        file = FILES[self.id](last) if self.id in FILES else None
        used += [] if file is None else file.replace(",", "\n").split("\n")
        # The longest first, so that an id within another is not cut out of it.
        used = sorted({word if len(word) > 3 else f"'{word}'" for word in used}, key=len, reverse=True)
        query |= FIXED.get(self.id, {})
        return Call(self.id, self.method, path, query, body, file, tuple(used))


def _words(body: Any) -> list[str]:
    """Return every text in a body, and of a device's or point's id its gateway's."""
    if isinstance(body, dict):
        return _words(list(body.values()))
    if isinstance(body, list):
        return [word for value in body for word in _words(value)]
    return [body, body.partition(".")[0]] if isinstance(body, str) else []


def operations(document: Json) -> list[Operation]:
    """Return the document's operations; AssertionError names what nobody has said how to call."""
    found, unknown = [], []
    for path, item in document["paths"].items():
        for method, told in item.items():
            parameters = told.get("parameters", [])
            paths = [item["name"] for item in parameters if item["in"] == "path"]
            queries = [item["name"] for item in parameters if item["in"] == "query"]
            operation = Operation(
                told["operationId"], method.upper(), path, tuple(paths), tuple(queries),
                "requestBody" in told, _kinds(parameters),
            )  # fmt: skip
            unknown += [f"{operation.id}: path {n}" for n in paths if n not in {*PATHS, *PLAIN_PATHS}]
            unknown += [f"{operation.id}: query {n}" for n in queries if n not in {*QUERIES, *PLAIN_QUERIES}]
            if operation.takes_body != (operation.id in {*BODIES, *FILES}):
                unknown.append(f"{operation.id}: body")
            found.append(operation)
    gone = BODIES.keys() - {operation.id for operation in found}
    assert not unknown, f"say in {__name__} how to call: {'; '.join(unknown)}"
    assert not gone, f"{__name__} tells of operations that are gone: {gone}"
    return found


def _kinds(parameters: list[Json]) -> tuple[str, ...]:
    """Return what the `kind` of a path may be."""
    for item in parameters:
        if (item["in"], item["name"]) == ("path", "kind"):
            return tuple(item["schema"].get("enum", ["pump"]))
    return ("",)


__all__ = ["NOWHERE", "OWN", "STREAMS", "Call", "Operation", "operations"]
